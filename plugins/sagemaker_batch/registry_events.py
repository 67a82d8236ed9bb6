"""Approvals as events: a queue that an EventBridge rule fills, one trigger that waits on it, and who hears of which.

The trigger only looks: a message stays in the queue, invisible for a while, until the asset events of its use case have
been committed, and only then a task of its own deletes it. Whatever dies in between, SQS shows the message again.

A run does not go by the events that started it: Airflow (3.3.1) gives it those up to the first one that was queued, and
leaves what came until the run was made to some later run. It reads all that were handed on while their messages are
invisible; older ones have been shown again, and handed on anew.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, AssetAlias, AssetWatcher
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from sagemaker_batch import names
from sagemaker_batch.threads import LOOKING, in_thread

# How long a message is invisible after a look: as long as the watcher's run may take, retries included.
VISIBILITY_SECONDS = 300
LONG_POLL_SECONDS = 20
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0
WATCHER, EVENTS, APPROVALS = "model_registry_watcher", "sagemaker_batch/registry_events", "sagemaker_batch/approvals"
TELL, DELETE = "tell_approvals", "delete_messages"
# XCom of the messages that have been looked at.
MESSAGES = "messages"
Message = dict[str, str]


class RegistryEventTrigger(BaseEventTrigger):
    """Waits for messages of one queue and hands them on as they are; deletes none."""

    def __init__(self, queue_url: str) -> None:
        super().__init__()
        self.queue_url = queue_url

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes it from again."""
        return "sagemaker_batch.registry_events.RegistryEventTrigger", {"queue_url": self.queue_url}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for the messages of each look; a queue that cannot be read is asked again, later and later."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                found = await in_thread(LOOKING, receive, self.queue_url)
            except Exception:  # any failure to look is one to look again; the log has each
                self.log.exception("The queue %s cannot be read; it is asked again in %.0f s", self.queue_url, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            pause = FIRST_PAUSE_SECONDS
            if found:
                yield TriggerEvent(found)


def receive(queue_url: str) -> list[Message]:
    """Return what the queue holds, waiting for a while for the first message: body, id and receipt of each."""
    from sagemaker_batch.aws import default_client

    answer = default_client("sqs").receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=LONG_POLL_SECONDS,
        VisibilityTimeout=VISIBILITY_SECONDS,
    )
    return [
        {"message_id": item["MessageId"], "receipt": item["ReceiptHandle"], "body": item["Body"]}
        for item in answer.get("Messages", [])
    ]


def approved_groups(messages: Iterable[Message]) -> set[str]:
    """Return the package groups of which the messages say that a version was approved; what is no event names none."""
    found = set()
    for message in messages:
        try:
            detail = json.loads(message["body"])["detail"]
            if detail["ModelApprovalStatus"] == "Approved":
                found.add(str(detail["ModelPackageGroupName"]))
        except (ValueError, KeyError, TypeError):
            continue  # `delete_messages` shows it
    return found


class Watcher:
    """The tasks of the watcher's DAG, for the use cases of an environment."""

    def __init__(self, queue_url: str, use_cases: Iterable[str]) -> None:
        self.queue_url = queue_url
        self.assets = {name: Asset(f"{name}/model_approved") for name in use_cases}
        self.heard = Asset(
            EVENTS, watchers=[AssetWatcher(name="registry_queue", trigger=RegistryEventTrigger(queue_url))]
        )
        self.approvals = AssetAlias(APPROVALS)

    def tell_approvals(self, **context: Any) -> dict[str, dict[str, Any]]:
        """Emit the asset of each use case whose version in use is not told yet; returns what was told, by use case.

        A message only says where to look; what is true says the registry, so that one which comes twice, late or out of
        turn does no harm. What a run of Airflow approved is told by that run, which may still be at it.
        """
        from sagemaker_batch import registry
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.settings import settings

        here, messages = settings(), self._messages(context)
        context["ti"].xcom_push(key=MESSAGES, value=messages)
        client, groups, new = default_client("sagemaker", here), approved_groups(messages), {}
        for name, asset in self.assets.items():
            if (group := names.model_package_group(name, here.environment)) not in groups:
                continue
            try:
                version = registry.latest_approved(client, group)
            except registry.RegistryError as error:
                print(f"{name}: {error}")  # noqa: T201 - the task's log; the watchdog of the use case fails by it
                continue
            if version.decided_in_airflow:
                print(f"{name}: version {version.version} was approved in Airflow, whose run tells it")  # noqa: T201
                continue
            if version.arn in {event.extra.get("model_package_arn") for event in context["inlet_events"][asset]}:
                print(f"{name}: version {version.version} was told already")  # noqa: T201
                continue
            new[name] = version.as_event()
            context["outlet_events"][self.approvals].add(asset, extra=new[name])
        if not new:
            raise AirflowSkipException("Nothing was approved outside Airflow that is not told already.")
        return new

    def delete_messages(self, **context: Any) -> int:
        """Delete the messages that were looked at, now that the asset events are committed; returns how many."""
        from sagemaker_batch.aws import default_client

        sqs, messages = default_client("sqs"), context["ti"].xcom_pull(task_ids=TELL, key=MESSAGES)
        for message in messages:
            sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["receipt"])
            print(f"deleted {message['message_id']}: {message['body'][:200]}")  # noqa: T201 - the task's log
        return len(messages)

    def _messages(self, context: Mapping[str, Any]) -> list[Message]:
        """Return all messages that are invisible now, as far as they were handed on."""
        since = datetime.now(UTC) - timedelta(seconds=VISIBILITY_SECONDS)
        events = context["inlet_events"][self.heard].after(since.isoformat())
        return [message for event in events for message in event.extra["payload"]]
