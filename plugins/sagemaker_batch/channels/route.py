"""What every channel shares: its form, how long it may take, how an alert looks to machines and within limits."""

import json
import re
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sagemaker_batch.alerts import Alert

SUBJECT_LIMIT = 100  # SNS: ASCII, no line breaks
# SNS and SQS take 256 KiB of text and attributes together.
BODY_LIMIT = 200_000
# A route that does not answer must have failed within the lease that an alert's sender holds (alerts.LEASE).
TIMEOUT_SECONDS = 10
PATIENCE = {"connect_timeout": 3, "read_timeout": 7, "retries": {"mode": "standard", "max_attempts": 3}}
# Verdicts that end an incident: a pager closes it. Of a model's quality, and by a person on a held day, too.
RESOLVED = {"clean", "warned", "good", "released", "discarded"}


class Channel(Protocol):
    """A way to people. `provider` is the package that it needs, empty for what is always there."""

    needs: str
    provider: str

    def tell(self, conn_id: str, connection: Any, alert: "Alert") -> None:
        """Deliver, or raise.

        Raises:
            Undeliverable: the connection does not say where to.
        """


def machine_facts(alert: "Alert") -> dict[str, str]:
    """Return what programs filter by: event, severity, use case, and the alert's own attributes."""
    return {"event": alert.event, "severity": alert.severity, "use_case": alert.use_case, **alert.attributes}


def with_facts(alert: "Alert") -> str:
    """Return the text with the facts as a JSON line after it."""
    return shortened(alert.body) + "\n\n" + json.dumps(machine_facts(alert), sort_keys=True) + "\n"


def subject(text: str) -> str:
    """Return the text as SNS takes a subject: ASCII without control characters, at most 100."""
    flat = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text.encode("ascii", "replace").decode()).strip()
    return flat if len(flat) <= SUBJECT_LIMIT else flat[: SUBJECT_LIMIT - 3] + "..."


def shortened(body: str, limit: int = BODY_LIMIT) -> str:
    """Return the body as a channel takes it (bytes of UTF-8): a text too long loses its end, and says so."""
    raw = body.encode()
    if len(raw) <= limit:
        return body
    kept = raw[:limit].decode(errors="ignore")
    return f"{kept}\n... {len(raw) - len(kept.encode())} more bytes are in the alert's record in S3."
