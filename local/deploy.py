"""`make deploy`: the deployment against an environment; for `local`, against the house that `make up` started."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from local import environment
from local.airflow import ENVIRONMENT
from local.errors import HouseError
from local.house import home, running

# For a command that was interrupted, to say where it stands.
GRACE_SECONDS = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m include.infrastructure`; its exit code is ours."""
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("action")
    parser.add_argument("--environment", default=ENVIRONMENT)
    given, others = parser.parse_known_args(arguments)
    return run("include.infrastructure", given.action, given.environment, others)


def run(module: str, first: str, name: str, others: Sequence[str] = ()) -> int:
    """Run a module of the AWS side, for the laptop against the house that is up; return its exit code."""
    variables = dict(os.environ)
    if name == ENVIRONMENT:
        try:
            variables = {**environment.base(), **environment.aws(running(home()).aws.url)}
        except HouseError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    variables["PYTHONPATH"] = environment.python_path()
    command = [sys.executable, "-m", module, first, "--environment", name, *others]
    with subprocess.Popen(command, env=variables, cwd=environment.REPO) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal told the command as well: it says what stands, and ends by itself.
            try:
                return process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.terminate()
                return process.wait()


if __name__ == "__main__":
    sys.exit(main())
