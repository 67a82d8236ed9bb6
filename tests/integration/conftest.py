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
    house.put_labels(day, "drifted")             upload the labels of that day, as they arrive later
    house.put_text(day, "State,Account ...")     upload any content (also bytes, also under other names)
    run_id = house.trigger(day, **conf)          manual run with batch_day=day; conf adds params
    run_id = house.trigger_dag(dag, conf)        manual run of any DAG
    run = house.finish(run_id)                   wait for its end (deadline), return Airflow's document
    runs = house.backfill([day, ...])            one backfill over consecutive days; {day: run} when all have ended
    house.states(run)                            {task_id: state} of a run
    house.log(run, task_id)                      the text of a task's last try
    house.outcome(day, run)                      local.outcome.DayOutcome as `make demo` reads it
    house.alerts(day)                            the alerts that name the day
    house.wait(condition, what)                  wait for a condition with a deadline; never sleep for a fixed time

Beside churn stand the use cases of neighbours.py, each with one thing wrong; `put_text` and `trigger` take `use_case`.

BATCH_TEST_HOUSE=<folder> makes the session use, and leave behind, the house in that folder, which
`PYTHONPATH=.:plugins .venv-aws/bin/python -m tests.integration.conftest <folder>` keeps running: for writing tests
without a minute of start-up each time.

Days of one backfill must be consecutive: `house.new_days(4)`. Every helper fails with the reason that Airflow or AWS
gives. When a part of the house dies, the next wait fails with its last log lines.

`played` (session fixture) is `Played`: churn's days of every kind, backfilled and run by hand, for whoever looks.
A test may run one of them again, and may not count on the first run being the newest.

`fresh_house` (function fixture) is a factory for a house of a test's own, for tests that break it:
`fresh_house(runtimes=...)`.
"""

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from local import batches, data, environment, review, training
from local.airflow import ENVIRONMENT
from local.alertbox import Alert, Inbox
from local.cloud import Cloud
from local.house import RUNTIMES, House, Ports, running
from local.outcome import DayOutcome
from local.rest import AirflowApi
from local.secretfile import USER
from sagemaker_batch import names, registry
from tests.integration import axe as axes
from tests.integration import neighbours
from tests.integration.asked import Asked
from tests.integration.played import KINDS, Day, Played

USE_CASE = "churn"
USE_CASES = "test-use-cases"
SEED = 7
FIRST_DAY = date(2026, 1, 5)
DEADLINE = 180.0
# What every role asked of AWS in any house of the run; test_roles.py holds it against the policies.
ASKED = Asked()
LAST = "test_roles.py"


def pytest_configure() -> None:
    """A polite kill tears the houses down as Ctrl-C does; without this, SIGTERM would leave them running."""
    # A shell starts what it runs in the background with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks back on all other tests runs after them."""
    items.sort(key=lambda item: item.path.name == LAST)


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
    def noted(self) -> Path:
        """Where a kept house remembers how many days were used."""
        return self.folder / "days-used"

    @property
    def batch_dag(self) -> str:
        return names.batch_dag(USE_CASE)

    @property
    def train_dag(self) -> str:
        return names.train_dag(USE_CASE)

    def close(self) -> None:
        """Let go of the connections."""
        self.api.client.close()

    def new_days(self, count: int) -> list[date]:
        """Consecutive days that no other test uses, with a gap after them."""
        first = FIRST_DAY + timedelta(days=self.used)
        self.used += count + 1
        self.noted.write_text(str(self.used))
        return [first + timedelta(days=number) for number in range(count)]

    def new_day(self) -> date:
        return self.new_days(1)[0]

    def put(self, day: date, kind: str, seed: int = SEED) -> int:
        file = self.folder / "days" / f"{day}.csv"
        self.rows[day] = data.write_day(file, kind, day, seed)
        self.cloud.put_day(day, file)
        return self.rows[day]

    def put_labels(self, day: date, kind: str, seed: int = SEED) -> int:
        file = self.folder / "labels" / f"{day}.csv"
        rows = data.write_labels(file, kind, day, seed)
        self.cloud.put_labels(day, file)
        return rows

    def put_text(self, day: date, content: str | bytes, name: str = "batch.csv", use_case: str = USE_CASE) -> str:
        key = names.input_prefix(use_case, day) + name
        body = content.encode() if isinstance(content, str) else content
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=body)
        return names.s3_uri(self.cloud.bucket, key)

    def trigger(self, day: date, use_case: str = USE_CASE, **conf: object) -> str:
        return self.trigger_dag(names.batch_dag(use_case), {"batch_day": day.isoformat(), **conf})

    def trigger_dag(self, dag: str, conf: dict[str, object] | None = None) -> str:
        self.api.unpause(dag)
        return self.api.trigger(dag, conf)

    def question(self, dag: str, run_id: str) -> str:
        """Wait until a monthly run asks its reviewer; return the REST path of the question."""
        return review.question(self.api, dag, run_id, 300)

    def answer(self, question: str, option: str, comment: str) -> None:
        """Answer a question as the UI does."""
        review.answer(self.api, question, option, comment)

    def finish(self, run_id: str, dag: str | None = None, seconds: float = DEADLINE) -> dict:
        return self.api.finish(dag or self.batch_dag, run_id, seconds)

    def backfill(self, days: list[date]) -> dict:
        return batches.backfill(self.api, self.cloud, days, lambda _line: None)

    def states(self, run: dict) -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.api.tasks(run["dag_id"], run["dag_run_id"])}

    def log(self, run: dict, task_id: str) -> str:
        tasks = self.api.tasks(run["dag_id"], run["dag_run_id"])
        task = next(task for task in tasks if task["task_id"] == task_id)
        return "\n".join(self.api.log(run["dag_id"], run["dag_run_id"], task))

    def buttons(self, dag: str, run_id: str, task_id: str) -> dict[str, str]:
        """Return the addresses of a task's buttons, as Airflow gives them to its UI."""
        path = f"/dags/{dag}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        return {name: link for name, link in self.api.request("GET", path)["extra_links"].items() if link}

    def alerts(self, day: date) -> list[Alert]:
        return [alert for alert in self.inbox.collect() if alert.concerns(day)]

    def outcome(self, day: date, run: dict) -> DayOutcome:
        manual = run["run_type"] == "manual"
        return batches.outcome(self.cloud, day, run, self.rows.get(day, 0), self.inbox.collect(), manual=manual)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
        self.api.wait(condition, seconds, lambda: what)


def open_house(house: House, *, started: bool = False) -> Laptop:
    """Bring a taken house up to the point where its DAGs are known and unpaused."""
    if not started:
        house.start()
    api = AirflowApi(house.airflow.url, USER, house.secrets["password"], house.check)
    cloud = Cloud(house.aws.url, USE_CASE)
    (house.state / "test-data").mkdir(exist_ok=True)
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


def registry_queue(ports: Ports) -> str:
    """Return the URL of the queue of approvals; approvals.py makes it."""
    return f"http://127.0.0.1:{ports.aws}/{environment.ACCOUNT}/{names.registry_queue(ENVIRONMENT)}"


def settings(folder: Path, ports: Ports) -> dict[str, str]:
    """Return Airflow's settings of the tests' house."""
    return {
        "AIRFLOW__SAGEMAKER_BATCH__USE_CASES_FOLDER": str(folder / USE_CASES),
        "AIRFLOW__SAGEMAKER_BATCH__REGISTRY_QUEUE": registry_queue(ports),
    }


def with_neighbours(folder: Path) -> House:
    """Return a house, not yet taken, whose Airflow knows churn and its neighbours."""
    neighbours.write_use_cases(folder / USE_CASES)
    ports = Ports.free()
    return House(folder, ports, overrides=settings(folder, ports))


def settle(house: House) -> Laptop:
    """Fill a taken house: churn's model trained and approved, the neighbours in their places."""
    laptop = open_house(house)
    train_and_approve(laptop)
    neighbours.settle(laptop.cloud, laptop.approved)
    neighbours.settle_reviewed(laptop.cloud)
    return laptop


def kept_house(folder: Path) -> Laptop:
    """Return the house that `python -m tests.integration.conftest` keeps, with days that nobody has used."""
    house = running(folder)
    house.overrides = settings(folder, house.ports)
    laptop = open_house(house, started=True)
    laptop.approved = registry.latest_approved(laptop.cloud.sagemaker, laptop.cloud.group)
    laptop.used = int(laptop.noted.read_text()) if laptop.noted.exists() else 0
    return laptop


@pytest.fixture(scope="session")
def house() -> Iterator[Laptop]:
    if folder := os.environ.get("BATCH_TEST_HOUSE"):
        laptop = kept_house(Path(folder))
        yield laptop
        laptop.close()
        return
    with tempfile.TemporaryDirectory(prefix="batch-house-") as folder, with_neighbours(Path(folder)) as house:
        laptop = settle(house)
        yield laptop
        laptop.close()


@pytest.fixture(scope="session")
def played(house: Laptop) -> Played:
    """Run everything at once, as days of a busy morning."""
    days = dict(zip(KINDS, house.new_days(len(KINDS)), strict=True))
    for kind, day in days.items():
        if kind:
            house.put(day, kind)
    own = {kind: house.new_day() for kind in ("clean", "drifted")}
    started = {}
    for kind, day in own.items():
        house.put(day, kind)
        started[kind] = house.trigger(day)
    runs = house.backfill(list(days.values()))
    ended = {kind: house.finish(run_id) for kind, run_id in started.items()}
    return Played(
        {kind: Day(day, runs[day], house.states(runs[day])) for kind, day in days.items()},
        {kind: Day(day, ended[kind], house.states(ended[kind])) for kind, day in own.items()},
    )


@pytest.fixture(scope="session")
def axe() -> str:
    return axes.source()


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
            if house.aws.is_ready():
                ASKED.collect(house.aws.url)
            house.stop()
            folder.cleanup()


if __name__ == "__main__":
    pytest_configure()
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt), with_neighbours(Path(sys.argv[1])) as kept:
        settle(kept)
        sys.stdout.write("up; Ctrl-C ends it\n")
        sys.stdout.flush()
        threading.Event().wait()
