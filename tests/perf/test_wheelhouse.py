"""The wheelhouse as a job finds it: a Python with nothing in it, no index, and the analyzer compiled.

`make test-all` runs it: it downloads the wheels from the package index.
"""

import json
import os
import random
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from include.infrastructure import wheelhouse
from local import environment

SCRIPTS = environment.REPO / "include" / "pipeline_scripts"
ROWS, COPIES = 100_000, 48
# From here on the analyzer uses what the wheels bring.
LARGE = 64_000_000
# The same entry point as the job's, and a word on what it was run with.
JOB = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import monitor
code = monitor.main(sys.argv[1:])
numba = sys.modules.get("numba")
print("compiled", numba.__file__) if numba else print("plain")
sys.exit(code)
"""


def analyzed(python: Path | str, root: Path, data: Path, *options: str) -> tuple[str, dict]:
    """Run the analyzer as a job over a folder; return what it printed last, and its statistics."""
    output = root / "output"
    for folder in (root / "config", output):
        folder.mkdir(parents=True)
    settings = {
        "dataset_source": str(data),
        "dataset_format": json.dumps({"csv": {"header": True}}),
        "output_path": str(output),
    }
    (root / "config" / "processingjobconfig.json").write_text(json.dumps({"Environment": settings}))
    done = subprocess.run(
        [python, "-c", JOB, SCRIPTS, "--opt-ml", root, "--message", root / "message", *options],
        env={"PATH": os.defpath, "HOME": str(root), "PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:9/"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1], json.loads((output / "statistics.json").read_text())


@pytest.mark.timeout(1200)
def test_the_analyzer_runs_compiled_from_the_wheels_alone(tmp_path):
    """No index is reachable, the Python is bare, and what comes out is what the laptop's environment says."""
    wheels = tmp_path / "wheels"
    # As `make wheelhouse` does, by the Python that the environments were made with: they have no pip of their own.
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [Path(sys.base_prefix) / "bin" / "python3", "-m", "include.infrastructure.wheelhouse", wheels],
        cwd=environment.REPO,
        env=outside,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "connection" in done.stderr.lower():
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    assert len(wheelhouse.wheels(wheels)) - 1 >= len(wheelhouse.PACKAGES) * len(wheelhouse.PYTHONS)
    data = tmp_path / "data"
    data.mkdir()
    generator = random.Random(7)  # noqa: S311 - seeded data, nothing secret
    block = "".join(
        f"{generator.lognormvariate(0, 1):.6f},{generator.randrange(50)},{generator.choice('abc')}\n"
        for _ in range(ROWS)
    )
    with (data / "rows.csv").open("w") as stream:
        stream.write("amount,count,kind\n")
        for _ in range(COPIES):
            stream.write(block)
    assert (data / "rows.csv").stat().st_size >= LARGE
    venv.create(tmp_path / "bare", with_pip=True)
    bare = tmp_path / "bare" / "bin" / "python"
    said, statistics = analyzed(bare, tmp_path / "with", data, "--wheels", str(wheels))
    assert said.startswith("compiled")
    assert str(tmp_path / "bare") not in said  # from the job's own folder, not installed into the image
    _, here = analyzed(sys.executable, tmp_path / "here", data)
    assert statistics == here
