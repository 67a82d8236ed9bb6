"""`make logs`: follows every log of the house, each line under its file's name, until Ctrl-C."""

import sys
import time
from pathlib import Path
from typing import IO

from local.house import home

TAIL_BYTES = 2_000


def main() -> int:
    """Follow; return the exit code."""
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
