"""Script mode: what SageMaker's framework containers do around a user's training script.

Run by path with the interpreter of the framework: ``python script_training.py --ml /opt/ml``. Standard library alone,
for that interpreter need not know this package. The job has unpacked the source archive into ``<ml>/code`` before.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

Document = dict[str, Any]

USER_SCRIPT_ERROR = 1
_OWN = ("sagemaker_", "_tuning_objective_metric")
_SHOWN_LINES = 20
_PIP_MISSING = (
    "requirements.txt cannot be installed: the interpreter {python} has no pip, and there is no uv on the PATH. "
    "Install either, or install the requirements into that interpreter and remove the file."
)


class InstallError(Exception):
    """The requirements cannot be installed; the message says why."""


def main() -> int:
    """Run the script; return its exit code."""
    parser = argparse.ArgumentParser(description="Script mode of a framework container.")
    parser.add_argument("--ml", type=Path, default=Path("/opt/ml"), help="what the job sees as /opt/ml")
    parser.add_argument(
        "--install", type=Path, nargs=2, metavar=("REQUIREMENTS", "DIRECTORY"), help="only install requirements"
    )
    asked = parser.parse_args()
    if asked.install:
        try:
            install(*asked.install)
        except InstallError as error:
            print(error, file=sys.stderr, flush=True)
            return USER_SCRIPT_ERROR
        return 0
    ml = asked.ml
    given = json.loads((ml / "input/config/hyperparameters.json").read_text())
    values = {name: decoded(text) for name, text in given.items()}
    program = str(values.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM", ""))
    code = ml / "code"
    if not (code / program).is_file() or ".." in Path(program).parts:
        there = ", ".join(sorted(path.name for path in code.iterdir())) if code.is_dir() else ""
        return fail(ml, f"The source archive has no {program!r}. It has {there or 'nothing'}.")
    hyperparameters = {name: value for name, value in values.items() if not name.startswith(_OWN)}
    arguments = [part for name in sorted(hyperparameters) for part in (f"--{name}", as_argument(hyperparameters[name]))]
    environment = {**os.environ, **variables(ml, program, hyperparameters, arguments)}
    packages = Path(os.environ.get("TMPDIR", str(ml))) / "packages"
    environment["PYTHONPATH"] = os.pathsep.join(
        part for part in (str(code), str(packages), os.environ.get("PYTHONPATH", "")) if part
    )
    try:
        install(code / "requirements.txt", packages)
    except InstallError as error:
        return fail(ml, str(error))
    command = [*interpreter(program), str(code / program), *arguments]
    print("Invoking script with the following command:", shlex.join(command), sep="\n\n", flush=True)
    exit_code, said = run(command, environment, code)
    if exit_code:
        return fail(
            ml,
            f'ExecuteUserScriptError:\nExitCode {exit_code}\nErrorMessage "{said}"\nCommand "{shlex.join(command)}"',
        )
    return 0


def decoded(text: Any) -> Any:
    """Return the value of a hyperparameter: the SDK writes JSON, people write text."""
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return text


def as_argument(value: Any) -> str:
    """Return a value as an argument of the script."""
    return (
        value if isinstance(value, str) else str(value) if isinstance(value, (bool, int, float)) else json.dumps(value)
    )


def interpreter(program: str) -> list[str]:
    """Return what runs a program of that name."""
    return ["/bin/sh"] if program.endswith(".sh") else [sys.executable, "-u"]


def variables(ml: Path, program: str, hyperparameters: Document, arguments: list[str]) -> dict[str, str]:
    """Return the variables ``SM_*`` that scripts read."""
    resources = json.loads((ml / "input/config/resourceconfig.json").read_text())
    channels = json.loads((ml / "input/config/inputdataconfig.json").read_text())
    directories = {name: str(ml / "input/data" / name) for name in channels}
    paths = {
        "SM_MODEL_DIR": ml / "model",
        "SM_INPUT_DIR": ml / "input",
        "SM_INPUT_CONFIG_DIR": ml / "input/config",
        "SM_OUTPUT_DIR": ml / "output",
        "SM_OUTPUT_DATA_DIR": ml / "output/data",
        "SM_OUTPUT_INTERMEDIATE_DIR": ml / "output/intermediate",
    }
    found = {name: str(path) for name, path in paths.items()}
    found |= {
        "SM_HOSTS": json.dumps(resources["hosts"]),
        "SM_CURRENT_HOST": resources["current_host"],
        "SM_CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
        "SM_NETWORK_INTERFACE_NAME": resources["network_interface_name"],
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_INPUT_DATA_CONFIG": json.dumps(channels),
        "SM_CHANNELS": json.dumps(sorted(channels)),
        "SM_HPS": json.dumps(hyperparameters),
        "SM_USER_ARGS": json.dumps(arguments),
        "SM_USER_ENTRY_POINT": program,
        "SM_MODULE_NAME": Path(program).stem,
        "SM_MODULE_DIR": str(ml / "code"),
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": "0",
        "SM_NUM_NEURONS": "0",
        "SM_LOG_LEVEL": "20",
    }
    found |= {f"SM_CHANNEL_{name.upper()}": directory for name, directory in directories.items()}
    found |= {f"SM_HP_{name.upper()}": as_argument(value) for name, value in hyperparameters.items()}
    found["SM_TRAINING_ENV"] = json.dumps(
        {
            "channel_input_dirs": directories,
            "current_host": resources["current_host"],
            "hosts": resources["hosts"],
            "hyperparameters": hyperparameters,
            "job_name": os.environ.get("TRAINING_JOB_NAME", ""),
            "model_dir": str(ml / "model"),
            "user_entry_point": program,
        }
    )
    return found


def install(requirements: Path, target: Path) -> None:
    """Install requirements into a directory of the job: the interpreter itself stays as it is.

    Raises:
        InstallError: they cannot be.
    """
    if not requirements.is_file():
        return
    # A virtual environment without pip: that of the interpreter it was made from installs for the same version.
    base = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
    uv = shutil.which("uv")
    pip = next((each for each in dict.fromkeys((sys.executable, base)) if has_pip(each)), None)
    if pip:
        command = [pip, "-m", "pip", "install", "--disable-pip-version-check", "--no-warn-script-location"]
    elif uv:
        command = [uv, "pip", "install", "--python", sys.executable]
    else:
        raise InstallError(_PIP_MISSING.format(python=sys.executable))
    done = subprocess.run(
        [*command, "--target", str(target), "-r", str(requirements)], cwd=requirements.parent, check=False
    )
    if done.returncode:
        raise InstallError(
            f"InstallRequirementsError: requirements.txt was not installed (exit code {done.returncode})."
        )


def has_pip(python: str) -> bool:
    """Tell whether an interpreter has pip."""
    try:
        asked = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    except OSError:
        return False
    return asked.returncode == 0


def run(command: list[str], environment: dict[str, str], cwd: Path) -> tuple[int, str]:
    """Run the script, passing on what it says; return its exit code and its last lines on stderr."""
    process = subprocess.Popen(command, env=environment, cwd=cwd, stderr=subprocess.PIPE, text=True, errors="replace")
    last: deque[str] = deque(maxlen=_SHOWN_LINES)
    if process.stderr is not None:
        for line in process.stderr:
            last.append(line)
            sys.stderr.write(line)
            sys.stderr.flush()
    return process.wait(), _message(list(last))


def _message(lines: list[str]) -> str:
    """Return the error itself: of a traceback its last line."""
    kept = [line.rstrip() for line in lines if line.strip()]
    return kept[-1] if kept else ""


def fail(ml: Path, message: str) -> int:
    """Leave a message for the job's FailureReason."""
    print(message, file=sys.stderr, flush=True)
    target = ml / "output" / "failure"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(message)
    return USER_SCRIPT_ERROR


if __name__ == "__main__":
    sys.exit(main())
