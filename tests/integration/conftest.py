"""One real house per session: PostgreSQL, the local AWS and Airflow 3.3.1, with a trained and approved model in it.

What a test gets
----------------
`house` (session fixture) is a `Laptop`. It starts once, on free ports of 127.0.0.1 and in a temporary folder, trains
and approves version 1 from the generator's data (seed 7), and ends with the session; nothing is left running. DAGs are
unpaused; nothing starts by the clock, so a test sees only what it asked for.

    house.api       local.rest.AirflowApi: request, trigger, run, runs, tasks, xcom, log, backfill, wait_for_dags, ...
    house.cloud     local.cloud.Cloud: s3, sagemaker, client(service), put_day, keys, verdicts, manifest, steps, ...
    house.inbox     local.alertbox.Inbox: collect() returns every alert so far, oldest first
    house.house     local.house.House: ports, state, logs, supervisor (children by name), deploy()
    house.approved  sagemaker_batch.registry.ModelVersion that was approved first
    house.folder    where the session's files lie; make your own below it

    day = house.new_day()                        a batch day that no other test uses (from 2026-01-05 on)
    house.put(day, "drifted")                    generate a day of a kind and upload it; returns the number of rows
    house.put_text(day, "State,Account ...")     upload any content (also bytes, also under other names)
    run_id = house.trigger(day, **conf)          manual run with batch_day=day; conf adds params
    run = house.finish(run_id)                   wait for its end (deadline), return Airflow's document
    runs = house.backfill([day, ...])            one backfill over consecutive days; {day: run} when all have ended
    house.states(run)                            {task_id: state} of a run
    house.log(run, task_id)                      the text of a task's last try
    house.outcome(day, run)                      local.outcome.DayOutcome as `make demo` reads it
    house.alerts(day)                            the alerts that name the day
    house.wait(condition, what)                  wait for a condition with a deadline; never sleep for a fixed time

Days of one backfill must be consecutive: `house.new_days(4)`. Every helper fails with the reason that Airflow or AWS
gives. When a part of the house dies, the next wait fails with its last log lines.

`fresh_house` (function fixture) is a factory for a house of a test's own, for tests that break it:
`fresh_house(runtimes=...)`.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from local import batches, data, training
from local.alertbox import Alert, Inbox
from local.cloud import Cloud
from local.house import RUNTIMES, House, Ports
from local.outcome import DayOutcome
from local.rest import FINAL_STATES, AirflowApi
from local.secretfile import USER
from sagemaker_batch import names

USE_CASE = "churn"
SEED = 7
FIRST_DAY = date(2026, 1, 5)
DEADLINE = 180.0


@dataclass
class Laptop:
    """A running house and what a test does with it."""

    house: House
    api: AirflowApi
    cloud: Cloud
    inbox: Inbox
    folder: Path
    approved: object = None
    rows: dict = field(default_factory=dict)
    used: int = 0

    @property
    def batch_dag(self) -> str:
        return names.batch_dag(USE_CASE)

    @property
    def train_dag(self) -> str:
        return names.train_dag(USE_CASE)

    def new_days(self, count: int) -> list[date]:
        """Consecutive days that no other test uses, with a gap after them."""
        first = FIRST_DAY + timedelta(days=self.used)
        self.used += count + 1
        return [first + timedelta(days=number) for number in range(count)]

    def new_day(self) -> date:
        return self.new_days(1)[0]

    def put(self, day: date, kind: str, seed: int = SEED) -> int:
        file = self.folder / "days" / f"{day}.csv"
        self.rows[day] = data.write_day(file, kind, day, seed)
        self.cloud.put_day(day, file)
        return self.rows[day]

    def put_text(self, day: date, content: str | bytes, name: str = "batch.csv") -> str:
        key = names.input_prefix(USE_CASE, day) + name
        body = content.encode() if isinstance(content, str) else content
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=body)
        return names.s3_uri(self.cloud.bucket, key)

    def trigger(self, day: date, **conf: object) -> str:
        return self.api.trigger(self.batch_dag, {"batch_day": day.isoformat(), **conf})

    def finish(self, run_id: str, dag: str | None = None, seconds: float = DEADLINE) -> dict:
        dag = dag or self.batch_dag
        self.wait(lambda: self.api.run(dag, run_id)["state"] in FINAL_STATES, f"run {run_id} to end", seconds)
        return self.api.run(dag, run_id)

    def backfill(self, days: list[date]) -> dict:
        return batches.backfill(self.api, self.cloud, days, lambda _line: None)

    def states(self, run: dict) -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.api.tasks(run["dag_id"], run["dag_run_id"])}

    def log(self, run: dict, task_id: str) -> str:
        tasks = self.api.tasks(run["dag_id"], run["dag_run_id"])
        task = next(task for task in tasks if task["task_id"] == task_id)
        return "\n".join(self.api.log(run["dag_id"], run["dag_run_id"], task))

    def alerts(self, day: date) -> list[Alert]:
        return [alert for alert in self.inbox.collect() if alert.concerns(day)]

    def outcome(self, day: date, run: dict) -> DayOutcome:
        manual = run["run_type"] == "manual"
        return batches.outcome(self.cloud, day, run, self.rows.get(day, 0), self.inbox.collect(), manual=manual)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
        self.api.wait(condition, seconds, lambda: what)


def open_house(house: House) -> Laptop:
    """Bring a taken house up to the point where its DAGs are known and unpaused."""
    house.start()
    api = AirflowApi(house.airflow.url, USER, house.secrets["password"], house.check)
    cloud = Cloud(house.aws.url, USE_CASE)
    laptop = Laptop(house, api, cloud, Inbox(cloud.client("sqs")), house.state / "test-data")
    api.wait_for_dags([laptop.train_dag, laptop.batch_dag])
    for dag in (laptop.train_dag, laptop.batch_dag):
        api.unpause(dag)
    return laptop


def train_and_approve(laptop: Laptop) -> None:
    """Leave version 1 approved in the registry."""
    file = laptop.folder / "training.csv"
    data.write_training(file, SEED)
    laptop.cloud.put_training(file)
    execution = training.train(laptop.api, laptop.cloud, lambda _line: None)
    version, _ = training.candidate(laptop.cloud, execution)
    laptop.approved = training.approve(laptop.cloud, version, "Approved for the tests.")


@pytest.fixture(scope="session")
def house() -> Iterator[Laptop]:
    with tempfile.TemporaryDirectory(prefix="batch-house-") as folder, House(Path(folder), Ports.free()) as house:
        laptop = open_house(house)
        train_and_approve(laptop)
        yield laptop


@pytest.fixture
def fresh_house() -> Iterator[Callable[..., Laptop]]:
    """Factory of houses of a test's own; each is ended after the test. `train=True` leaves an approved model in it."""
    opened: list[tuple[tempfile.TemporaryDirectory, House]] = []

    def build(runtimes: Path = RUNTIMES, *, train: bool = False) -> Laptop:
        folder = tempfile.TemporaryDirectory(prefix="batch-house-")
        house = House(Path(folder.name), Ports.free(), runtimes)
        opened.append((folder, house))
        house.take()
        laptop = open_house(house)
        if train:
            train_and_approve(laptop)
        return laptop

    try:
        yield build
    finally:
        for folder, house in opened:
            house.stop()
            folder.cleanup()
