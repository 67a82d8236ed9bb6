"""`make faults`: play every fault, write docs/reliability.md, and exit 1 when one did not end as it must.

AIRFLOW=newest plays them on the newest Airflow and amazon provider instead, and writes docs/reliability-newest.md.
ONLY= plays the faults whose ids begin with these words, SAMPLE= a few of the short ones by SEED=; neither writes a
page, which always shows all of them.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from local import signals
from local.console import Console
from local.errors import HouseError
from tests.faults import house, table
from tests.faults.play import chosen, play
from tests.faults.table import Circumstances

# The environment that Airflow runs in, and the page that tells of it.
AIRFLOWS = {"mwaa": (".venv", "reliability.md"), "newest": (".venv-newest", "reliability-newest.md")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", default="", help="ids of faults, or how they begin")
    parser.add_argument("--sample", type=int, default=0, help="how many of the short ones")
    parser.add_argument("--seed", type=int, default=7, help="which ones")
    parser.add_argument("--airflow", choices=list(AIRFLOWS), default="mwaa", help="MWAA's versions, or the newest")
    given = parser.parse_args(arguments)
    venv, page = AIRFLOWS[given.airflow]
    console = Console()
    try:
        faults = chosen(given.only.replace(",", " ").split(), given.sample, given.seed)
        with house.opened(console.say, venv) as laptop:
            begun = time.monotonic()
            console.say(f"playing {len(faults)} faults")
            rows = play(laptop, faults, console.say)
            seconds = time.monotonic() - begun
            airflow = laptop.api.request("GET", "/version")["version"]
            providers = {p["package_name"]: p["version"] for p in laptop.api.pages("/providers", "providers")}
    except HouseError as error:
        console.say(f"make faults failed: {error}")
        return 1
    except signals.Interrupted as interrupt:
        console.say(f"make faults was ended by {interrupt}; everything that it started has ended.")
        return 128 + interrupt.number
    failed = [row for row in rows if row.problem]
    if not (given.only or given.sample):
        patience = house.PATIENCE["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]
        amazon = providers["apache-airflow-providers-amazon"]
        path = table.write(rows, Circumstances(seconds, airflow, amazon, patience), page)
        console.say(f"{path} is written")
    console.say(f"{len(rows) - len(failed)} of {len(rows)} faults ended as they must, {seconds:.0f} s")
    for row in failed:
        console.say(f"- {row.fault.id}: {row.problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
