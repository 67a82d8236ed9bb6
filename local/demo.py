"""`make demo`: the whole job on one machine, from nothing to a table of verdicts.

It exits 0 only if every day ended as it must (outcome.py); otherwise 1, and it names what did not.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from local import batches, environment, loop, material, outcome, signals, training
from local.alertbox import INBOX_FILE, Inbox, read_kept
from local.cloud import Cloud, records
from local.console import Console
from local.errors import HouseError
from local.house import RUNTIMES, House, Ports, running
from local.material import Material
from local.outcome import DayOutcome
from local.rest import AirflowApi
from local.secretfile import USER
from sagemaker_batch import names

USE_CASE = "churn"
STATE = environment.REPO / ".local" / "demo"
DAYS, DRIFT = "days", "drift"
ALERT_SECONDS = 20.0
PAGE = "/plugin/sagemaker-batch"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    given = _arguments(arguments)
    console = Console()
    if given.story == DRIFT and (given.house or given.data or given.days):
        print("STORY=drift makes its own house and data; leave --house, DATA= and DAYS= away.", file=sys.stderr)
        return 1
    try:
        found = _in_running(given, console) if given.house else _in_fresh(given, console)
    except HouseError as error:
        print(f"\nmake demo failed: {error}", file=sys.stderr)
        return 1
    except signals.Interrupted as interrupt:
        print(f"\nmake demo was ended by {interrupt}; everything that it started has ended.", file=sys.stderr)
        return 128 + interrupt.number
    print(f"\nWall time\n{console.times()}")
    if found:
        print("\nmake demo failed:")
        for failure in found:
            print(f"  - {failure}")
        return 1
    print("\nEvery step of the loop ended as it must." if given.story == DRIFT else "\nEvery day ended as it must.")
    if not given.house:
        print("Nothing is left running; `make up` keeps a house open to look around in.")
    return 0


def _in_fresh(given: argparse.Namespace, console: Console) -> list[str]:
    drift = given.story == DRIFT
    house = House(
        given.state_dir,
        Ports.from_environment(),
        given.runtimes,
        schedule=drift,
        overrides=loop.settings(given.state_dir) if drift else {},
        say=console.say,
    )
    with signals.watched(house.supervisor):
        try:
            house.empty()
            house.take()
            with console.phase("Starting PostgreSQL, the local AWS and Airflow, and deploying"):
                if drift:
                    loop.write_use_cases(house.state / loop.FOLDER)
                house.start()
            return loop.play(house, console, given.seed).wrong if drift else _story(house, console, given)
        finally:
            with console.phase("Ending everything that was started"):
                house.stop()


def _in_running(given: argparse.Namespace, console: Console) -> list[str]:
    house = running(given.house)
    with signals.watched(house.supervisor):
        return _story(house, console, given)


def _story(house: House, console: Console, given: argparse.Namespace) -> list[str]:
    api = AirflowApi(house.airflow.url, USER, house.secrets["password"], house.check)
    cloud = Cloud(house.aws.url, USE_CASE)
    with console.phase("Putting the data where it is expected"):
        stuff = material.gather(house.state / "data", given.seed, given.data, given.days, given.last_day)
        _upload(cloud, stuff, console)
        api.wait_for_dags([names.train_dag(USE_CASE), names.batch_dag(USE_CASE)])
    with console.phase("The monthly DAG: train, evaluate, baseline, register"):
        execution = training.train(api, cloud, console.say)
        version, measured = training.candidate(cloud, execution)
        console.say(f"accuracy {measured.accuracy:.4f}, AUC {measured.auc:.4f}" + _majority(measured.majority))
        console.say(f"version {version.version} of {version.group} is {version.status}")
    with console.phase("Approving it, as a person would"):
        approved = training.approve(cloud, version, "Approved in the demo: the figures are above.")
        console.say(f"version {approved.version} is {approved.status}")
    with console.phase(f"One backfill over {len(stuff.backfilled)} day(s)"):
        runs = batches.backfill(api, cloud, stuff.backfilled, console.say)
    if stuff.by_hand:
        with console.phase("One more day, by hand"):
            runs[stuff.by_hand] = batches.by_hand(api, cloud, stuff.by_hand, console.say)
    with console.phase("What became of each day"):
        outcomes = _outcomes(cloud, stuff, runs, house.state / INBOX_FILE)
        console.say(outcome.table(outcomes))
        _explain(console, cloud, outcomes)
        _keep_reports(console, house, cloud, sorted(stuff.days))
    return outcome.failures(outcomes, stuff.kinds)


def _upload(cloud: Cloud, stuff: Material, console: Console) -> None:
    console.say(f"{records(stuff.training)} customers -> {cloud.put_training(stuff.training)}")
    for day, file in sorted(stuff.days.items()):
        console.say(f"{stuff.rows(day)} customers of {day} -> {cloud.put_day(day, file)}")


def _outcomes(cloud: Cloud, stuff: Material, runs: dict[date, dict[str, Any]], kept: Path) -> list[DayOutcome]:
    """Read every day's end; alerts travel beside the runs, so those that are still due are waited for a moment."""
    inbox = Inbox(cloud.client("sqs"))
    # A house that stays up has a keeper, which takes what arrives from the queue for its page.
    collect = partial(read_kept, kept) if kept.exists() else inbox.collect
    until = time.monotonic() + ALERT_SECONDS
    while True:
        alerts = collect()
        found = [
            batches.outcome(cloud, day, runs[day], stuff.rows(day), alerts, manual=day == stuff.by_hand)
            for day in sorted(stuff.days)
        ]
        due = [item for item in found if item.verdict != "clean" and not item.alerts]
        if not due or time.monotonic() > until:
            return found
        time.sleep(0.5)


def _explain(console: Console, cloud: Cloud, outcomes: Sequence[DayOutcome]) -> None:
    console.say()
    for item in outcomes:
        if item.verdict != "clean":
            console.say(f"{item.day}: {'; '.join(item.reasons) or f'no verdict; its run is {item.run_state}'}")
    subjects = dict.fromkeys(alert.subject for item in outcomes for alert in item.alerts)
    for subject in subjects:
        console.say(f"inbox: {subject}")
    seconds = [cloud.seconds(arn) for arn in cloud.executions(names.batch_pipeline(USE_CASE, "local"))]
    if seconds:
        console.say(f"SageMaker time of one day: {min(seconds):.1f} to {max(seconds):.1f} s, several days at once")


def _keep_reports(console: Console, house: House, cloud: Cloud, days: Sequence[date]) -> None:
    """Copy the reports out of the house's S3, so that they can be read when the house has ended."""
    folder, kept = house.state / "reports", []
    folder.mkdir(exist_ok=True)
    wanted = {f"{names.reports_prefix(USE_CASE)}{day}/": f"{day}.html" for day in days}
    wanted[names.training_report_key(USE_CASE, "").removesuffix(".html")] = "training.html"
    for prefix, name in wanted.items():
        found = [key for key in cloud.keys(prefix) if key.endswith(".html")]
        if found:
            cloud.s3.download_file(cloud.bucket, found[-1], str(folder / name))
            kept.append(name)
    console.say()
    console.say(f"reports: {folder}/ ({', '.join(kept)}); open them in a browser")
    console.say(f"the same inside Airflow, in a house that stays (`make up`): Browse > Batch days, {PAGE}")


def _majority(share: float | None) -> str:
    return f" (always guessing the larger class: {share:.4f})" if share is not None else ""


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--story",
        choices=(DAYS, DRIFT),
        default=os.environ.get("STORY") or DAYS,
        help="STORY: days (a backfill and a day by hand), or drift (three days of it, a new model, the next day)",
    )
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 7), help="SEED: other customers")
    parser.add_argument("--data", default=os.environ.get("DATA"), help="DATA: your own training file (CSV with label)")
    parser.add_argument("--days", default=os.environ.get("DAYS"), help="DAYS: a folder with one CSV per day, by date")
    parser.add_argument("--state-dir", type=Path, default=STATE, help="folder of the demo's own house; emptied first")
    parser.add_argument("--last-day", type=date.fromisoformat, help="last of the generated days; default: yesterday")
    parser.add_argument("--house", type=Path, help="use the running house in this folder, and leave it running")
    parser.add_argument("--runtimes", type=Path, default=RUNTIMES, help="which command stands for which image")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
