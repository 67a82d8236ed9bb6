"""A run without a verdict in time is told from the triggerer, once, and a backfilled one never."""

import asyncio
import json
from datetime import date, timedelta

import pytest

from sagemaker_batch import deadline, names
from sagemaker_batch.use_case import load_use_case

ROUTES = {"routes": {"error": ["team"], "critical": ["team"]}}


def run(run_type="scheduled", state="running", **changes):
    """A run as Airflow's API describes it."""
    return {
        "dag_id": "churn_batch_monitor",
        "dag_run_id": "scheduled__2026-03-04",
        "run_type": run_type,
        "state": state,
        "data_interval_start": "2026-03-02T23:00:00Z",
        "conf": {},
        **changes,
    }


@pytest.fixture
def tell(s3, monkeypatch):
    """The callback as the triggerer calls it; what is told is kept."""
    heard = []
    monkeypatch.setattr("sagemaker_batch.alerts.deliver_by_connection", lambda conn, alert: heard.append((conn, alert)))

    def call(given):
        context = json.loads(json.dumps({"dag_run": given, "deadline": {"id": "1"}}))
        return asyncio.run(deadline.batch_late("churn", "Europe/Berlin", ROUTES, context))

    call.heard = heard
    return call


def test_a_run_without_a_verdict_is_told_once_by_its_own_day(tell):
    """23:00 UTC is the 3rd in Berlin; the deadline of a second run of the day says nothing new."""
    assert tell(run(state="queued")) == "sent"
    ((conn, alert),) = tell.heard
    assert (conn, alert.event, alert.about) == ("team", "batch_late", "2026-03-03")
    assert "churn_batch_monitor is queued" in alert.body
    assert "#batch_late" in alert.body
    assert "somebody has heard" in tell(run(dag_run_id="another"))
    assert len(tell.heard) == 1


@pytest.mark.parametrize("given", [run("backfill"), run("manual"), run("manual", conf={"batch_day": "soon"})])
def test_a_backfilled_run_and_one_of_no_day_page_nobody(tell, given):
    """A backfill has its digest, and a run without a day fails at once."""
    tell(given)
    assert tell.heard == []


def test_a_day_that_has_a_verdict_or_was_told_of_is_left_alone(tell, s3, bucket):
    """A run by hand is told by the day that it names; after a verdict, or a failure that was told, it is not."""
    key = names.verdict_key("churn", date(2026, 3, 4), "abc")
    s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    assert "has a verdict" in tell(run("manual", conf={"batch_day": "2026-03-04"}))
    assert tell.heard == []


def test_the_deadline_counts_from_the_queue_and_is_found_by_its_path(repo):
    """A backfilled run is not overdue at birth; the triggerer imports the callback by name."""
    case = load_use_case(repo / "dags" / "use_cases" / "churn.yaml")
    found = deadline.batch_deadline(case)
    assert found.interval == timedelta(minutes=360 + 120) == deadline.time_allowed(case)
    assert found.reference.reference_name == "DagRunQueuedAtDeadline"
    assert found.callback.path == f"{deadline.batch_late.__module__}.{deadline.batch_late.__qualname__}"
    assert json.loads(json.dumps(found.callback.kwargs))["alerts"]["routes"]["error"] == ["sagemaker_batch_alerts"]
