"""The bundled monitor: our analyzer as a processing job.

It does what Model Monitor's image does, from the same variables, and ends with exit code 0 also when it found
violations. The analyzer needs Python alone; what makes it fast is installed, where the image lacks it, from a folder of
wheels, never from an index.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tabular.job import InputError, run

FASTER = ("numpy", "numba", "xxhash")
# Below this the analyzer does not use them (monitor_analyzer/compiled.py), and their installation takes longer.
WORTH_BYTES = 64_000_000
OLDEST = (3, 11)
OUTCOME = "outcome.json"
SHARD = "shard"


def provide(wheels: Path | None, size: int) -> None:
    """Make what speeds the analyzer up importable, from the wheels where the job was given some.

    Args:
        wheels: a folder of wheels and their requirements.txt, or None.
        size: bytes of the data set.

    Raises:
        InputError: the image's Python is too old, or the wheels are not those of their requirements.
    """
    if sys.version_info < OLDEST:
        raise InputError(
            f"The image's Python is {sys.version.split()[0]}; the analyzer needs {OLDEST[0]}.{OLDEST[1]}. Name another "
            "image in images.analyzer of the environment."
        )
    missing = [name for name in FASTER if importlib.util.find_spec(name) is None]
    if not missing or size < WORTH_BYTES:
        return
    if wheels is None:
        print(
            f"The image lacks {', '.join(missing)}: the analyzer runs in plain Python, several times slower. "
            "`wheelhouse: true` in the environment makes it fast (then make wheelhouse, pipelines, deploy).",
            flush=True,
        )
        return
    requirements = wheels / "requirements.txt"
    if not requirements.is_file():
        raise InputError(f"{wheels} holds no requirements.txt. Run `make wheelhouse`, then deploy again.")
    target = tempfile.mkdtemp(prefix="wheels-")
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
        "--require-hashes", "--find-links", str(wheels), "--target", target, "--requirement", str(requirements),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InputError(f"The wheels cannot be installed: {done.stderr.strip()[-600:]}")
    sys.path.insert(0, target)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 where there is nothing."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(item.stat().st_size for item in files if item.is_file())


def monitor(given: argparse.Namespace) -> None:
    """Run the analyzer, and note the number of violations where the pipeline's condition reads it."""
    configuration = json.loads((given.opt_ml / "config" / "processingjobconfig.json").read_text(encoding="utf-8"))
    environment = configuration["Environment"]
    provide(given.wheels, size_of(Path(environment.get("dataset_source", ""))))
    from monitor_analyzer import container

    if container.main(given.opt_ml) != 0:
        raise InputError(given.message.read_text(encoding="utf-8") if given.message.is_file() else "No message.")
    if environment.get("analysis_stage") == SHARD:
        return  # judged by the step that merges the shares
    output = Path(environment["output_path"])
    report = output / "constraint_violations.json"
    found = json.loads(report.read_text(encoding="utf-8"))["violations"] if report.is_file() else []
    text = json.dumps({"version": 1, "violations": len(found)}, indent=1)
    (output / OUTCOME).write_text(text + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check a data set against a baseline, or make one.")
    parser.add_argument("--opt-ml", type=Path, default=Path("/opt/ml"))
    parser.add_argument("--wheels", type=Path, help="folder of wheels and their requirements.txt")
    parser.add_argument("--message", type=Path, default=Path("/opt/ml/output/message"))
    given = parser.parse_args(arguments)
    return run(lambda: monitor(given), given.message)


if __name__ == "__main__":
    sys.exit(main())
