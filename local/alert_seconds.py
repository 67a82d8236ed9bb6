"""How long after its pipeline execution has ended a day's alert arrives: measured in a house of its own.

    python -m local.alert_seconds --days 20

Trains and approves a version, scores days that drift, several at a time, and compares the end of each execution with
the moment at which its alert was accepted by SNS. Writes `seconds` of docs/on-call.json; `make on-call` makes the page.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
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
from local.rest import FINAL_STATES, POLL_SECONDS, AirflowApi
from local.secretfile import USER
from sagemaker_batch import names

USE_CASE = "churn"
DEADLINE_SECONDS = 1_200.0


def measure(house: House, console: Console, days: Sequence[date]) -> list[float]:
    """Return the seconds of each day's alert, shortest first."""
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
    with console.phase(f"{len(days)} days that drift"):
        runs = []
        for day in days:
            path = house.state / f"{day}.csv"
            data.write_day(path, "drifted", day, SEED)
            cloud.put_day(day, path)
            runs.append(api.trigger(dag, {"batch_day": day.isoformat()}))
        until = time.monotonic() + DEADLINE_SECONDS
        while not all(api.run(dag, run)["state"] in FINAL_STATES for run in runs):
            api.check()
            if time.monotonic() > until:
                raise TimeoutError(f"{dag} did not end its {len(days)} days within {DEADLINE_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
    alerts = inbox.collect()
    found = []
    for day in days:
        ended = cloud.execution(cloud.verdicts(day)[-1]["execution"]["arn"])["LastModifiedTime"]
        (sent,) = [alert.sent for alert in alerts if alert.concerns(day)]
        found.append((datetime.fromisoformat(sent) - ended).total_seconds())
        console.say(f"{day}: {found[-1]:.1f} s")
    return sorted(found)


def summary(seconds: Sequence[float], poll_seconds: float, machine: str, when: date) -> dict[str, Any]:
    """Return what the page says of them; the 95th percentile is the smallest that 95 % do not exceed."""
    place = -(-len(seconds) * 95 // 100) - 1
    return {
        "count": len(seconds),
        "median": round(statistics.median(seconds), 1),
        "p95": round(sorted(seconds)[place], 1),
        "longest": round(max(seconds), 1),
        "poll_seconds": poll_seconds,
        "machine": machine,
        "date": when.isoformat(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and record; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.alert_seconds", description=__doc__)
    parser.add_argument("--days", type=int, default=20)
    given = parser.parse_args(arguments)
    console, today = Console(), datetime.now(UTC).date()
    days = [today - timedelta(days=number + 1) for number in range(given.days)]
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
