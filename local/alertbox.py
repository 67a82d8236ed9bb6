"""The local inbox: alerts as they arrived in the SQS queue that is subscribed to the alert topic."""

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from local.airflow import ENVIRONMENT
from sagemaker_batch import names

# Where the keeper of a house that stays up keeps what it took from the queue.
INBOX_FILE = "inbox.jsonl"


@dataclass(frozen=True)
class Alert:
    """One message as it arrived."""

    id: str
    subject: str
    text: str
    attributes: dict[str, str] = field(default_factory=dict)
    sent: str = ""

    @property
    def is_digest(self) -> bool:
        """Tell a digest of many days from a message on one."""
        return self.attributes.get("event") == "digest"

    def concerns(self, day: date) -> bool:
        """Tell whether it names the batch day."""
        return day.isoformat() in f"{self.subject}\n{self.text}"


class Inbox:
    """Collects what the queue holds. A message is removed from the queue only when it has been kept here."""

    def __init__(self, sqs: Any) -> None:
        self.sqs = sqs
        self.alerts: list[Alert] = []

    def collect(self) -> list[Alert]:
        """Fetch what has arrived since; return everything that arrived so far, oldest first."""
        queue = self.sqs.get_queue_url(QueueName=names.alert_inbox(ENVIRONMENT))["QueueUrl"]
        while True:
            answer = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            messages = answer.get("Messages", [])
            if not messages:
                return self.alerts
            for message in messages:
                self.keep(parse(message))
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def keep(self, alert: Alert) -> None:
        """Keep an alert; one that SQS delivers twice counts once."""
        if all(known.id != alert.id for known in self.alerts):
            self.alerts.append(alert)


class KeptInbox(Inbox):
    """An inbox whose alerts also stand in a file, one JSON object a line, and survive a restart."""

    def __init__(self, sqs: Any, file: Path) -> None:
        super().__init__(sqs)
        self.file = file
        self.alerts = read_kept(file)

    def keep(self, alert: Alert) -> None:
        """Keep an alert in memory and in the file."""
        before = len(self.alerts)
        super().keep(alert)
        if len(self.alerts) > before:
            with self.file.open("a") as stream:
                stream.write(json.dumps(asdict(alert)) + "\n")


def read_kept(file: Path) -> list[Alert]:
    """Return the alerts of such a file, oldest first; a line that is being written at this moment is left for later."""
    text = file.read_text() if file.exists() else ""
    return [Alert(**json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def parse(message: dict[str, Any]) -> Alert:
    """Read SNS's envelope; a message that is none (raw delivery) is its own text."""
    try:
        envelope = json.loads(message["Body"])
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict) or "Message" not in envelope:
        raw = {name: str(value.get("StringValue", "")) for name, value in message.get("MessageAttributes", {}).items()}
        return Alert(message["MessageId"], message["Body"].splitlines()[0][:100], message["Body"], raw)
    attributes = {name: str(value.get("Value", "")) for name, value in envelope.get("MessageAttributes", {}).items()}
    return Alert(
        envelope.get("MessageId", message["MessageId"]),
        envelope.get("Subject") or "",
        envelope["Message"],
        attributes,
        envelope.get("Timestamp", ""),
    )
