"""Channels of an `aws` connection: an SNS topic, an SQS queue, or mail through SES, by what its extra names."""

import re
from typing import TYPE_CHECKING, Any

from sagemaker_batch.channels.route import PATIENCE, machine_facts, shortened, subject, with_facts
from sagemaker_batch.errors import Undeliverable

if TYPE_CHECKING:
    from sagemaker_batch.alerts import Alert

KINDS = ("topic_arn", "queue_url", "mail_from")


class Aws:
    """An `aws` connection whose extra has `topic_arn`, `queue_url`, or `mail_from` and `mail_to`.

    `region_name` in the extra is the region, where it is not the topic's own.
    """

    needs = "aws with topic_arn, queue_url, or mail_from and mail_to in its extra"
    provider = ""

    def tell(self, conn_id: str, connection: Any, alert: "Alert") -> None:
        """Deliver to the one place that the extra names."""
        extra = connection.extra_dejson
        named = [kind for kind in KINDS if extra.get(kind)]
        if len(named) != 1:
            what = f"names {' and '.join(named)}" if named else "is without topic_arn in its extra"
            raise Undeliverable(
                f"connection {conn_id!r} is of type 'aws' and {what}; supported: one of {self.needs}, such as "
                '{"topic_arn": "arn:aws:sns:us-east-1:111122223333:alerts"}'
            )
        {"topic_arn": _publish, "queue_url": _queue, "mail_from": _mail}[named[0]](conn_id, extra, alert)


def _client(service: str, conn_id: str, region: str) -> Any:
    from sagemaker_batch.aws import client

    return client(service, conn_id, region=region, botocore_config=PATIENCE)


def _order(place: str, alert: "Alert") -> dict[str, str]:
    # First-in-first-out wants to know what belongs together, and drops what it has seen by itself.
    fifo = place.endswith(".fifo")
    return {"MessageGroupId": alert.use_case, "MessageDeduplicationId": alert.fingerprint()} if fifo else {}


def _attributes(alert: "Alert") -> dict[str, dict[str, str]]:
    return {name: {"DataType": "String", "StringValue": value} for name, value in machine_facts(alert).items() if value}


def _publish(conn_id: str, extra: dict[str, Any], alert: "Alert") -> None:
    """Publish with subject, text, a JSON line and message attributes to filter by."""
    topic = str(extra["topic_arn"])
    found = re.fullmatch(r"arn:[^:]+:sns:([^:]+):\d{12}:[\w-]+(\.fifo)?", topic)
    if found is None:
        raise Undeliverable(
            f"connection {conn_id!r} is of type 'aws' and has topic_arn={topic!r}, which is no SNS topic; it looks "
            "like arn:aws:sns:us-east-1:111122223333:alerts"
        )
    _client("sns", conn_id, str(extra.get("region_name") or found[1])).publish(
        TopicArn=topic,
        Subject=subject(alert.subject),
        Message=with_facts(alert),
        MessageAttributes=_attributes(alert),
        **_order(topic, alert),
    )


def _queue(conn_id: str, extra: dict[str, Any], alert: "Alert") -> None:
    """Send to a queue: the subject is the first line. SQS takes ten attributes."""
    queue = str(extra["queue_url"])
    _client("sqs", conn_id, str(extra.get("region_name") or "")).send_message(
        QueueUrl=queue,
        MessageBody=f"{alert.subject}\n\n{with_facts(alert)}",
        MessageAttributes=dict(list(_attributes(alert).items())[:10]),
        **_order(queue, alert),
    )


def _mail(conn_id: str, extra: dict[str, Any], alert: "Alert") -> None:
    """Send a mail by SES, from an address that it has verified."""
    receivers = addresses(extra.get("mail_to"))
    if not receivers:
        raise Undeliverable(f"connection {conn_id!r} has mail_from and no mail_to in its extra; say who is to read it")
    _client("ses", conn_id, str(extra.get("region_name") or "")).send_email(
        Source=str(extra["mail_from"]),
        Destination={"ToAddresses": receivers},
        Message={"Subject": {"Data": alert.subject}, "Body": {"Text": {"Data": shortened(alert.body)}}},
    )


def addresses(given: Any) -> list[str]:
    """Return mail addresses from a list, or from a text with commas between them."""
    parts = given if isinstance(given, list) else str(given or "").split(",")
    return [str(part).strip() for part in parts if str(part).strip()]
