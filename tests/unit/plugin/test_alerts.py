"""An alert among several senders: who may send, who waits, and what a death in the middle leaves behind."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import boto3
import pytest

from sagemaker_batch import alerts, channels, records
from sagemaker_batch.errors import Undeliverable

ALERT = alerts.Alert(
    use_case="churn",
    event="verdict",
    severity="critical",
    subject="[critical] churn 2026-03-03: held",
    body="Day Mins drifted.",
    identity=("churn_batch_monitor", "2026-03-03", "verdict", "held"),
    attributes={"batch_day": "2026-03-03", "verdict": "held", "execution_arn": "arn:execution/e1"},
)


class Phone:
    """Collects whom it told; `before` happens first, and dead numbers do not answer."""

    def __init__(self, *dead, before=None):
        self.dead, self.heard, self.before = set(dead), [], before

    def __call__(self, conn_id, what):
        if self.before:
            self.before()
        if conn_id in self.dead:
            raise ConnectionError("no answer")
        self.heard.append((conn_id, what.body))


def send(s3, bucket, phone, routes=("a",), owner="run1"):
    return alerts.send(s3, bucket, ALERT, routes, owner=owner, deliver=phone)


def outbox(s3, bucket):
    return [key for key, _ in records.keys(s3, bucket, alerts.outbox_prefix("churn"))]


def die():
    raise KeyboardInterrupt


@pytest.fixture
def short_lease(monkeypatch):
    monkeypatch.setattr(alerts, "LEASE", timedelta(seconds=0))


def test_senders_at_the_same_moment_tell_once(s3, bucket, monkeypatch):
    """A task's callback and the DAG's, of one run, in two processes: the second waits for how the first ends."""
    monkeypatch.setattr(alerts, "LOOK_AGAIN_SECONDS", 0.01)
    phone = Phone()
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda number: send(s3, bucket, phone, ("a", "b"), f"run{number % 2}"), range(6)))
    assert sorted(conn for conn, _ in phone.heard) == ["a", "b"]
    assert set(said) <= {"sent", "already sent"}
    assert outbox(s3, bucket) == []


def test_a_second_sender_waits_for_the_first(s3, bucket, monkeypatch):
    """It neither sends beside it nor says that all is well before it is."""
    monkeypatch.setattr(alerts, "LOOK_AGAIN_SECONDS", 0.01)
    at_work, go_on = threading.Event(), threading.Event()

    def slow():
        at_work.set()
        assert go_on.wait(30)

    second = Phone()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(send, s3, bucket, Phone(before=slow))
        assert at_work.wait(30)
        later = pool.submit(send, s3, bucket, second, ("a",), "run2")
        assert not later.done()
        go_on.set()
        assert (first.result(30), later.result(30)) == ("sent", "already sent")
    assert second.heard == []


def test_who_loses_the_lease_does_not_send_the_rest(s3, bucket, short_lease):
    """A sender that hung finds the record taken over, and leaves the routes that are left to the other."""
    other = Phone()
    slow = Phone(before=lambda: send(s3, bucket, other, ("a", "b"), "run2") if not other.heard else None)
    assert send(s3, bucket, slow, ("a", "b")) == "already sent"
    assert [conn for conn, _ in slow.heard] == ["a"]
    assert [conn for conn, _ in other.heard] == ["a", "b"]


def test_a_route_that_has_heard_is_not_told_again_after_a_death(s3, bucket, short_lease):
    """The record is saved after each route: the next sender goes on with the second."""

    class Dies(Phone):
        def __call__(self, conn_id, what):
            if conn_id == "b":
                die()
            super().__call__(conn_id, what)

    with pytest.raises(KeyboardInterrupt):
        send(s3, bucket, Dies(), ("a", "b"))
    phone = Phone()
    assert send(s3, bucket, phone, ("a", "b"), "run2") == "sent"
    assert [conn for conn, _ in phone.heard] == ["b"]


class DiesAtThe:
    """An S3 whose caller dies at the given put."""

    def __init__(self, s3, number):
        self.s3, self.left = s3, number

    def __getattr__(self, name):
        return getattr(self.s3, name)

    def put_object(self, **request):
        self.left -= 1
        if self.left == 0:
            die()
        return self.s3.put_object(**request)


@pytest.mark.parametrize("put", [2, 3])
def test_wherever_a_sender_dies_the_next_run_sends(s3, bucket, short_lease, put):
    """Between outbox and claim, and between sending and saving; the second is the window in which one hears twice."""
    first, later = Phone(), Phone()
    with pytest.raises(KeyboardInterrupt):
        send(DiesAtThe(s3, put), bucket, first)
    assert alerts.flush(s3, bucket, "churn", owner="run2", deliver=later) == []
    assert later.heard == [("a", "Day Mins drifted.")]
    assert outbox(s3, bucket) == []
    assert alerts.flush(s3, bucket, "churn", owner="run3", deliver=Phone("a")) == []


def test_what_a_callback_could_not_deliver_is_sent_by_a_later_run(s3, bucket):
    """A callback has no retry; the outbox has its words."""
    with pytest.raises(Undeliverable):
        send(s3, bucket, Phone("a"), ("a", "b"))
    (still,) = alerts.flush(s3, bucket, "churn", owner="run2", deliver=Phone("a"))
    assert "a: ConnectionError: no answer" in still
    healed = Phone()
    assert alerts.flush(s3, bucket, "churn", owner="run3", deliver=healed) == []
    assert healed.heard == [("a", "Day Mins drifted.")]


def test_flushing_leaves_a_sender_at_work_alone(s3, bucket):
    """Its lease has not run out."""
    flushed = Phone()
    send(s3, bucket, Phone(before=lambda: alerts.flush(s3, bucket, "churn", owner="run2", deliver=flushed)))
    assert flushed.heard == []


@pytest.fixture
def inbox(s3):
    """A topic with a queue behind it: its ARN, and a function that returns what arrived."""
    sns, sqs = boto3.client("sns", "us-east-1"), boto3.client("sqs", "us-east-1")
    topic, queue = sns.create_topic(Name="alerts")["TopicArn"], sqs.create_queue(QueueName="inbox")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    return topic, lambda: [json.loads(item["Body"]) for item in sqs.receive_message(QueueUrl=queue).get("Messages", [])]


def connection(monkeypatch, conn_type="aws", **extra):
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": conn_type, "extra": extra}))


def test_programs_read_attributes_or_the_last_line(inbox, monkeypatch):
    """Event, severity, verdict, use case, batch day and execution, in both places."""
    topic, arrived = inbox
    connection(monkeypatch, topic_arn=topic)
    channels.deliver_by_connection("team", ALERT)
    (message,) = arrived()
    facts = {"event": "verdict", "severity": "critical", "use_case": "churn", **ALERT.attributes}
    assert json.loads(message["Message"].splitlines()[-1]) == facts
    assert {name: item["Value"] for name, item in message["MessageAttributes"].items()} == facts


@pytest.mark.parametrize("topic", ["alerts", "arn:aws:sqs:us-east-1:123456789012:alerts", "arn:aws:sns:us-east-1"])
def test_what_is_no_topic_is_named(s3, monkeypatch, topic):
    """The error names the connection, what it says, and what it should say."""
    connection(monkeypatch, topic_arn=topic)
    with pytest.raises(Undeliverable, match=f"'team' is of type 'aws' and has topic_arn='{topic}', which is no SNS"):
        channels.deliver_by_connection("team", ALERT)


def test_an_aws_connection_without_a_topic_is_named(s3, monkeypatch):
    """It may be a right connection for everything else."""
    connection(monkeypatch)
    with pytest.raises(Undeliverable, match="'team' is of type 'aws' and is without topic_arn in its extra"):
        channels.deliver_by_connection("team", ALERT)


def test_a_message_too_long_for_sns_loses_its_end_and_says_so(inbox, monkeypatch):
    """A thousand missing columns are still an alert."""
    topic, arrived = inbox
    connection(monkeypatch, topic_arn=topic)
    channels.deliver_by_connection("team", alerts.Alert(**{**ALERT.__dict__, "body": "ä" * 200_000}))
    (message,) = arrived()
    assert len(json.dumps(message).encode()) < 2 << 20
    assert len(message["Message"].encode()) < 256 << 10
    assert "200000 more bytes are in the alert's record" in message["Message"]
