"""Alerts: once, to everyone, in words; and one digest for a backfill."""

import json
from datetime import timedelta

import boto3
import pytest

from sagemaker_batch import alerts, digest, messages, records
from sagemaker_batch.daily import day_entry
from sagemaker_batch.errors import Undeliverable

RECORD = {
    "batch_day": "2026-03-03",
    "verdict": "held",
    "severity": "critical",
    "action": "hold",
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
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": "slack"}))
    with pytest.raises(Undeliverable, match=r"'team' is of type 'slack'.*supported: aws with topic_arn"):
        alerts.send(s3, bucket, alert(), ["team"], owner="run1")


class Backfill:
    """Active runs as the scheduler counts them."""

    def __init__(self, *runs):
        self.active = set(runs)

    def __call__(self, run_ids):
        return len(self.active if run_ids is None else self.active & set(run_ids))


def entry(day, verdict="clean", *, backfilled=True):
    severity = {"clean": "none", "held": "critical", "failed": "error"}[verdict]
    return {
        "run_id": f"run-{day}",
        "clear_number": 0,
        "started": "2026-03-10T00:00:00+00:00",
        "backfilled": backfilled,
        "batch_day": f"2026-03-0{day}",
        "verdict": verdict,
        "severity": severity,
        "done": "published",
        "reasons": ["because"],
        "features": [],
    }


def close(s3, bucket, what, runs, phone):
    return digest.close_run(s3, bucket, "churn", "churn_batch_monitor", what, ["team"], runs, phone)


def test_the_last_day_sends_one_digest_that_names_each(s3, bucket):
    """Days that failed are in it as well."""
    phone, runs = Phone(), Backfill("run-1", "run-2", "run-3")
    assert "2 run(s)" in close(s3, bucket, entry(1), runs, phone)
    runs.active.discard("run-1")
    assert "1 run(s)" in close(s3, bucket, entry(2, "failed"), runs, phone)
    assert close(s3, bucket, entry(3, "held"), runs, phone) == "digest of 3 day(s): sent"
    assert len(phone.heard) == 1
    (key, _), *_ = records.keys(s3, bucket, "churn/alerts/digest/")
    body = records.read(s3, bucket, key).content["body"]
    for part in ("2026-03-01: clean", "2026-03-02: failed", "2026-03-03: held"):
        assert part in body


def test_days_that_end_at_once_send_one_digest(s3, bucket):
    """Every one of them may be the last; the record's conditional put lets one send."""
    phone, runs = Phone(), Backfill("run-1", "run-2")
    for day in (1, 2):
        records.write(s3, bucket, digest.entry_key("churn", f"run-{day}", 0), entry(day))
    close(s3, bucket, entry(1), runs, phone)
    close(s3, bucket, entry(2), runs, phone)
    assert [subject for _, subject in phone.heard][:1] == ["[digest] churn: backfill of 2 day(s): 2 clean"]
    assert len(phone.heard) == 1
    runs.active.clear()
    close(s3, bucket, entry(5, backfilled=False), Backfill("run-5"), phone)
    assert len(phone.heard) == 1


def test_a_run_beside_the_backfill_neither_blocks_nor_appears(s3, bucket):
    """A manual run that is still at work ends last and sends; it is not a day of the digest."""
    phone, runs = Phone(), Backfill("run-1", "run-7")
    assert "1 run(s)" in close(s3, bucket, entry(1), runs, phone)
    runs.active.discard("run-1")
    assert close(s3, bucket, entry(7, backfilled=False), runs, phone) == "digest of 1 day(s): sent"


def test_a_run_that_died_blocks_nobody(s3, bucket):
    """It is no longer active, so nobody waits for its entry."""
    phone, runs = Phone(), Backfill("run-2")
    assert close(s3, bucket, entry(2), runs, phone) == "digest of 1 day(s): sent"


def test_without_a_backfill_nothing_is_sent(s3, bucket):
    """The daily run leaves its entry for others to count."""
    phone, runs = Phone(), Backfill("run-1")
    assert close(s3, bucket, entry(1, backfilled=False), runs, phone).startswith("no backfilled day")
    assert phone.heard == []


def test_a_digest_that_could_not_be_delivered_comes_with_the_next_run(s3, bucket):
    """Its entries stay until someone has heard."""
    runs = Backfill("run-1")
    with pytest.raises(Undeliverable):
        close(s3, bucket, entry(1), runs, Phone("team"))
    phone, later = Phone(), Backfill("run-5")
    assert close(s3, bucket, entry(5, backfilled=False), later, phone) == "digest of 1 day(s): sent"
    assert len(phone.heard) == 1


def test_a_second_backfill_of_a_day_has_a_digest_of_its_own(s3, bucket):
    """The first one's record does not swallow it."""
    phone, runs = Phone(), Backfill("run-1")
    close(s3, bucket, entry(1), runs, phone)
    again = {**entry(1), "clear_number": 1}
    assert close(s3, bucket, again, runs, phone) == "digest of 1 day(s): sent"
    assert len(phone.heard) == 2


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
    first = messages.failure_alert("churn", "d", "r", 0, "2026-03-03", "assess_batch", "boom", {})
    second = messages.failure_alert("churn", "d", "r", 0, "2026-03-03", "", "task_failure", {})
    cleared = messages.failure_alert("churn", "d", "r", 1, "2026-03-03", "assess_batch", "boom", {})
    assert first.key() == second.key() != cleared.key()
