"""What starts by itself, in a real Airflow beside whose scheduler a second one stands that may make runs by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from local.rest import FINAL_STATES, run_day
from tests.integration import approvals
from tests.integration.conftest import Laptop

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Started:
    """What is under way: a day that the clock runs, and versions whose approval the watcher is about to hear of."""

    yesterday: date
    arns: list[str]
    queue: str


@contextmanager
def clock(house: Laptop, *dags: str) -> Iterator[None]:
    """Let some DAGs run by their schedule; all others are paused meanwhile."""
    awake = [item["dag_id"] for item in house.api.pages("/dags", "dags", {"paused": False})]
    awake = [dag for dag in awake if dag not in dags]
    for other in awake:
        house.api.request("PATCH", f"/dags/{other}", json={"is_paused": True})
    supervisor = house.house.supervisor
    spec = next(spec for spec in house.house.airflow.specs(house.house.logs) if spec.name == "scheduler")
    variables = {**spec.environment, "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True"}
    child = supervisor.launch(replace(spec, name="clock", environment=variables, log=house.house.logs / "clock.log"))
    try:
        yield
    finally:
        supervisor.children.remove(child)
        child.process.terminate()
        child.process.wait(timeout=60)
        for other in awake:
            house.api.unpause(other)


@pytest.fixture(scope="module")
def started(house: Laptop) -> Iterator[Started]:
    """Both begin at once: each waits for processes more than for anything else."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    house.put(yesterday, "clean")
    with approvals.heard(house) as queue, clock(house, house.batch_dag, approvals.WATCHER):
        yield Started(yesterday, [approvals.approve(house, use_case) for use_case in approvals.APPROVED], queue)


def test_an_approval_by_boto3_is_told_once_and_its_message_deleted_only_then(house: Laptop, started: Started) -> None:
    """Two groups of one queue, each its own use case's asset; both tasks are killed, and nothing is lost or doubled."""
    approvals.kill(house, approvals.TELL)
    assert approvals.told(house) == []
    assert sum(approvals.counted(house, started.queue)) == len(started.arns)
    approvals.kill(house, approvals.DELETE)
    told = approvals.told(house)
    assert [asset for asset, _ in told] == sorted(f"{use_case}/model_approved" for use_case in approvals.APPROVED)
    assert {extra["model_package_arn"] for _, extra in told} == set(started.arns)
    assert {extra["approved_by"] for _, extra in told} == {"somebody outside Airflow"}
    assert sum(approvals.counted(house, started.queue)) == len(started.arns)
    house.wait(lambda: approvals.counted(house, started.queue) == [0, 0], "the messages to be deleted")
    assert approvals.told(house) == told
    runs = house.api.runs(approvals.WATCHER)
    assert {run["run_type"] for run in runs} == {"asset_triggered"}
    tries = {task["try_number"] for run in runs for task in house.api.tasks(approvals.WATCHER, run["dag_run_id"])}
    assert max(tries) == 2


def test_a_run_by_the_clock_scores_the_day_that_has_ended(house: Laptop, started: Started) -> None:
    """Without being asked Airflow runs yesterday, once and no day before it, and publishes it."""

    def scheduled() -> list[dict]:
        return [run for run in house.api.runs(house.batch_dag) if run["run_type"] == "scheduled"]

    def of_yesterday() -> list[dict]:
        return [run for run in scheduled() if run_day(run) == started.yesterday]

    house.wait(lambda: any(run["state"] in FINAL_STATES for run in of_yesterday()), "yesterday's run to end")
    (run,) = of_yesterday()
    # No day before it, and none that is not over: when midnight came meanwhile, there are two.
    assert min(map(run_day, scheduled())) == started.yesterday
    assert max(map(run_day, scheduled())) < datetime.now(UTC).date()
    assert run["state"] == "success"
    outcome = house.outcome(started.yesterday, run)
    assert (outcome.verdict, outcome.published) == ("clean", True)
    assert outcome.rows_counted == house.rows[started.yesterday]
    assert outcome.alerts == ()
