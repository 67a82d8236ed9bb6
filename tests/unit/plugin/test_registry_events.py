"""Approvals from a queue: nothing is deleted before it is told, told twice, or told to the wrong use case."""

import asyncio
import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import boto3
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from sagemaker_batch import aws, registry, registry_events
from sagemaker_batch.registry_events import RegistryEventTrigger, Watcher, approved_groups

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/churn-local/"


def event(version=3, group="churn-local", status="Approved"):
    detail = {
        "ModelPackageArn": f"{ARN}{version}",
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelApprovalStatus": status,
        "CustomerMetadataProperties": {"ApprovedBy": "dana"},
    }
    return json.dumps({"detail-type": "SageMaker Model Package State Change", "detail": detail})


def message(body, number=1):
    return {"message_id": str(number), "receipt": f"r{number}", "body": body}


class Told:
    """The events that a task adds to its alias."""

    def __init__(self):
        self.added = {}

    def add(self, asset, extra):
        self.added[asset.name] = extra


class Events(list):
    """Events of an asset, of which a task may want the later ones."""

    def after(self, moment):
        return [event for event in self if event.timestamp > datetime.fromisoformat(moment)]


class Context(dict):
    """What a task of the watcher's run sees: messages as events of the watched asset, and what was told before."""

    def __init__(self, watcher, bodies, told=(), age=timedelta(0)):
        messages = [message(body, number) for number, body in enumerate(bodies)]
        heard = Events(
            SimpleNamespace(extra={"from_trigger": True, "payload": [item]}, timestamp=datetime.now(UTC) - age)
            for item in messages
        )
        before = [SimpleNamespace(extra={"model_package_arn": arn}) for arn in told]
        self.told, self.xcoms = Told(), {}
        super().__init__(
            ti=SimpleNamespace(
                xcom_push=lambda key, value: self.xcoms.update({key: value}),
                xcom_pull=lambda task_ids, key: self.xcoms[key],
            ),
            inlet_events={watcher.heard: heard, **dict.fromkeys(watcher.assets.values(), before)},
            outlet_events={watcher.approvals: self.told},
        )


@pytest.fixture
def watcher():
    return Watcher("https://queue", ["churn", "energy_use", "odd"])


@pytest.fixture
def registered(monkeypatch):
    """The version in use of each group, by who approved it; a group that is absent has none."""
    found = {"churn-local": "", "energy-use-local": "dana"}

    def latest(_client, group):
        if group not in found:
            raise registry.NoApprovedModel(f"{group} has none")
        values = dict.fromkeys((item.name for item in fields(registry.ModelVersion)), "")
        arn = f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{group}/4"
        return registry.ModelVersion(**{**values, "arn": arn, "version": 4, "approved_by": found[group]})

    monkeypatch.setattr(registry, "latest_approved", latest)
    monkeypatch.setattr(aws, "default_client", lambda *_: None)
    return found


@pytest.fixture
def queue(s3):
    """A queue in memory with two messages."""
    sqs = boto3.client("sqs", "us-east-1")
    url = sqs.create_queue(QueueName="registry")["QueueUrl"]
    for body in (event(), "no event"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return sqs, url


def test_the_trigger_hands_messages_on_and_deletes_none(queue):
    """They are invisible for a while, and there all the same: whoever dies loses nothing."""
    sqs, url = queue
    trigger = RegistryEventTrigger(url)

    async def first():
        return (await anext(trigger.run())).payload

    assert {item["body"] for item in asyncio.run(first())} == {event(), "no event"}
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "2"
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    assert (module, name) == (RegistryEventTrigger.__module__, RegistryEventTrigger.__qualname__)
    assert arguments == {"queue_url": url}


def test_a_queue_that_cannot_be_read_is_asked_again(monkeypatch):
    """The trigger lives on: it is one for the whole environment."""
    answers = [ConnectionError("down"), [], [message(event())]]

    def receive(_url):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(registry_events, "receive", receive)
    monkeypatch.setattr(registry_events, "FIRST_PAUSE_SECONDS", 0.0)

    async def first():
        return (await anext(RegistryEventTrigger("https://queue").run())).payload

    assert asyncio.run(first()) == [message(event())]


def test_each_use_case_of_a_message_hears_and_no_other(watcher, registered):
    """By the group that the message names; rejections and what is no event name none."""
    bodies = [event(3), event(4), event(6, "odd-local", "Rejected"), "no event", "[]"]
    assert approved_groups([message(body) for body in bodies]) == {"churn-local"}
    context = Context(watcher, [*bodies, event(4, "energy-use-local")])
    assert list(watcher.tell_approvals(**context)) == ["churn", "energy_use"]
    assert context.told.added["churn/model_approved"] == {
        "model_package_arn": f"{ARN}4",
        "model_package_version": 4,
        "approved_by": "somebody outside Airflow",
    }
    assert context.told.added["energy_use/model_approved"]["approved_by"] == "dana"


@pytest.mark.parametrize("by", ["airflow/dana", "rule"])
def test_what_a_run_of_airflow_approved_is_left_to_that_run(watcher, registered, by):
    """It may be about to emit the asset when the message comes, and would emit it a second time."""
    registered["churn-local"] = by
    with pytest.raises(AirflowSkipException, match="outside Airflow"):
        watcher.tell_approvals(**Context(watcher, [event(4)]))


def test_a_version_is_told_once(watcher, registered):
    """What the watchdog or an earlier delivery told is skipped, and so is a run without any message."""
    for context in (Context(watcher, [event(4)], told=[f"{ARN}4"]), Context(watcher, [])):
        with pytest.raises(AirflowSkipException, match="not told already"):
            watcher.tell_approvals(**context)


def test_one_group_that_cannot_be_judged_keeps_no_other_from_hearing(watcher, registered, capsys):
    """It was rejected again meanwhile, say, or lacks its baselines: the log says so."""
    context = Context(watcher, [event(4), event(4, "odd-local")])
    assert list(watcher.tell_approvals(**context)) == ["churn"]
    assert "odd: odd-local has none" in capsys.readouterr().out


def test_what_is_visible_again_is_left_to_the_look_that_it_comes_back_in(watcher, registered):
    """Its receipt is worthless, and it has been handed on anew, or will be."""
    old = Context(watcher, [event(4)], age=timedelta(seconds=registry_events.VISIBILITY_SECONDS + 1))
    with pytest.raises(AirflowSkipException):
        watcher.tell_approvals(**old)
    assert old.xcoms == {"messages": []}


def test_only_the_last_task_deletes(queue):
    """What the first one has looked at, whether or not there was anything to tell; what was no event is in the log."""
    sqs, url = queue
    watcher = Watcher(url, [])
    context = Context(watcher, [])
    event_of_look = SimpleNamespace(extra={"payload": registry_events.receive(url)}, timestamp=datetime.now(UTC))
    context["inlet_events"][watcher.heard] = Events([event_of_look])
    with pytest.raises(AirflowSkipException):
        watcher.tell_approvals(**context)
    context["inlet_events"][watcher.heard] = Events()
    sqs.send_message(QueueUrl=url, MessageBody="came meanwhile")
    assert watcher.delete_messages(**context) == 2
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("1", "0")
