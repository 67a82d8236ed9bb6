"""`make up`: starts a house that stays, shows how it gets on, and says what to do in it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from local import environment, keeper, processes, proctable
from local.errors import HouseError
from local.house import House, home, running
from local.secretfile import USER
from sagemaker_batch import names

TOLD = """
  Airflow        {url}
  login          {user} / {password}
  alerts         http://127.0.0.1:{inbox}/
  local AWS      AWS_ENDPOINT_URL={endpoint} (any key, region us-east-1)
  logs           {logs} (or `make logs`)

Ten days of input lie there up to yesterday, nothing is scored yet. Not as they should be: {bad}.

To backfill five days with clicks: open {url}/dags/{dag}, press Trigger, choose Backfill, give
{first} and {last} as the range, press Run Backfill. The days come up below Backfills; alerts on them arrive as one
digest on the page of alerts. One day by hand: Trigger, Single Run, and the day as batch_day.
Days, drift and models to look at: Browse > Batch days ({url}/plugin/sagemaker-batch); a run's report is in its tab.
{schedule}`make down` stops it; what you did stays in {state}.
"""
PATIENCE_SECONDS = 600.0


def main() -> int:
    """Start the keeper unless it runs already; return the exit code."""
    try:
        state = home().resolve()
        try:
            print(_told(running(state), _bad(state)))
        except (HouseError, FileNotFoundError):
            _start(state)
            print(_told(running(state), _bad(state)))
    except HouseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEnded before the house was up; nothing is left running.", file=sys.stderr)
        return 130
    return 0


def _start(state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    log = state / "logs" / "keeper.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "local.keeper"],
            cwd=environment.REPO,
            env={**os.environ, "PYTHONPATH": environment.python_path(), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    entry = proctable.entry(child.pid)
    (state / "keeper.json").write_text(json.dumps({"pid": child.pid, "started": entry.started if entry else ""}))
    try:
        _follow(child, log, state / keeper.READY)
    except BaseException:
        # Also on Ctrl-C: a house that is half up helps nobody.
        child.terminate()
        child.wait()
        processes.end_leftovers(state)
        raise


def _follow(child: "subprocess.Popen[bytes]", log: Path, ready: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    with log.open() as lines:
        while True:
            for line in lines:
                print(line, end="", flush=True)
            if ready.exists():
                return
            if child.poll() is not None:
                print("".join(lines), end="")
                raise HouseError("The house did not come up.", f"What it said stands above, and in {log}.")
            if time.monotonic() > until:
                raise HouseError(f"The house was not up within {PATIENCE_SECONDS:.0f} s.", f"Read {log}.")
            time.sleep(0.1)


def _bad(state: Path) -> dict[str, str]:
    return dict(json.loads((state / keeper.READY).read_text()))


def _told(house: House, bad: dict[str, str]) -> str:
    days = sorted(json.loads((house.state / "data" / "kinds.json").read_text()))
    scheduled = os.environ.get("SCHEDULE", "off") == "on"
    return TOLD.format(
        url=house.airflow.url,
        user=USER,
        password=house.secrets["password"],
        inbox=house.ports.inbox,
        endpoint=house.aws.url,
        logs=house.logs,
        bad=", ".join(f"{day} ({kind})" for day, kind in bad.items()),
        dag=names.batch_dag(keeper.USE_CASE),
        first=days[-5],
        last=days[-1],
        schedule="" if scheduled else "Nothing starts by the clock here; `SCHEDULE=on make up` lets it.\n",
        state=house.state,
    )


if __name__ == "__main__":
    sys.exit(main())
