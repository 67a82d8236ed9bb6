"""Alerts: once, to everyone, in words."""

import json
from datetime import timedelta

import boto3
import pytest

from sagemaker_batch import alerts, messages, records
from sagemaker_batch.daily import day_entry
from sagemaker_batch.errors import Undeliverable

RECORD = {
    "batch_day": "2026-03-03",
    "verdict": "held",
    "severity": "critical",
    "action": "hold",
    "violations": [{"feature": "Day Mins", "check": "baseline_drift_check", "description": "far"}],
    "reasons": ["7 of 19 monitored features (36.8%) violate their constraints; critical from 30%."],
    "top_features": [
        {
            "feature": "Day Mins",
            "checks": ["baseline_drift_check"],
            "baseline": "mean 5",
            "today": "mean 9",
            "description": "Baseline drift distance: 0.5 exceeds threshold: 0.1",
        }
    ],
    "model": {"version": 3, "arn": "arn:package/3"},
    "execution": {"arn": "arn:execution/e1"},
}


def alert(**changes):
    return messages.verdict_alert("churn", "churn_batch_monitor", {**RECORD, **changes}, {"run": "http://x/run"})


class Phone:
    """Collects what was delivered; some numbers are dead."""

    def __init__(self, *dead):
        self.dead, self.heard = set(dead), []

    def __call__(self, conn_id, what):
        if conn_id in self.dead:
            raise ConnectionError("no answer")
        self.heard.append((conn_id, what.subject))


def test_a_message_says_what_happened_how_bad_and_what_was_done():
    """Top features carry the baseline's figure and today's, and links lead on."""
    made = alert()
    assert made.subject == "[critical] churn 2026-03-03: held"
    for part in (
        "7 of 19",
        "severity critical",
        "predictions are held",
        "Day Mins",
        "mean 5 -> mean 9",
        "http://x/run",
    ):
        assert part in made.body
    assert made.attributes["batch_day"] == "2026-03-03"


def test_one_message_for_a_day_and_verdict(s3, bucket):
    """A retry, a clear or a second run of the day does not page again; another verdict does."""
    phone = Phone()
    assert alerts.send(s3, bucket, alert(), ["a", "b"], owner="run1", deliver=phone) == "sent"
    assert alerts.send(s3, bucket, alert(), ["a", "b"], owner="run1", deliver=phone) == "sent"
    assert alerts.send(s3, bucket, alert(), ["a", "b"], owner="run2", deliver=phone) == "already sent"
    assert [conn for conn, _ in phone.heard] == ["a", "b"]
    warned = alert(verdict="warned", severity="warning", action="publish")
    assert alerts.send(s3, bucket, warned, ["a"], owner="run2", deliver=phone) == "sent"


def test_one_dead_route_does_not_silence_the_others(s3, bucket):
    """The task fails, the record keeps the message, and the next try sends only what is missing."""
    with pytest.raises(Undeliverable, match="a: ConnectionError: no answer"):
        alerts.send(s3, bucket, alert(), ["a", "b"], owner="run1", deliver=Phone("a"))
    kept = records.read(s3, bucket, alert().key()).content
    assert kept["state"] == "undelivered"
    assert kept["routes"] == {"a": "undelivered", "b": "delivered"}
    assert "Day Mins" in kept["body"]
    healed = Phone()
    assert alerts.send(s3, bucket, alert(), ["a", "b"], owner="run1", deliver=healed) == "sent"
    assert [conn for conn, _ in healed.heard] == ["a"]


def test_an_undelivered_alert_may_be_taken_over(s3, bucket):
    """Another run of the day sends what the first could not."""
    with pytest.raises(Undeliverable):
        alerts.send(s3, bucket, alert(), ["a"], owner="run1", deliver=Phone("a"))
    assert alerts.send(s3, bucket, alert(), ["a"], owner="run2", deliver=Phone()) == "sent"


def test_a_worker_that_died_while_sending_is_taken_over_by_its_retry(s3, bucket, monkeypatch):
    """The record says sending, its lease runs out, and its owner comes back."""
    monkeypatch.setattr(alerts, "LEASE", timedelta(seconds=0))

    def die(_conn, _what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alerts.send(s3, bucket, alert(), ["a"], owner="run1", deliver=die)
    phone = Phone()
    assert alerts.send(s3, bucket, alert(), ["a"], owner="run1", deliver=phone) == "sent"
    assert len(phone.heard) == 1


def test_no_route_is_no_error(s3, bucket):
    """A use case may have nobody for a severity; the record still says what there was to say."""
    assert alerts.send(s3, bucket, alert(), [], owner="run1", deliver=Phone()) == "no route"
    assert records.read(s3, bucket, alert().key()).content["state"] == "no route"


def test_a_subject_fits_sns():
    """ASCII without line breaks, at most 100 characters."""
    made = alerts.subject("Wärme\nwith a break " * 20)
    assert made.isascii()
    assert len(made) == 100
    assert "\n" not in made


def test_an_aws_connection_with_a_topic_publishes_to_sns(s3, bucket, monkeypatch):
    """What arrives has subject, text and attributes for machines."""
    sns, sqs = boto3.client("sns", "us-east-1"), boto3.client("sqs", "us-east-1")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": "aws", "extra": {"topic_arn": topic}}))
    assert alerts.send(s3, bucket, alert(), ["team"], owner="run1") == "sent"
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    envelope = json.loads(message["Body"])
    assert envelope["Subject"] == "[critical] churn 2026-03-03: held"
    assert "Day Mins" in envelope["Message"]
    assert envelope["MessageAttributes"]["verdict"]["Value"] == "held"


def test_a_connection_of_another_kind_is_named(s3, bucket, monkeypatch):
    """The error says which connection, and what would be supported."""
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": "ftp"}))
    with pytest.raises(Undeliverable, match=r"'team' is of type 'ftp'.*supported: aws with topic_arn"):
        alerts.send(s3, bucket, alert(), ["team"], owner="run1")


@pytest.mark.parametrize(
    ("verdict", "published", "note", "said"),
    [
        (None, None, {"task_id": "wait_for_batch", "what": "no input"}, ("failed", "wait_for_batch: no input")),
        (None, None, None, ("failed", "the run ended without saying why; see its tasks")),
        ({**RECORD, "features": []}, None, None, ("held", RECORD["reasons"][0])),
        ({**RECORD, "features": [], "action": "publish"}, None, None, ("failed", "the run ended without saying why")),
    ],
)
def test_an_entry_never_calls_a_failed_day_anything_else(verdict, published, note, said):
    """A day counts as what it says only if nothing failed on the way."""
    made = day_entry(verdict, published, note)
    assert made["verdict"] == said[0]
    assert said[1] in made["reasons"][0]


def test_tasks_and_the_dag_tell_of_one_failure_once():
    """The task's callback and the DAG's name the same alert."""
    first = messages.failure_alert("churn", "d", "r", "2026-03-03", "assess_batch", "boom", {})
    second = messages.failure_alert("churn", "d", "r", "2026-03-03", "", "task_failure", {})
    other = messages.failure_alert("churn", "d", "r", "2026-03-04", "assess_batch", "boom", {})
    assert first.key() == second.key() != other.key()
