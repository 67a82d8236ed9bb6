"""Where an alert can go: one small class for each type of Airflow connection that we know how to tell something.

A further type is one more class with `tell`, and its line in `CHANNELS`.
"""

import json
import re
from typing import TYPE_CHECKING, Any, Protocol

from sagemaker_batch.errors import Undeliverable

if TYPE_CHECKING:
    from sagemaker_batch.alerts import Alert

SUBJECT_LIMIT = 100  # SNS: ASCII, no line breaks
# SNS takes 256 KiB of text and attributes together.
BODY_LIMIT = 200_000
# A route that does not answer must have failed within the lease that an alert's sender holds (alerts.LEASE).
PATIENCE = {"connect_timeout": 3, "read_timeout": 7, "retries": {"mode": "standard", "max_attempts": 3}}


class Channel(Protocol):
    """A way to people."""

    needs: str

    def tell(self, conn_id: str, extra: dict[str, Any], alert: "Alert") -> None:
        """Deliver, or raise.

        Raises:
            Undeliverable: the connection does not say where to.
        """


class SnsTopic:
    """An `aws` connection whose extra has `topic_arn` (and `region_name`, if it is not the topic's own)."""

    needs = "aws with topic_arn in its extra"

    def tell(self, conn_id: str, extra: dict[str, Any], alert: "Alert") -> None:
        """Publish with subject, text, a JSON block and message attributes to filter by."""
        from sagemaker_batch.aws import client

        topic = str(extra.get("topic_arn") or "")
        found = re.fullmatch(r"arn:[^:]+:sns:([^:]+):\d{12}:[\w-]+(\.fifo)?", topic)
        if found is None:
            what = f"has topic_arn={topic!r}, which is no SNS topic" if topic else "is without topic_arn in its extra"
            raise Undeliverable(
                f"connection {conn_id!r} is of type 'aws' and {what}; supported: {self.needs}, such as "
                '{"topic_arn": "arn:aws:sns:us-east-1:111122223333:alerts"}'
            )
        facts = machine_facts(alert)
        # A first-in-first-out topic wants to know what belongs together, and drops what it has seen by itself.
        order = {"MessageGroupId": alert.use_case, "MessageDeduplicationId": alert.fingerprint()} if found[2] else {}
        client("sns", conn_id, region=str(extra.get("region_name") or found[1]), botocore_config=PATIENCE).publish(
            TopicArn=topic,
            Subject=subject(alert.subject),
            Message=shortened(alert.body) + "\n\n" + json.dumps(facts, sort_keys=True) + "\n",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in facts.items() if value
            },
            **order,
        )


CHANNELS: dict[str, Channel] = {"aws": SnsTopic()}


def deliver_by_connection(conn_id: str, alert: "Alert") -> None:
    """Tell by the connection's type.

    Raises:
        Undeliverable: the connection is of a type that we do not know, or does not say where to.
    """
    from airflow.sdk import Connection

    connection: Any = Connection.get(conn_id)
    channel = CHANNELS.get(connection.conn_type)
    if channel is None:
        known = ", ".join(item.needs for item in CHANNELS.values())
        raise Undeliverable(
            f"connection {conn_id!r} is of type {connection.conn_type!r}, which no alert can go to; supported: {known}"
        )
    channel.tell(conn_id, connection.extra_dejson, alert)


def machine_facts(alert: "Alert") -> dict[str, str]:
    """Return what programs filter by: event, severity, use case, and the alert's own attributes."""
    return {"event": alert.event, "severity": alert.severity, "use_case": alert.use_case, **alert.attributes}


def subject(text: str) -> str:
    """Return the text as SNS takes a subject: ASCII without control characters, at most 100."""
    flat = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text.encode("ascii", "replace").decode()).strip()
    return flat if len(flat) <= SUBJECT_LIMIT else flat[: SUBJECT_LIMIT - 3] + "..."


def shortened(body: str) -> str:
    """Return the body as SNS takes it: a text too long loses its end, and says so."""
    raw = body.encode()
    if len(raw) <= BODY_LIMIT:
        return body
    kept = raw[:BODY_LIMIT].decode(errors="ignore")
    return f"{kept}\n... {len(raw) - len(kept.encode())} more bytes are in the alert's record in S3."
