"""A run by the clock, in a real Airflow beside whose scheduler a second one stands that may make runs by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.rest import FINAL_STATES, run_day
from tests.integration.conftest import Laptop

pytestmark = pytest.mark.timeout(900)


@contextmanager
def clock(house: Laptop, dag: str) -> Iterator[None]:
    """Let one DAG run by its schedule; all others are paused meanwhile."""
    awake = [item["dag_id"] for item in house.api.pages("/dags", "dags", {"paused": False}) if item["dag_id"] != dag]
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


def test_a_run_by_the_clock_scores_the_day_that_has_ended(house: Laptop) -> None:
    """Without being asked Airflow runs yesterday, once and no day before it, and publishes it."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    house.put(yesterday, "clean")
    with clock(house, house.batch_dag):

        def scheduled() -> list[dict]:
            return [run for run in house.api.runs(house.batch_dag) if run["run_type"] == "scheduled"]

        house.wait(lambda: any(run["state"] in FINAL_STATES for run in scheduled()), "a scheduled run to end")
        (run,) = scheduled()
    assert run_day(run) == yesterday
    assert run["state"] == "success"
    outcome = house.outcome(yesterday, run)
    assert (outcome.verdict, outcome.published) == ("clean", True)
    assert outcome.rows_counted == house.rows[yesterday]
    assert outcome.alerts == ()
