"""How long after its pipeline execution has ended a day's alert arrives: measured in a house of its own.

    python -m local.alert_seconds --days 20

Trains and approves a version, scores so many days that drift one after another, as they come, and as many at once, and
compares the end of each execution with the moment at which its alert was accepted by SNS. Writes `seconds` of
docs/on-call.json; `make on-call` makes the page.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from local import data, signals, training
from local.alertbox import Inbox
from local.cloud import Cloud
from local.console import Console
from local.house import House, Ports
from local.on_call import RECORD, SEED, recorded
from local.rest import AirflowApi
from local.secretfile import USER
from sagemaker_batch import names

USE_CASE = "churn"
DEADLINE_SECONDS = 1_200.0


def measure(house: House, console: Console, days: Sequence[date]) -> dict[str, list[float]]:
    """Return the seconds of each day's alert by how many days ran at once: half of them alone, half all at once."""
    api = AirflowApi(house.airflow.url, USER, house.secrets["password"], house.check)
    cloud = Cloud(house.aws.url, USE_CASE)
    inbox, dag = Inbox(cloud.client("sqs")), names.batch_dag(USE_CASE)
    api.wait_for_dags([names.train_dag(USE_CASE), dag])
    file = house.state / "training.csv"
    data.write_training(file, SEED)
    cloud.put_training(file)
    with console.phase("A version"):
        version, _ = training.candidate(cloud, training.train(api, cloud, console.say))
        training.approve(cloud, version, "Approved to measure alerts.")
    api.unpause(dag)
    alone, together = days[: len(days) // 2], days[len(days) // 2 :]
    with console.phase(f"{len(alone)} days that drift, one after another"):
        for day in alone:
            _score(api, cloud, house, [day])
    with console.phase(f"{len(together)} days that drift, all at once"):
        _score(api, cloud, house, together)
    alerts = inbox.collect()
    found: dict[str, list[float]] = {}
    for day in days:
        ended = cloud.execution(cloud.verdicts(day)[-1]["execution"]["arn"])["LastModifiedTime"]
        (sent,) = [alert.sent for alert in alerts if alert.concerns(day)]
        seconds = (datetime.fromisoformat(sent) - ended).total_seconds()
        found.setdefault("1" if day in alone else str(len(together)), []).append(seconds)
        console.say(f"{day}: {seconds:.1f} s")
    return found


def _score(api: AirflowApi, cloud: Cloud, house: House, days: Sequence[date]) -> None:
    """Run the days at once, and wait for all of them."""
    dag, runs = names.batch_dag(USE_CASE), []
    for day in days:
        path = house.state / f"{day}.csv"
        data.write_day(path, "drifted", day, SEED)
        cloud.put_day(day, path)
        runs.append(api.trigger(dag, {"batch_day": day.isoformat()}))
    for run in runs:
        api.finish(dag, run, DEADLINE_SECONDS)


def percentile(seconds: Sequence[float]) -> float:
    """Return the 95th percentile: the smallest that 95 % do not exceed."""
    return sorted(seconds)[-(-len(seconds) * 95 // 100) - 1]


def summary(found: dict[str, list[float]], poll_seconds: float, machine: str, when: date) -> dict[str, Any]:
    """Return what the page says of them."""
    return {
        "at_once": {
            number: {
                "count": len(seconds),
                "median": round(statistics.median(seconds), 1),
                "p95": round(percentile(seconds), 1),
                "longest": round(max(seconds), 1),
            }
            for number, seconds in found.items()
        },
        "poll_seconds": poll_seconds,
        "machine": machine,
        "date": when.isoformat(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and record; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.alert_seconds", description=__doc__)
    parser.add_argument("--days", type=int, default=20, help="days for each of the two: one after another, all at once")
    given = parser.parse_args(arguments)
    console, today = Console(), datetime.now(UTC).date()
    days = [today - timedelta(days=number + 1) for number in range(2 * given.days)]
    with tempfile.TemporaryDirectory(prefix="alert-seconds-") as folder:
        house = House(Path(folder), Ports.free(), say=console.say)
        with signals.watched(house.supervisor):
            try:
                house.take()
                with console.phase("Starting a house"):
                    house.start()
                seconds = measure(house, console, days)
                poll = float(house.airflow.variables["AIRFLOW__SAGEMAKER_BATCH__POLL_SECONDS"])
            finally:
                house.stop()
    load = os.getloadavg()[1]
    machine = f"{os.cpu_count()} cores (load of the last five minutes {load:.0f})"
    content = {**recorded(), "seconds": summary(seconds, poll, machine, today)}
    RECORD.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(json.dumps(content["seconds"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
