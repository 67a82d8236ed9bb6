"""Telling the right people, once: an alert goes by severity to Airflow connections, and S3 remembers that it went.

An alert has an identity (DAG, batch day, event, verdict). Who creates its record below `<use_case>/alerts/` sends it;
whoever comes later finds the record. The record is created before sending and completed after, so a worker that dies in
between may send one route twice, and never forgets one: a retry sends what is not marked as delivered.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.errors import Undeliverable
from sagemaker_batch.names import alerts_prefix

log = logging.getLogger(__name__)
SUBJECT_LIMIT = 100  # SNS: ASCII, no line breaks
STALE = timedelta(minutes=15)
Deliver = Callable[[str, "Alert"], None]


@dataclass(frozen=True)
class Alert:
    """One message. `identity` tells it from others, `attributes` are for machines, `covers` names a digest's parts."""

    use_case: str
    event: str
    severity: str
    subject: str
    body: str
    identity: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    covers: list[str] = field(default_factory=list)

    def key(self) -> str:
        """Return the S3 key of its record."""
        digest = hashlib.sha256(json.dumps(self.identity).encode()).hexdigest()[:16]
        day = re.sub(r"[^0-9A-Za-z-]", "", self.attributes.get("batch_day", "")) or "none"
        return f"{alerts_prefix(self.use_case)}{self.event}/dt={day}/{digest}.json"


def send(
    s3: Any, bucket: str, alert: Alert, routes: Iterable[str], *, owner: str, deliver: Deliver | None = None
) -> str:
    """Send the alert over every route that has not had it; returns `sent`, `already sent` or `no route`.

    `owner` is the run that sends. Another owner's record is taken over only when its delivery failed or never ended.

    Raises:
        Undeliverable: a route failed. The record names it, and the next try sends to it again.
    """
    wanted = list(dict.fromkeys(routes))
    key = alert.key()
    state: dict[str, Any] = {
        "version": 1,
        "owner": owner,
        "event": alert.event,
        "severity": alert.severity,
        "subject": alert.subject,
        "body": alert.body,
        "attributes": alert.attributes,
        "covers": alert.covers,
        "state": "sending" if wanted else "no route",
        "routes": dict.fromkeys(wanted, "pending"),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if not records.create(s3, bucket, key, state):
        stored = records.read(s3, bucket, key)
        if stored is not None:
            if stored.content["owner"] != owner and not given_up(stored.content, datetime.now(UTC)):
                log.info("Already alerted by %s at %s: %s", stored.content["owner"], stored.content["at"], key)
                return "already sent"
            state = {**stored.content, "owner": owner}
            if not records.replace(s3, bucket, key, state, stored.etag):
                log.info("Another run is sending %s at this moment", key)
                return "already sent"
    if not wanted:
        log.warning("No route is configured for severity %s of %s: %s", alert.severity, alert.use_case, alert.subject)
        return "no route"
    failures = _deliver_pending(s3, bucket, key, state, wanted, alert, deliver or deliver_by_connection)
    if failures:
        raise Undeliverable(
            f"The alert {alert.subject!r} reached not everyone: {'; '.join(failures)}. It is kept in "
            f"s3://{bucket}/{key}, and clearing this task sends what is missing. Check the connections in Airflow "
            "(conn_type aws, extra topic_arn) and the role's right to publish."
        )
    return "sent"


def given_up(record: dict[str, Any], now: datetime) -> bool:
    """Tell whether whoever owns the alert's record will not deliver it: it failed, or has been sending for too long."""
    stale = now - datetime.fromisoformat(record["at"]) > STALE
    return record["state"] == "undelivered" or (record["state"] == "sending" and stale)


def _deliver_pending(  # noqa: PLR0917 - a boundary with many parts
    s3: Any, bucket: str, key: str, state: dict[str, Any], wanted: list[str], alert: Alert, deliver: Deliver
) -> list[str]:
    failures = []
    for conn_id in wanted:
        if state["routes"].get(conn_id) == "delivered":
            continue
        try:
            deliver(conn_id, alert)
            state["routes"][conn_id] = "delivered"
        except Exception as error:  # noqa: BLE001 - one dead route must not keep the others from hearing
            log.warning("Alert over connection %s failed: %s", conn_id, error)
            state["routes"][conn_id] = "undelivered"
            failures.append(f"{conn_id}: {type(error).__name__}: {error}")
    state["state"] = "undelivered" if failures else "delivered"
    records.write(s3, bucket, key, state)
    return failures


def deliver_by_connection(conn_id: str, alert: Alert) -> None:
    """Publish by the connection's kind: aws with `topic_arn` in its extra goes to SNS.

    Raises:
        Undeliverable: the connection says nothing that we can send to.
    """
    from airflow.sdk import Connection

    from sagemaker_batch.aws import client

    connection = Connection.get(conn_id)
    topic = connection.extra_dejson.get("topic_arn", "")
    if connection.conn_type != "aws" or not topic:
        raise Undeliverable(
            f"connection {conn_id!r} is of type {connection.conn_type!r} "
            f"{'without topic_arn in its extra' if not topic else ''}; supported: aws with topic_arn"
        )
    attributes = {"event": alert.event, "severity": alert.severity, "use_case": alert.use_case, **alert.attributes}
    client("sns", conn_id, region=topic.split(":")[3]).publish(
        TopicArn=topic,
        Subject=subject(alert.subject),
        Message=alert.body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
        },
    )


def subject(text: str) -> str:
    """Return the text as SNS takes a subject: ASCII without control characters, at most 100."""
    flat = re.sub(r"\s+", " ", text.encode("ascii", "replace").decode()).strip()
    return flat if len(flat) <= SUBJECT_LIMIT else flat[: SUBJECT_LIMIT - 3] + "..."
