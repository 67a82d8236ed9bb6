"""`make logs`: follows every log of the house, each line under its file's name, until Ctrl-C.

With RUN=<use case>/<day> or RUN=<ARN of an execution> it prints what each job of that run wrote to CloudWatch.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from local import deploy
from local.airflow import ENVIRONMENT
from local.house import home

TAIL_BYTES = 2_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow, or print the logs of a run; return the exit code."""
    parser = argparse.ArgumentParser(prog="make logs", description=__doc__)
    parser.add_argument("--run", default="")
    parser.add_argument("--environment", default=ENVIRONMENT)
    given = parser.parse_args(arguments)
    if given.run:
        return deploy.run("include.infrastructure.job_logs", given.run, given.environment)
    folder = home() / "logs"
    if not folder.is_dir():
        print(f"error: there are no logs in {folder}\n  -> `make up` starts a house", file=sys.stderr)
        return 1
    try:
        follow(folder)
    except KeyboardInterrupt:
        return 0
    return 0


def follow(folder: Path) -> None:
    """Print what is appended to the folder's files, also to files that appear meanwhile."""
    streams: dict[Path, IO[str]] = {}
    while True:
        for file in sorted(folder.glob("*.log")):
            if file not in streams:
                streams[file] = file.open(errors="replace")
                streams[file].seek(max(0, file.stat().st_size - TAIL_BYTES))
            for line in streams[file]:
                print(f"{file.stem:>14} | {line.rstrip()}", flush=True)
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
