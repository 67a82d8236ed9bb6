"""Every channel against a receiver that really listens, and what a channel that fails may say."""

import builtins
import json
import socket
from email import message_from_string, policy

import boto3
import pytest

from sagemaker_batch import channels, held, quality
from sagemaker_batch.alerts import Alert
from sagemaker_batch.errors import Undeliverable
from tests.unit.plugin import receivers

ALERT = Alert(
    use_case="churn",
    event="drift_critical",
    severity="critical",
    subject="[critical] churn 2026-03-03: held",
    body="Day Mins <b> moved & held\nrunbook: docs/runbook.md#drift_critical",
    identity=("churn_batch_monitor", "2026-03-03", "drift_critical", "held", "1"),
    attributes={"batch_day": "2026-03-03", "verdict": "held", "dag_id": "churn_batch_monitor"},
    about="2026-03-03",
)
SECRET = "T000-very-secret-token"


@pytest.fixture
def connection(monkeypatch):
    def define(**parts):
        monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps(parts))

    return define


@pytest.fixture
def web():
    with receivers.http() as (url, received):
        yield url, received


def tell(alert=ALERT):
    channels.deliver_by_connection("team", alert)


def test_slack_gets_its_webhooks_format(connection, web):
    """Text with the headline in bold, and markup of the data as text."""
    url, received = web
    connection(conn_type="slackwebhook", host=url, password=SECRET)
    tell()
    ((path, _, _),) = received
    assert path == f"/{SECRET}"
    (document,) = received.documents
    assert document["text"].startswith("*[critical] churn 2026-03-03: held*\n")
    assert "Day Mins &lt;b&gt; moved &amp; held" in document["text"]


def test_a_slack_bot_posts_into_its_channel(connection, web):
    """The Web API's chat.postMessage with the bot's token."""
    url, received = web
    received.answer = '{"ok": true}'
    extra = {"channel": "#churn", "base_url": f"{url}/api/"}
    connection(conn_type="slack", password="xoxb-secret-token", extra=extra)
    tell()
    ((path, headers, _),) = received
    assert path == "/api/chat.postMessage"
    assert headers["Authorization"] == "Bearer xoxb-secret-token"
    assert received.documents[0]["channel"] == "#churn"


@pytest.mark.parametrize("verdict", ["clean", quality.GOOD, held.RELEASED, held.DISCARDED])
def test_pagerduty_triggers_one_incident_a_day_and_resolves_it(connection, web, monkeypatch, verdict):
    """Events API v2: severity, a key per DAG and day, the facts as details; a better verdict resolves the same key.

    So does what a person makes of a held day.
    """
    pagerduty = pytest.importorskip("pagerduty")
    url, received = web
    received.status, received.answer = 202, '{"status": "success", "dedup_key": "k"}'
    # The library refuses any address but https.
    monkeypatch.setattr(pagerduty.EventsApiV2Client, "url", property(lambda _: url, lambda *_: None))
    connection(conn_type="pagerduty_events", password=SECRET)
    tell()
    better = {**ALERT.attributes, "verdict": verdict, "update": "true", "was": "held"}
    tell(Alert(**{**ALERT.__dict__, "attributes": better}))
    first, second = received.documents
    assert received[0][0] == "/v2/enqueue"
    assert (first["routing_key"], first["event_action"]) == (SECRET, "trigger")
    assert first["payload"]["severity"] == "critical"
    assert first["payload"]["custom_details"]["verdict"] == "held"
    assert first["dedup_key"] == second["dedup_key"] == "churn/churn_batch_monitor/2026-03-03"
    assert second["event_action"] == "resolve"


def test_mail_arrives_as_text(connection):
    """From, to, subject and the body as it is."""
    with receivers.smtp() as (port, received):
        extra = {"from_email": "batch@x.org", "to_email": "a@x.org, b@x.org", "disable_ssl": True, "disable_tls": True}
        connection(conn_type="smtp", host="127.0.0.1", port=port, extra=extra)
        tell()
    (text,) = received
    message = message_from_string(text, policy=policy.default)
    assert (message["Subject"], message["To"]) == (ALERT.subject, "a@x.org, b@x.org")
    assert "Day Mins <b> moved & held" in message.get_content()


def test_a_webhook_gets_the_facts_as_json(connection, web):
    """With an id by which a receiver can tell a repetition."""
    url, received = web
    connection(conn_type="http", host=f"{url}/hooks/batch")
    tell()
    assert received[0][0].rstrip("/") == "/hooks/batch"
    (document,) = received.documents
    assert document["event"] == "drift_critical"
    assert document["id"] == ALERT.fingerprint()
    assert document["text"] == ALERT.body


def test_a_queue_and_a_mail_by_ses(connection, s3):
    """One aws connection, by what its extra names."""
    sqs = boto3.client("sqs", "us-east-1")
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    connection(conn_type="aws", extra={"queue_url": queue, "region_name": "us-east-1"})
    tell()
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"].startswith(f"{ALERT.subject}\n\nDay Mins")
    ses = boto3.client("ses", "us-east-1")
    ses.verify_email_identity(EmailAddress="batch@x.org")
    connection(conn_type="aws", extra={"mail_from": "batch@x.org", "mail_to": ["a@x.org"], "region_name": "us-east-1"})
    tell()
    assert ses.get_send_quota()["SentLast24Hours"] == 1


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"conn_type": "aws"}, "is without topic_arn"),
        ({"conn_type": "aws", "extra": {"topic_arn": "x", "queue_url": "y"}}, "names topic_arn and queue_url"),
        ({"conn_type": "aws", "extra": {"mail_from": "x"}}, "no mail_to"),
        ({"conn_type": "smtp", "host": "127.0.0.1"}, "from_email and to_email"),
        ({"conn_type": "slack", "password": "t"}, "no channel in its extra"),
    ],
)
def test_a_connection_that_does_not_say_where_to_is_named(connection, parts, said):
    """The message says which, and what it needs."""
    connection(**parts)
    with pytest.raises(Undeliverable, match=said):
        tell()


def test_a_provider_that_is_not_installed_is_named(connection, monkeypatch):
    """Only when an alert goes there: nothing is imported before."""
    real = builtins.__import__

    def without_slack(name, *rest, **others):
        if name.startswith("airflow.providers.slack"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without_slack)
    connection(conn_type="slackwebhook", password=SECRET)
    with pytest.raises(Undeliverable, match=r"add apache-airflow-providers-slack to requirements\.txt"):
        tell()


@pytest.mark.parametrize("kind", ["slackwebhook", "http"])
def test_a_refusal_never_quotes_a_secret(connection, web, caplog, kind):
    """Neither in the error that is kept with the alert nor in the log, and it comes within the sender's lease."""
    url, received = web
    received.status, received.answer = 500, f"no service for {SECRET}"
    connection(conn_type=kind, host=url, password=SECRET)
    with pytest.raises(Exception, match=r".") as caught:
        tell()
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or SECRET not in str(caught.value.__context__)


@pytest.mark.parametrize("kind", ["slackwebhook", "smtp", "http"])
def test_a_channel_that_is_down_raises(connection, kind):
    """So that the router keeps the alert; nobody listens on the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parts = {"conn_type": kind, "password": SECRET}
    where = {"host": "127.0.0.1", "port": port} if kind == "smtp" else {"host": f"http://127.0.0.1:{port}"}
    extra = {"from_email": "a@x.org", "to_email": "b@x.org", "disable_ssl": True} if kind == "smtp" else {}
    connection(**parts, **where, extra=extra)
    with pytest.raises(Exception, match=r".") as caught:
        tell()
    assert SECRET not in str(caught.value)
