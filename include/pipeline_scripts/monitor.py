"""The bundled monitor: our analyzer as a processing job.

It does what Model Monitor's image does, from the same variables, and ends with exit code 0 also when it found
violations. Where the image lacks what the analyzer needs, it is installed from a folder of wheels, never from an index.
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

NEEDED = ("numpy", "polars", "datasketch", "xxhash")
OLDEST = (3, 11)
OUTCOME = "outcome.json"


def provide(wheels: Path | None) -> None:
    """Make what the analyzer imports importable.

    Raises:
        InputError: the image's Python is too old, or packages are absent and there are no wheels for them.
    """
    if sys.version_info < OLDEST:
        raise InputError(
            f"The image's Python is {sys.version.split()[0]}; the analyzer needs {OLDEST[0]}.{OLDEST[1]}. Name another "
            "image in images.analyzer of the environment."
        )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return
    requirements = wheels / "requirements.txt" if wheels else None
    if requirements is None or not requirements.is_file():
        raise InputError(
            f"The image lacks {', '.join(missing)} and the job was given no wheels. Set `wheelhouse: true` in the "
            "environment (then `make wheelhouse`, `make pipelines`, `make deploy`), or use an image that has them."
        )
    target = tempfile.mkdtemp(prefix="wheels-")
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
        "--require-hashes", "--find-links", str(wheels), "--target", target, "--requirement", str(requirements),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InputError(f"The wheels cannot be installed: {done.stderr.strip()[-600:]}")
    sys.path.insert(0, target)


def monitor(given: argparse.Namespace) -> None:
    """Run the analyzer, and note the number of violations where the pipeline's condition reads it."""
    provide(given.wheels)
    from monitor_analyzer import container

    if container.main(given.opt_ml) != 0:
        raise InputError(given.message.read_text(encoding="utf-8") if given.message.is_file() else "No message.")
    configuration = json.loads((given.opt_ml / "config" / "processingjobconfig.json").read_text(encoding="utf-8"))
    output = Path(configuration["Environment"]["output_path"])
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
