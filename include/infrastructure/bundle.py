"""The bundle that Amazon MWAA takes: `dags/`, `plugins.zip`, `requirements.txt` and `startup.sh`.

    python -m include.infrastructure.bundle build --environment prod
    python -m include.infrastructure.bundle upload --environment prod

The same sources make the same bytes, so that a bundle can be compared, and an upload changes only what differs. MWAA
has no `include/`: nothing of the AWS side is in the bundle. `plugins.zip` carries `.airflowignore`, without which
Airflow would load each module of the package a second time under its bare name.
"""

import argparse
import hashlib
import json
import shlex
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from include.infrastructure import command
from include.infrastructure.archive import zip_bytes
from include.infrastructure.environment import Environment, EnvironmentFileError
from sagemaker_batch import names

ROOT = Path(__file__).parents[2]
OUT = ROOT / "dist" / "mwaa"
AIRFLOW_VERSION, PYTHON_VERSION = "3.3.1", "3.12"
# MWAA's documentation asks for this as the first line; without it MWAA takes the same file by itself.
CONSTRAINT = (
    f"https://raw.githubusercontent.com/apache/airflow/constraints-{AIRFLOW_VERSION}/constraints-{PYTHON_VERSION}.txt"
)
# The same file within the bundle, for an environment of MWAA that cannot fetch it, and where MWAA has the folder.
CARRIED, DAGS = f"dags/constraints-{AIRFLOW_VERSION}.txt", "/usr/local/airflow/"
SUMS = "bundle.json"
STARTUP = """#!/bin/sh
# Sourced by Amazon MWAA in every component before Airflow starts. It sets variables only: nothing here can be slow.
# Made by `make mwaa ENV={environment}`; configuration options of the environment do as well.
"""


def shipped(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield relative path and content of every file of a folder that is source, in order of paths."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        cached = "__pycache__" in name.parts or path.suffix == ".pyc"
        hidden = any(part.startswith(".") and part != ".airflowignore" for part in name.parts)
        if path.is_file() and not cached and not hidden:
            yield name.as_posix(), path.read_bytes()


def startup_script(environment: Environment) -> str:
    """Return the script that tells Airflow where it runs; it holds no secret."""
    topic = names.topic_arn(environment.name, environment.region, environment.account)
    alerts = {"conn_type": "aws", "extra": {"topic_arn": topic, "region_name": environment.region}}
    variables = {
        "AIRFLOW__SAGEMAKER_BATCH__ENVIRONMENT": environment.name,
        "AIRFLOW__SAGEMAKER_BATCH__BUCKET": environment.bucket,
        "AIRFLOW__SAGEMAKER_BATCH__REGION": environment.region,
        "AIRFLOW_CONN_SAGEMAKER_BATCH_ALERTS": json.dumps(alerts, sort_keys=True),
    }
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    return STARTUP.format(environment=environment.name) + "".join(lines)


def requirements(constraint: str = CONSTRAINT) -> str:
    """Return requirements.txt with MWAA's constraint line first."""
    return f'--constraint "{constraint}"\n{(ROOT / "requirements.txt").read_text(encoding="utf-8")}'


def contents(environment: Environment) -> dict[str, bytes]:
    """Return every file of the bundle by its path below `dist/mwaa`."""
    files = {f"dags/{name}": content for name, content in shipped(ROOT / "dags")}
    files["plugins.zip"] = zip_bytes(dict(shipped(ROOT / "plugins")))
    if environment.mwaa and not environment.mwaa.internet:
        files[CARRIED] = (ROOT / "requirements" / f"constraints-mwaa-{AIRFLOW_VERSION}.txt").read_bytes()
        files["requirements.txt"] = requirements(DAGS + CARRIED).encode()
    else:
        files["requirements.txt"] = requirements().encode()
    files["startup.sh"] = startup_script(environment).encode()
    return files


def sums(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def build(environment: Environment, out: Path = OUT) -> dict[str, bytes]:
    """Write the bundle to a fresh folder and return its files."""
    files = contents(environment)
    if out.exists():
        if any(out.iterdir()) and not (out / SUMS).is_file():
            raise EnvironmentFileError(f"{out} holds something that is no bundle. Empty it, or choose another --out.")
        shutil.rmtree(out)
    for name, content in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    described = {"environment": environment.name, "airflow": AIRFLOW_VERSION, "files": sums(files)}
    (out / SUMS).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return files


def members(plugins: bytes) -> list[str]:
    """Return the paths within a plugins.zip."""
    import io

    with zipfile.ZipFile(io.BytesIO(plugins)) as archive:
        return archive.namelist()


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.infrastructure.bundle", description="The bundle of MWAA.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, what in (("build", "write dist/mwaa"), ("upload", "build it, and put it into MWAA's bucket")):
        part = verbs.add_parser(verb, help=what, description=what)
        command.add_environment(part)
        part.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    given = parser.parse_args(arguments)

    def work() -> int:
        environment = command.environment(given)
        files = build(environment, given.out)
        print(f"{given.out}: {len(files)} files, of them {len(members(files['plugins.zip']))} in plugins.zip")
        if given.verb == "upload":
            from include.infrastructure.upload import upload

            upload(environment, files)
        return 0

    return command.run(work)


if __name__ == "__main__":
    sys.exit(main())
