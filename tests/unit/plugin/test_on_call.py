"""No alert is lost while a channel is down, whichever it is: the numbers of docs/on-call.md.

RECORD_ON_CALL=1 writes them into docs/on-call.json, from which `make on-call` makes the page; else they are compared.
"""

import json
import os
import socket
from contextlib import contextmanager
from email import message_from_string

import boto3
import pytest

from sagemaker_batch import alerts, channels, messages, router
from sagemaker_batch.errors import Undeliverable
from sagemaker_batch.use_case import Alerts
from tests.unit.plugin import receivers
from tests.unit.plugin.test_router import record

ROUTES = Alerts.model_validate({"routes": {"critical": ["team", "other"]}})
DAYS = ["2026-03-03", "2026-03-04", "2026-03-05"]
MAIL = {"from_email": "a@x.org", "to_email": "b@x.org", "disable_ssl": True, "disable_tls": True}
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Team:
    """A channel of a kind, that can be down and up; `heard` counts what really arrived, by day."""

    def __init__(self, kind, monkeypatch, web, mail):
        self.kind, self.monkeypatch = kind, monkeypatch
        self.url, self.posted = web
        self.port, self.mails = mail
        self.queue = None

    def define(self, *, up):
        url = self.url if up else f"http://127.0.0.1:{closed_port()}"
        port = self.port if up else closed_port()
        if self.kind == "pagerduty_events":
            pagerduty = pytest.importorskip("pagerduty")
            self.posted.status, self.posted.answer = 202, '{"status": "success", "dedup_key": "k"}'
            # The library refuses any address but https.
            self.monkeypatch.setattr(pagerduty.EventsApiV2Client, "url", property(lambda _: url, lambda *_: None))
            self.monkeypatch.setattr(pagerduty.EventsApiV2Client, "max_network_attempts", 1, raising=False)
        if self.kind == "slack":
            self.posted.answer = '{"ok": true}'
        if self.kind == "aws" and up:
            topic = boto3.client("sns", "us-east-1").create_topic(Name="alerts")["TopicArn"]
            self.queue = boto3.client("sqs", "us-east-1").create_queue(QueueName="inbox")["QueueUrl"]
            arn = "arn:aws:sqs:us-east-1:123456789012:inbox"
            boto3.client("sns", "us-east-1").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        parts = {
            "aws": {"extra": {"topic_arn": TOPIC, "region_name": "us-east-1"}},
            "smtp": {"host": "127.0.0.1", "port": port, "extra": MAIL},
            "slackwebhook": {"host": url, "password": "T000-very-secret"},
            "slack": {"password": "xoxb-very-secret", "extra": {"channel": "#churn", "base_url": f"{url}/api/"}},
            "pagerduty_events": {"password": "R000-very-secret"},
            "http": {"host": url},
        }[self.kind]
        self.monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": self.kind, **parts}))

    def heard(self):
        if self.kind == "smtp":
            return by_day(str(message_from_string(text)["Subject"]) for text in self.mails)
        if self.kind == "aws":
            sqs = boto3.client("sqs", "us-east-1")
            found = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
            return by_day(item["Body"] for item in found)
        return by_day(body for _, _, body in self.posted)


def by_day(texts):
    texts = list(texts)
    return [sum(day in text for text in texts) for day in DAYS]


@contextmanager
def both():
    with receivers.http() as web, receivers.smtp() as mail, receivers.http() as other:
        yield web, mail, other


@pytest.mark.parametrize("kind", sorted(channels.CHANNELS))
def test_no_alert_is_lost_while_a_channel_is_down(kind, s3, bucket, repo, monkeypatch):
    """The other hears at once, this one when it is back, each alert once; the page says the same."""
    with both() as (web, mail, (other_url, other)):
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "http", "host": other_url}))
        team = Team(kind, monkeypatch, web, mail)
        team.define(up=False)
        for day in DAYS:
            alert = messages.verdict_alert("churn", "churn_batch_monitor", {**record("held"), "batch_day": day}, {})
            with pytest.raises(Undeliverable):
                router.tell(s3, bucket, alert, ROUTES, owner=f"run {day}")
        at_once = by_day(body for _, _, body in other)
        team.define(up=True)
        assert alerts.flush(s3, bucket, "churn", owner="watchdog") == []
        heard = team.heard()
        assert by_day(body for _, _, body in other) == at_once
    found = {
        "told": len(DAYS),
        "other": sum(map(bool, at_once)),
        "late": sum(map(bool, heard)),
        "lost": heard.count(0) + at_once.count(0),
        "twice": sum(count > 1 for count in [*heard, *at_once]),
    }
    path = repo / "docs" / "on-call.json"
    if os.environ.get("RECORD_ON_CALL") == "1":
        content = json.loads(path.read_text()) if path.exists() else {"delivery": {}}
        content["delivery"][kind] = found
        path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(path.read_text())["delivery"][kind]
    assert (found["lost"], found["twice"]) == (0, 0)
