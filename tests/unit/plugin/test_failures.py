"""What is told of a failure, and to whom."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sagemaker_batch import alerts, messages, records, router
from sagemaker_batch.closing import silent_failure
from sagemaker_batch.errors import Undeliverable
from sagemaker_batch.failures import failure_callback, note_key
from sagemaker_batch.use_case import Alerts
from tests.unit.plugin.judged import record


@pytest.fixture
def sent(monkeypatch):
    found = []
    monkeypatch.setattr(alerts, "deliver_by_connection", lambda conn_id, alert: found.append((conn_id, alert.body)))
    return found


STARTED = datetime(2026, 3, 4, tzinfo=UTC)


def context(run_type, started=STARTED, **changes):
    run = SimpleNamespace(
        dag_id="churn_batch_monitor",
        run_id="r1",
        run_type=run_type,
        clear_number=0,
        start_date=started,
        conf={"batch_day": "2026-03-03"},
        data_interval_start=None,
        data_interval_end=None,
    )
    return {
        "dag": SimpleNamespace(params=("batch_day", "model_policy")),
        "dag_run": run,
        "ti": SimpleNamespace(task_id="assess_batch"),
        "params": {"batch_day": "2026-03-03"},
        "exception": RuntimeError("the monitor died"),
        **changes,
    }


def callback():
    return failure_callback("churn", Alerts.model_validate({"routes": {"error": ["team"]}}), "UTC")


def test_a_failed_run_is_told_once(s3, sent):
    """By its task; the DAG's own callback finds it told."""
    callback()(context("manual"))
    callback()(context("manual", ti=None, exception=None, reason="task_failure"))
    ((conn_id, body),) = sent
    assert conn_id == "team"
    for part in ("assess_batch", "the monitor died", "2026-03-03"):
        assert part in body


@pytest.mark.parametrize("reason", ["task_failure", None])
def test_a_day_whose_message_was_lost_stays_held_when_its_run_fails(s3, bucket, monkeypatch, reason):
    """The failed alert fails the run, and the DAG's callback (or that of a killed worker) knows only this."""
    judged = messages.verdict_alert("churn", "churn_batch_monitor", record("2026-03-03"), {})
    routes = Alerts.model_validate({"routes": {"critical": ["dead"], "error": ["dead"]}})
    delivered = []

    def dead(_conn_id, _alert):
        raise ConnectionError("no answer")

    monkeypatch.setattr(alerts, "deliver_by_connection", dead)
    with pytest.raises(Undeliverable) as lost:
        router.tell(s3, bucket, judged, routes, owner="r1")
    told = failure_callback("churn", routes, "UTC")
    telling = SimpleNamespace(task_id="alert_critical")
    told(context("scheduled", ti=telling, exception=lost.value))
    monkeypatch.setattr(alerts, "deliver_by_connection", lambda _conn_id, alert: delivered.append(alert.subject))
    told(context("scheduled", ti=telling, exception=None, reason=reason))
    standing = router.standing(s3, bucket, "churn", "churn_batch_monitor", "2026-03-03")
    assert (standing.verdict, standing.sequence) == ("held", 1)
    assert delivered == ["[error] churn 2026-03-03: alert_critical failed"]


def test_a_run_that_failed_after_its_alert_is_told(s3, bucket, sent):
    """A worker that was killed while it published is no lost message, although the day had been told as warned."""
    judged = messages.verdict_alert("churn", "churn_batch_monitor", record("2026-03-03", "warned"), {})
    routes = Alerts.model_validate({"routes": {"warning": ["team"], "error": ["team"]}})
    router.tell(s3, bucket, judged, routes, owner="r1")
    failure_callback("churn", routes, "UTC")(
        context("scheduled", ti=SimpleNamespace(task_id="publish_predictions"), exception=None, reason="task_failure")
    )
    assert len(sent) == 2
    assert "publish_predictions" in sent[1][1]


def test_a_backfilled_run_pages_nobody(s3, bucket, sent):
    """It leaves a note for the digest."""
    failed = context("backfill")
    callback()(failed)
    assert sent == []
    note = records.read(s3, bucket, note_key("churn", failed["dag_run"])).content
    assert (note["task_id"], note["what"]) == ("assess_batch", "the monitor died")


def test_a_backfilled_run_that_is_deleted_and_made_again_does_not_inherit_its_failure(s3, bucket):
    """Airflow gives it the same run id, and counts its clears from zero."""
    callback()(context("backfill"))
    again = context("backfill", STARTED + timedelta(days=1))
    assert records.read(s3, bucket, note_key("churn", again["dag_run"])) is None
    callback()({**again, "exception": RuntimeError("another reason")})
    assert records.read(s3, bucket, note_key("churn", again["dag_run"])).content["what"] == "another reason"


def test_a_callback_never_raises(s3, monkeypatch, caplog):
    """A route that is down must not change what Airflow does with the task; it is logged, and kept."""

    def dead(_conn_id, _alert):
        raise ConnectionError("no answer")

    monkeypatch.setattr(alerts, "deliver_by_connection", dead)
    callback()(context("manual"))
    assert "could not be reported" in caplog.text


def test_a_callback_without_settings_never_raises(monkeypatch, caplog):
    """Not even when Airflow's configuration lacks the section."""
    monkeypatch.delenv("AIRFLOW__SAGEMAKER_BATCH__BUCKET")
    callback()(context("manual"))
    assert "AIRFLOW__SAGEMAKER_BATCH__BUCKET" in caplog.text


def test_a_killed_worker_is_named_by_its_task():
    """No callback ran, so the digest asks Airflow which tasks failed."""
    ti = SimpleNamespace(get_task_states=lambda **_: {"r1": {"a": "success", "b": "failed", "c": "upstream_failed"}})
    assert silent_failure(ti, SimpleNamespace(dag_id="d", run_id="r1"))["task_id"] == "b"
    ti = SimpleNamespace(get_task_states=lambda **_: {})
    assert silent_failure(ti, SimpleNamespace(dag_id="d", run_id="r1")) is None


def test_a_day_that_was_published_before_the_failure_is_called_published(s3, bucket, sent):
    """Only its alert could not be delivered: saying that nothing was published would be false."""
    by = {"published_by": {"dag_id": "churn_batch_monitor", "run_id": "r1"}}
    records.write(s3, bucket, "churn/published/dt=2026-03-03.json", by)
    callback()(context("manual"))
    assert "The day was published before this failed" in sent[0][1]
