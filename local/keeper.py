"""Keeps the house of `make up`: starts it, furnishes it once, revives what dies, ends everything on SIGTERM."""

import json
import os
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local import data, inboxpage, signals, training
from local.alertbox import INBOX_FILE, KeptInbox
from local.cloud import Cloud
from local.console import Console
from local.errors import HouseError
from local.house import House, Ports, home
from local.ports import require_free
from local.rest import AirflowApi
from local.secretfile import USER
from sagemaker_batch import names

USE_CASE = "churn"
READY = "ready.json"
DAYS = 10
# The day's place among the ten, oldest first, and what is wrong with it.
BAD_DAYS = {2: "drifted", 5: "nulls", 7: "missing-column"}
REVIVALS = 10


def main() -> int:
    """Keep the house until a signal; return the exit code."""
    console = Console()
    try:
        schedule = os.environ.get("SCHEDULE", "off") == "on"
        house = House(home(), Ports.from_environment(), schedule=schedule, say=console.say)
        with signals.watched(house.supervisor):
            try:
                _keep(house, console)
            finally:
                house.stop()
    except HouseError as error:
        print(f"\nerror: {error}", flush=True)
        return 1
    except signals.Interrupted:
        return 0
    return 0


def _keep(house: House, console: Console) -> None:
    house.take()
    require_free(house.ports.inbox, "the page of the alerts", "INBOX_PORT")
    (house.state / READY).unlink(missing_ok=True)
    with console.phase("Starting PostgreSQL, the local AWS and Airflow, and deploying"):
        house.start()
    api = AirflowApi(house.airflow.url, USER, house.secrets["password"], house.check)
    cloud = Cloud(house.aws.url, USE_CASE)
    inbox = KeptInbox(cloud.client("sqs"), house.state / INBOX_FILE)
    page = inboxpage.serve(inbox, house.ports.inbox)
    with console.phase("Furnishing it"):
        bad = _furnish(house, api, cloud, console)
    (house.state / READY).write_text(json.dumps({str(day): kind for day, kind in bad.items()}))
    try:
        _look_after(house, inbox, console)
    finally:
        page.shutdown()
        (house.state / READY).unlink(missing_ok=True)


def _furnish(house: House, api: AirflowApi, cloud: Cloud, console: Console) -> dict[date, str]:
    """Put ten days up to yesterday and an approved model there, each only where it is missing; return the bad days."""
    seed, folder = 7, house.state / "data"
    bad = _put_days(cloud, folder, seed)
    api.wait_for_dags([names.train_dag(USE_CASE), names.batch_dag(USE_CASE)])
    if not any(package["ModelApprovalStatus"] == "Approved" for package in cloud.packages()):
        file = folder / "training.csv"
        console.say(f"training on {data.write_training(file, seed)} customers, {cloud.put_training(file)}")
        execution = training.train(api, cloud, console.say)
        version, measured = training.candidate(cloud, execution)
        training.approve(cloud, version, "Approved when the house was furnished.")
        console.say(f"version {version.version} approved: accuracy {measured.accuracy:.4f}, AUC {measured.auc:.4f}")
    for dag in (names.train_dag(USE_CASE), names.batch_dag(USE_CASE)):
        api.unpause(dag)
    return bad


def _put_days(cloud: Cloud, folder: Path, seed: int) -> dict[date, str]:
    """Make the days that are missing. The kinds are remembered: a day stays what it was when it was made."""
    memory = folder / "kinds.json"
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, str] = json.loads(memory.read_text()) if memory.exists() else {}
    today = datetime.now(UTC).date()
    first_time = not kinds
    for place in range(DAYS):
        day = today - timedelta(days=DAYS - place)
        if str(day) in kinds:
            continue
        kind = BAD_DAYS.get(place, "clean") if first_time else "clean"
        file = folder / f"{day}.csv"
        data.write_day(file, kind, day, seed)
        cloud.put_day(day, file)
        kinds[str(day)] = kind
    memory.write_text(json.dumps(kinds, indent=1))
    return {date.fromisoformat(day): kind for day, kind in sorted(kinds.items()) if kind != "clean"}


def _look_after(house: House, inbox: KeptInbox, console: Console) -> None:
    revivals, trouble = 0, ""
    while True:
        time.sleep(1.0)
        for name in house.supervisor.revive():
            revivals += 1
            console.say(f"{datetime.now(UTC):%H:%M:%S} {name} had ended by itself and was started again")
        if revivals > REVIVALS:
            raise HouseError(f"Parts of the house ended {revivals} times.", f"Read the logs in {house.logs}.")
        if house.aws.is_ready():
            before, trouble = trouble, ""
            try:
                inbox.collect()
            except (ClientError, BotoCoreError) as error:
                # The rest of AWS came up anew a moment ago, and has no queue until it is deployed to again.
                trouble = f"the inbox of the alerts does not answer ({error}); it is asked again each second"
            if trouble != before:
                told = trouble or "the inbox of the alerts answers again"
                console.say(f"{datetime.now(UTC):%H:%M:%S} {told}")


if __name__ == "__main__":
    sys.exit(main())
