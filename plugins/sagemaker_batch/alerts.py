"""Telling the right people, once: an alert goes by severity to Airflow connections, and S3 remembers that it went.

An alert has an identity (DAG, batch day, event, verdict). Whoever creates its record below `<use_case>/alerts/` by a
conditional put holds a lease on it and sends; whoever comes later waits until the record says how that ended, or until
the lease has run out, and then takes over, by a conditional put again. The record is saved after each route.

Of "send, then note it" and "note it, then send" we choose the first (at least once): nothing is ever lost, and only a
sender that dies, or hangs beyond its lease, between a route's answer and the next save makes that route hear twice. The
other order (at most once) would swallow the alert of exactly the day on which things break.

What is not delivered stays in the outbox (`<use_case>/alerts/outbox/`), and the last task of every later run sends it:
a callback has no retry of its own.
"""

import hashlib
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.channels import deliver_by_connection, subject
from sagemaker_batch.errors import Undeliverable
from sagemaker_batch.names import alerts_prefix

__all__ = ["LEASE", "Alert", "Deliver", "flush", "given_up", "outbox_prefix", "send", "subject"]

log = logging.getLogger(__name__)
# How long a sender that has not saved its record is believed to be at work; a route has failed before (channels).
LEASE = timedelta(seconds=40)
LOOK_AGAIN_SECONDS = 0.5
Deliver = Callable[[str, "Alert"], None]


@dataclass(frozen=True)
class Alert:
    """One message. `identity` tells it from others, `attributes` are for machines, `covers` names a digest's parts.

    `about` is what it is about (a batch day, a run, a model version), `verdict` how that stands; the router reads both.
    """

    use_case: str
    event: str
    severity: str
    subject: str
    body: str
    identity: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    covers: list[str] = field(default_factory=list)
    about: str = ""

    @property
    def verdict(self) -> str:
        """Return how the subject stands."""
        return self.attributes.get("verdict", "")

    def fingerprint(self) -> str:
        """Return its identity as a short text."""
        return hashlib.sha256(json.dumps(self.identity).encode()).hexdigest()[:16]

    def key(self) -> str:
        """Return the S3 key of its record."""
        day = re.sub(r"[^0-9A-Za-z-]", "", self.attributes.get("batch_day", "")) or "none"
        return f"{alerts_prefix(self.use_case)}{self.event}/dt={day}/{self.fingerprint()}.json"


def outbox_prefix(use_case: str) -> str:
    """Return the prefix of the names of alerts that are not delivered to everyone yet."""
    return f"{alerts_prefix(use_case)}outbox/"


def send(
    s3: Any, bucket: str, alert: Alert, routes: Iterable[str], *, owner: str, deliver: Deliver | None = None
) -> str:
    """Send the alert over every route that has not had it; returns `sent`, `already sent` or `no route`.

    `owner` is the run that sends. A record that another sender holds is waited for, for as long as its lease.

    Raises:
        Undeliverable: a route failed. The record names it, and the next try sends to it again.
    """
    wanted = list(dict.fromkeys(routes))
    sending = _Sending(s3, bucket, alert, owner, uuid.uuid4().hex)
    if not wanted:
        log.warning("No route is configured for severity %s of %s: %s", alert.severity, alert.use_case, alert.subject)
        records.create(s3, bucket, alert.key(), sending.state([], "no route"))
        return "no route"
    # The outbox comes first: were it second, a worker that dies in between would leave nothing to find.
    records.write(s3, bucket, _outbox_key(alert), sending.state(wanted, "sending"))
    while True:
        held = sending.claim(wanted)
        if held is None:
            _forget(s3, bucket, alert)
            return "sent" if sending.by_owner() else "already sent"
        failures = sending.deliver(held, wanted, deliver or deliver_by_connection)
        if failures is None:
            continue  # our lease ran out and another took over: see how that ends
        if failures:
            raise Undeliverable(
                f"The alert {alert.subject!r} reached not everyone: {'; '.join(failures)}. It is kept in "
                f"s3://{bucket}/{alert.key()}, and clearing this task (or the next run's last one) sends what is "
                "missing. Check the connections in Airflow and, for AWS, the role's right to publish."
            )
        _forget(s3, bucket, alert)
        return "sent"


def flush(s3: Any, bucket: str, use_case: str, *, owner: str, deliver: Deliver | None = None) -> list[str]:
    """Send what earlier senders left undelivered, and return what still is: one text each.

    An alert whose sender may still be at work is left to it.
    """
    left = []
    for key, _ in list(records.keys(s3, bucket, outbox_prefix(use_case))):
        note = records.read(s3, bucket, key)
        if note is None:
            continue
        alert = _restored(note.content)
        record = (records.read(s3, bucket, alert.key()) or note).content
        if record["state"] == "delivered":
            _forget(s3, bucket, alert)  # its sender died after the last save
        if not given_up(record, datetime.now(UTC)):
            continue
        try:
            send(s3, bucket, alert, record["routes"], owner=owner, deliver=deliver)
        except Undeliverable as error:
            left.append(str(error))
    return left


def given_up(record: dict[str, Any], now: datetime) -> bool:
    """Tell whether whoever holds the alert's record will not deliver it: it failed, or the lease has run out."""
    stale = now - datetime.fromisoformat(record["at"]) > LEASE
    return record["state"] == "undelivered" or (record["state"] == "sending" and stale)


class _Sending:
    """One attempt at an alert, and the record that it shares with all others."""

    def __init__(self, s3: Any, bucket: str, alert: Alert, owner: str, claim: str) -> None:
        self.s3, self.bucket, self.alert, self.owner, self.token = s3, bucket, alert, owner, claim
        self.key = alert.key()

    def state(self, wanted: list[str], state: str) -> dict[str, Any]:
        """Return a record that nobody has been told from."""
        return {
            "version": 1,
            "owner": self.owner,
            "claim": self.token,
            "use_case": self.alert.use_case,
            "event": self.alert.event,
            "severity": self.alert.severity,
            "subject": self.alert.subject,
            "body": self.alert.body,
            "identity": list(self.alert.identity),
            "attributes": self.alert.attributes,
            "covers": self.alert.covers,
            "about": self.alert.about,
            "state": state,
            "routes": dict.fromkeys(wanted, "pending"),
            "at": _now(),
        }

    def claim(self, wanted: list[str]) -> records.Stored | None:
        """Return the record as ours, or None when every wanted route has had the alert."""
        while True:
            records.create(self.s3, self.bucket, self.key, self.state(wanted, "sending"))
            stored = records.read(self.s3, self.bucket, self.key)
            if stored is None:
                continue  # deleted by hand between both calls
            record = stored.content
            if record.get("claim") == self.token:
                return stored
            if all(record["routes"].get(route) == "delivered" for route in wanted):
                return None
            if record["state"] == "sending" and not given_up(record, datetime.now(UTC)):
                time.sleep(LOOK_AGAIN_SECONDS)
                continue
            routes = {**dict.fromkeys(wanted, "pending"), **record["routes"]}
            ours = {
                **record,
                "owner": self.owner,
                "claim": self.token,
                "state": "sending",
                "routes": routes,
                "at": _now(),
            }
            records.replace(self.s3, self.bucket, self.key, ours, stored.etag)

    def deliver(self, held: records.Stored, wanted: list[str], tell: Deliver) -> list[str] | None:
        """Tell every route that has not heard; return what failed, or None when another has taken the record over."""
        record, etag, failures = held.content, held.etag, []
        pending = [route for route in wanted if record["routes"].get(route) != "delivered"]
        for number, conn_id in enumerate(pending, 1):
            try:
                tell(conn_id, self.alert)
                record["routes"][conn_id] = "delivered"
            except Exception as error:  # noqa: BLE001 - one dead route must not keep the others from hearing
                log.warning("Alert over connection %s failed: %s", conn_id, error)
                record["routes"][conn_id] = "undelivered"
                failures.append(f"{conn_id}: {type(error).__name__}: {error}")
            if number == len(pending):
                record["state"] = "undelivered" if failures else "delivered"
            record["at"] = _now()
            saved = self._save(record, etag)
            if saved is None:
                return None
            etag = saved
        return failures

    def by_owner(self) -> bool:
        """Tell whether the run that asks is the one that has sent."""
        stored = records.read(self.s3, self.bucket, self.key)
        return stored is not None and stored.content["owner"] == self.owner

    def _save(self, record: dict[str, Any], etag: str) -> str | None:
        records.replace(self.s3, self.bucket, self.key, record, etag)
        stored = records.read(self.s3, self.bucket, self.key)  # also when refused: the answer to our own may be lost
        return stored.etag if stored is not None and stored.content == record else None


def _restored(record: dict[str, Any]) -> Alert:
    return Alert(
        use_case=record["use_case"],
        event=record["event"],
        severity=record["severity"],
        subject=record["subject"],
        body=record["body"],
        identity=tuple(record["identity"]),
        attributes=record["attributes"],
        covers=record["covers"],
        about=record.get("about", ""),
    )


def _outbox_key(alert: Alert) -> str:
    return f"{outbox_prefix(alert.use_case)}{alert.fingerprint()}.json"


def _forget(s3: Any, bucket: str, alert: Alert) -> None:
    s3.delete_object(Bucket=bucket, Key=_outbox_key(alert))


def _now() -> str:
    return datetime.now(UTC).isoformat()
