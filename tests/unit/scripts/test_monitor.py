"""The bundled monitor as a job: its packages come from wheels, its end is exit code 0, and it counts what it found."""

import base64
import csv
import hashlib
import json
import subprocess
import sys
import zipfile

import pytest

from tests.unit.scripts.made import SCRIPTS

PROVIDE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import monitor
monitor.FASTER = ("made_for_this_test",)
try:
    monitor.provide(Path(sys.argv[2]) if sys.argv[2] else None, int(sys.argv[3]))
except monitor.InputError as error:
    print("refused:", error)
else:
    try:
        import made_for_this_test
    except ImportError:
        print("absent")
    else:
        print(made_for_this_test.ANSWER)
"""
LARGE = 64_000_000


def wheel(folder, content="ANSWER = 42\n"):
    """Write a wheel of one module and its hashed requirements, as `make wheelhouse` lays them out."""
    folder.mkdir()
    path = folder / "made_for_this_test-1.0-py3-none-any.whl"
    metadata = "made_for_this_test-1.0.dist-info"
    files = {
        "made_for_this_test.py": content,
        f"{metadata}/METADATA": "Metadata-Version: 2.1\nName: made_for_this_test\nVersion: 1.0\n",
        f"{metadata}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    sums = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for name, text in files.items()
    }
    record = "".join(f"{name},sha256={sums[name]},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{metadata}/RECORD": f"{record}{metadata}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"made_for_this_test==1.0 --hash=sha256:{digest}\n")
    return path


def provide(folder, python=sys.executable, size=LARGE):
    command = [python, "-c", PROVIDE, str(SCRIPTS), str(folder), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def python_with_pip():
    """A Python that has pip, as the images have."""
    for candidate in (sys.executable, "python3"):
        found = subprocess.run([candidate, "-m", "pip", "--version"], capture_output=True, check=False)
        if found.returncode == 0:
            return candidate
    pytest.skip("no Python with pip is here")


def test_what_the_image_lacks_is_installed_from_the_wheels(tmp_path, python_with_pip):
    """No index is asked: only the folder, and only with the hash that the requirements name."""
    wheel(tmp_path / "wheels")
    assert provide(tmp_path / "wheels", python_with_pip) == "42"


def test_another_wheel_than_the_locked_one_is_refused(tmp_path, python_with_pip):
    """A wheel that was exchanged in the bucket is not installed."""
    path = wheel(tmp_path / "wheels")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("evil.py", "")
    assert provide(tmp_path / "wheels", python_with_pip).startswith("refused: The wheels cannot be installed")


def test_without_wheels_the_job_runs_on_and_says_what_to_set():
    """The log names the packages and the key of the environment; the analyzer does without them."""
    said = provide("").splitlines()
    assert "made_for_this_test" in said[0]
    assert "wheelhouse: true" in said[0]
    assert said[-1] == "absent"


def test_a_small_data_set_waits_for_no_installation(tmp_path):
    """What would take longer to install than it saves is left where it is, by the analyzer's own bound."""
    wheel(tmp_path / "wheels")
    assert provide(tmp_path / "wheels", size=LARGE - 1) == "absent"
    for source, name in (("monitor.py", "WORTH_BYTES"), ("monitor_analyzer/compiled.py", "COLD_BYTES")):
        assert f"{name} = 64_000_000" in (SCRIPTS / source).read_text(encoding="utf-8")


def test_wheels_without_their_requirements_are_refused(tmp_path):
    """An input that was not made by make wheelhouse is told, not ignored."""
    assert "make wheelhouse" in provide(tmp_path / "nothing")


def job(tmp_path, rows, host="algo-1", hosts=("algo-1",), **environment):
    """Run monitor.py on rows as a processing job would; return exit code, message and output folder."""
    root = tmp_path / f"ml{len(list(tmp_path.iterdir()))}"
    data, output = root / "processing" / "input" / "dataset", root / "processing" / "output"
    for folder in (data, output, root / "config"):
        folder.mkdir(parents=True)
    # A machine that is given none of the files has an empty folder.
    if rows or len(hosts) == 1:
        with (data / "rows.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("amount", "kind"), *(rows or ())])
    (root / "config" / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": list(hosts)}))
    settings = {
        "dataset_source": str(data),
        "dataset_format": json.dumps({"csv": {"header": True}}),
        "output_path": str(output),
        **environment,
    }
    (root / "config" / "processingjobconfig.json").write_text(json.dumps({"Environment": settings}))
    message = root / "output" / "message"
    command = [sys.executable, str(SCRIPTS / "monitor.py"), "--opt-ml", str(root), "--message", str(message)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, message.read_text(), output


def test_violations_end_with_exit_code_0_and_are_counted(tmp_path):
    """The reports of a bad day are kept, and the pipeline's condition reads how many violations there are."""
    good = [(str(100 + number % 7), "ab"[number % 2]) for number in range(300)]
    code, message, baseline = job(tmp_path, good)
    assert (code, message.split(":")[0]) == (0, "Completed")
    against = {
        "baseline_statistics": str(baseline / "statistics.json"),
        "baseline_constraints": str(baseline / "constraints.json"),
    }
    code, message, output = job(tmp_path, [(amount, "unheard-of") for amount, _ in good], **against)
    assert (code, message.split(":")[0]) == (0, "CompletedWithViolations")
    found = json.loads((output / "constraint_violations.json").read_text())["violations"]
    assert found
    assert json.loads((output / "outcome.json").read_text()) == {"version": 1, "violations": len(found)}
    code, message, output = job(tmp_path, good, **against)
    assert json.loads((output / "outcome.json").read_text())["violations"] == 0


def test_a_data_set_that_cannot_be_read_fails_the_job(tmp_path):
    """Nothing is counted as clean when nothing was checked."""
    code, message, output = job(tmp_path, [], dataset_format="{}")
    assert code == 1
    assert message
    assert not (output / "outcome.json").exists()


def parts(tmp_path, files, **environment):
    """Run the monitor on each file as a machine of its own, then the merge; return what the merge left."""
    hosts = [f"algo-{number}" for number in range(1, len(files) + 1)]
    shards = tmp_path / "shards"
    shards.mkdir()
    for host, rows in zip(hosts, files, strict=True):
        code, message, output = job(tmp_path, rows, host=host, hosts=hosts, analysis_stage="shard", **environment)
        assert (code, message) == (0, f"Completed: Shard {host} of {len(hosts)} holds {len(rows)} rows.")
        assert [path.name for path in output.iterdir()] == [f"shard-{host}.json"]
        (output / f"shard-{host}.json").rename(shards / f"shard-{host}.json")
    return job(tmp_path, None, dataset_source=str(shards), analysis_stage="merge", **environment)


def test_machines_together_find_what_one_machine_finds(tmp_path):
    """Baseline and check over two shares and an idle machine are those of one pass; the merge counts the violations."""
    good = [(str(100 + number % 7), "ab"[number % 2]) for number in range(300)]
    bad = [(amount, "unheard-of") for amount, _ in good]
    _, _, whole = job(tmp_path, good)
    code, message, merged = parts(tmp_path, [good[::2], good[1::2]])
    assert (code, message.split(":")[0]) == (0, "Completed")
    for name in ("statistics.json", "constraints.json"):
        assert figures(merged / name) == figures(whole / name)
    (tmp_path / "shards").rename(tmp_path / "baseline-shards")

    against = {
        "baseline_statistics": str(whole / "statistics.json"),
        "baseline_constraints": str(whole / "constraints.json"),
    }
    _, told, one = job(tmp_path, bad, **against)
    code, message, several = parts(tmp_path, [bad[::2], bad[1::2], []], **against)
    assert (code, message) == (0, told)
    for name in ("statistics.json", "constraint_violations.json", "outcome.json"):
        assert figures(several / name) == figures(one / name)


def figures(path):
    """Return a document with its numbers to twelve digits: the order of a sum changes the last ones."""

    def rounded(item):
        if isinstance(item, float):
            return float(f"{item:.12g}")
        if isinstance(item, dict):
            return {key: rounded(value) for key, value in item.items() if key not in {"sketch", "parameters", "data"}}
        return [rounded(part) for part in item] if isinstance(item, list) else item

    return rounded(json.loads(path.read_text()))
