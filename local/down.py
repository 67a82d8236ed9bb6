"""`make down`: ends what `make up` started; the state stays."""

import json
import signal
import sys
import time
from pathlib import Path

from local import processes, proctable
from local.errors import HouseError
from local.house import RECORD, home

PATIENCE_SECONDS = 90.0


def main() -> int:
    """End the keeper, then whatever it could not end; return the exit code."""
    state = home().resolve()
    try:
        ended = _end_keeper(state)
        left = processes.end_leftovers(state)
    except HouseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    (state / RECORD).unlink(missing_ok=True)
    if left:
        print(f"ended what was left behind: {', '.join(left)}")
    if ended:
        print(f"The house is down; its state stays in {state}.")
    elif not left:
        print(f"Nothing was running of the house in {state}.")
    return 0


def _end_keeper(state: Path) -> bool:
    record = state / "keeper.json"
    if not record.exists():
        return False
    known = json.loads(record.read_text())
    entry = proctable.entry(known["pid"])
    running = entry is not None and entry.started == known["started"] and entry.alive
    if running:
        proctable.send(known["pid"], signal.SIGTERM)
        until = time.monotonic() + PATIENCE_SECONDS
        while (now := proctable.entry(known["pid"])) and now.started == known["started"] and now.alive:
            if time.monotonic() > until:
                proctable.send(known["pid"], signal.SIGKILL)
            time.sleep(0.1)
    record.unlink()
    return running


if __name__ == "__main__":
    sys.exit(main())
