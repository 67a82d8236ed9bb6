"""The router: by event and severity, once, and again when the verdict changes."""

import pytest

from sagemaker_batch import events, messages, records, router
from sagemaker_batch.errors import BatchError, InputNotReady, MonitorError, Unanswered, Undeliverable
from sagemaker_batch.registry import NoApprovedModel
from sagemaker_batch.use_case import Alerts, Events

ROUTES = Alerts.model_validate(
    {
        "routes": {"warning": ["chat"], "critical": ["chat", "pager"], "error": ["chat"]},
        "events": {"broken_schema": ["sender"], "dag_failed": []},
    }
)


def record(verdict, check="baseline_drift_check"):
    return {
        "batch_day": "2026-03-03",
        "verdict": verdict,
        "severity": {"warned": "warning", "held": "critical"}[verdict],
        "action": {"warned": "publish", "held": "hold"}[verdict],
        "violations": [{"feature": "f", "check": check, "description": "far"}],
        "reasons": ["moved"],
        "top_features": [],
        "model": {"version": 3, "arn": "arn:p/3"},
        "execution": {"arn": "arn:e/1"},
    }


def day(verdict, **changes):
    return messages.verdict_alert("churn", "churn_batch_monitor", record(verdict, **changes), {})


def failed(event="pipeline_failed", task="assess_batch"):
    return messages.failure_alert("churn", "churn_batch_monitor", "r1", "2026-03-03", task, "boom", {}, event=event)


@pytest.fixture
def told(s3, bucket):
    heard = []

    def tell(alert, owner="r1", **options):
        return router.tell(
            s3, bucket, alert, ROUTES, owner=owner, deliver=lambda conn, what: heard.append((conn, what)), **options
        )

    tell.heard = heard
    return tell


def test_an_event_goes_by_its_own_routes_or_else_by_its_severity(told):
    """An empty list of its own silences an event."""
    told(day("held"))
    assert [conn for conn, _ in told.heard] == ["chat", "pager"]
    told.heard.clear()
    told(day("held", check="data_type_check"))
    assert [conn for conn, _ in told.heard] == ["sender"]
    assert told(failed("dag_failed")) == "no route"


def test_every_event_has_a_severity_a_route_and_an_entry_in_the_runbook(repo):
    """Whatever can be told has somebody to tell, and something to do."""
    runbook = (repo / "docs" / "runbook.md").read_text()
    assert set(events.SEVERITY) == set(Events.model_fields)
    for event in events.SEVERITY:
        assert f"\n## {event}\n" in runbook
        entry = runbook.split(f"\n## {event}\n")[1].split("\n## ")[0]
        for part in ("**First check**", "**Safe action**", "**Wake**"):
            assert part in entry, (event, part)


def test_retries_clears_and_callbacks_that_fire_twice_tell_once(told):
    """The same day, event and verdict, by whichever run."""
    assert told(day("held")) == "sent"
    assert told(day("held")) == "sent"
    assert told(day("held"), owner="r2") == "already sent"
    assert len(told.heard) == 2


def test_a_changed_verdict_is_an_update_that_names_the_former(told):
    """Held, then slightly drifted after a re-run."""
    told(day("held"))
    told.heard.clear()
    told(day("warned"), owner="r2")
    ((_, alert),) = told.heard
    assert alert.subject == "[update, was held] [warning] churn 2026-03-03: warned"
    assert "was told as held (drift_critical) before" in alert.body
    assert alert.attributes["was"] == "held"


def test_a_day_that_fails_recovers_and_fails_again_is_told_three_times(told):
    """What is known already is not what has happened since."""
    recovered = messages.recovered_alert(
        "churn", "churn_batch_monitor", "2026-03-03", "pipeline_failed", "clean", "published", {}
    )
    for alert in (failed(), recovered, failed(), failed()):
        told(alert)
    assert [alert.subject.split("churn")[0] for _, alert in told.heard] == [
        "[error] ",
        "[update, was failed] ",
        "[update, was clean] [error] ",
    ]


def test_the_dags_callback_joins_what_a_task_has_told(told):
    """It knows no cause: the event stays the task's."""
    told(failed("pipeline_failed"))
    assert told(failed("dag_failed", task=""), vague=True) == "sent"
    assert len(told.heard) == 1


def test_a_lost_message_is_no_other_verdict_of_the_day(told, s3, bucket):
    """When the channel is back, the day's own alert is no update of anything."""
    told(day("held"))
    told(failed("alert_undelivered", task="alert_critical"))
    standing = router.standing(s3, bucket, "churn", "churn_batch_monitor", "2026-03-03")
    assert (standing.verdict, standing.sequence) == ("held", 1)


def test_standings_of_odd_subjects_have_keys_of_their_own(s3, bucket, told):
    """A run id is no file name."""
    keys = {
        router.standing_key("churn", "d", about)
        for about in ("manual__2026-03-03T00:00:00+00:00", "manual__2026-03-03T00:00:00-00:00", "2026-03-03")
    }
    assert len(keys) == 3
    told(day("held"))
    assert records.read(s3, bucket, router.standing_key("churn", "churn_batch_monitor", "2026-03-03"))


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (NoApprovedModel("none"), "no_approved_model"),
        (InputNotReady("late"), "batch_late"),
        (MonitorError("died"), "pipeline_failed"),
        (Undeliverable("lost"), "alert_undelivered"),
        (Unanswered("silence"), "approval_waiting"),
        (BatchError("odd"), "dag_failed"),
        (KeyError("bug"), "dag_failed"),
        (None, "dag_failed"),
    ],
)
def test_a_failure_is_the_event_of_its_cause(error, event):
    """Also when Airflow's own exception wraps it."""
    assert events.of_failure(error) == event
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = error
    assert events.of_failure(wrapped) == event
