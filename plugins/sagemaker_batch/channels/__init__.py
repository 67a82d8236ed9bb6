"""Where an alert can go: one small class for each type of Airflow connection that we know how to tell something.

A further type is one more class with `tell`, and its line in `CHANNELS`.
"""

import re
from typing import TYPE_CHECKING, Any

from sagemaker_batch.channels.aws import Aws
from sagemaker_batch.channels.people import Mail, Pager, Slack, SlackWebhook, Webhook
from sagemaker_batch.channels.route import Channel, machine_facts, shortened, subject
from sagemaker_batch.errors import Undeliverable

if TYPE_CHECKING:
    from sagemaker_batch.alerts import Alert

__all__ = ["CHANNELS", "Channel", "deliver_by_connection", "machine_facts", "shortened", "subject"]

CHANNELS: dict[str, Channel] = {
    "aws": Aws(),
    "smtp": Mail(),
    "slackwebhook": SlackWebhook(),
    "slack": Slack(),
    "pagerduty_events": Pager(),
    "http": Webhook(),
}
SECRET = re.compile(r"token|secret|password|passwd|key|credential|authorization", re.IGNORECASE)
SHORTEST_SECRET = 6


def deliver_by_connection(conn_id: str, alert: "Alert") -> None:
    """Tell by the connection's type.

    Raises:
        Undeliverable: the connection is of a type that we do not know, its provider is not installed, it does not say
            where to, or the channel refused; without the connection's secrets.
    """
    from airflow.sdk import Connection

    connection: Any = Connection.get(conn_id)
    channel = CHANNELS.get(connection.conn_type)
    if channel is None:
        known = ", ".join(item.needs for item in CHANNELS.values())
        raise Undeliverable(
            f"connection {conn_id!r} is of type {connection.conn_type!r}, which no alert can go to; supported: {known}"
        )
    try:
        channel.tell(conn_id, connection, alert)
    except ModuleNotFoundError as error:
        if not channel.provider:
            raise
        raise Undeliverable(
            f"connection {conn_id!r} is of type {connection.conn_type!r}, and {error.name} is not installed; add "
            f"{channel.provider} to requirements.txt (on MWAA: to the environment's), or route to another connection"
        ) from None
    except Exception as error:
        said = str(error)
        clean = without_secrets(said, connection)
        if clean == said:
            raise
        # Not from the original, whose own text would stand in the log.
        raise Undeliverable(f"{type(error).__name__}: {clean}") from None


def without_secrets(text: str, connection: Any) -> str:
    """Return the text with every secret of the connection replaced: a channel's error may quote its own URL."""
    extra = connection.extra_dejson if isinstance(connection.extra_dejson, dict) else {}
    secrets = [connection.password, *(value for key, value in extra.items() if SECRET.search(key))]
    for secret in secrets:
        if isinstance(secret, str) and len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text
