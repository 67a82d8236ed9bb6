"""The one router: every alert of a task, a callback or a watchdog goes through `tell`.

It knows how each subject (a batch day, a run, a model version) stands: a record in `<use_case>/alerts/standing/<dag>/`
counts how often its verdict has changed. An alert is one per DAG, subject, event and verdict until the verdict changes;
what comes after a change says what was told before. So a retry, a callback that fires twice or a clear that ends as
before tells nobody again, and a day that fails, recovers and fails again is told three times.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sagemaker_batch import alerts, records
from sagemaker_batch.alerts import Alert, Deliver
from sagemaker_batch.names import alerts_prefix
from sagemaker_batch.use_case import Alerts

ATTEMPTS = 20


@dataclass(frozen=True)
class Standing:
    """How a subject stands: its verdict, the event that told of it, and how often the verdict has changed."""

    event: str
    verdict: str
    sequence: int
    run: str
    former_event: str = ""
    former_verdict: str = ""


def standing_key(use_case: str, dag_id: str, about: str) -> str:
    """Return the key of a subject's standing."""
    name = re.sub(r"[^0-9A-Za-z-]", "", about)
    digest = "" if name == about else "-" + hashlib.sha256(about.encode()).hexdigest()[:12]
    return f"{alerts_prefix(use_case)}standing/{dag_id}/{name[:80]}{digest}.json"


def standing(s3: Any, bucket: str, use_case: str, dag_id: str, about: str) -> Standing | None:
    """Return how a subject stands; None when nobody was ever told of it."""
    stored = records.read(s3, bucket, standing_key(use_case, dag_id, about))
    return _of(stored.content) if stored else None


def tell(
    s3: Any,
    bucket: str,
    alert: Alert,
    routes: Alerts,
    *,
    owner: str,
    vague: bool = False,
    deliver: Deliver | None = None,
) -> str:
    """Send an alert to the connections of its event; returns `sent`, `already sent` or `no route`.

    `owner` is the run that tells. `vague` says that the caller knows only that the run failed: if one of its tasks has
    told of that already, this is the same alert.

    Raises:
        Undeliverable: a route failed; the alert is in the outbox.
    """
    now = _advance(s3, bucket, alert, owner, vague=vague)
    attributes, subject, body = dict(alert.attributes), alert.subject, alert.body
    if now.former_verdict:
        attributes |= {"update": "true", "was": now.former_verdict}
        subject = f"[update, was {now.former_verdict}] {subject}"
        body = f"Update: {alert.about} was told as {now.former_verdict} ({now.former_event}) before.\n\n{body}"
    identity = (attributes.get("dag_id", ""), alert.about, now.event, alert.verdict, str(now.sequence))
    made = replace(alert, event=now.event, subject=subject, body=body, attributes=attributes, identity=identity)
    return alerts.send(s3, bucket, made, connections(routes, made), owner=owner, deliver=deliver)


def connections(routes: Alerts, alert: Alert) -> Iterable[str]:
    """Return the connections that hear of an alert: those of its event, or else of its severity."""
    own = getattr(routes.events, alert.event, None)
    return own if own is not None else getattr(routes.routes, alert.severity, [])


def _advance(s3: Any, bucket: str, alert: Alert, owner: str, *, vague: bool) -> Standing:
    key = standing_key(alert.use_case, alert.attributes.get("dag_id", ""), alert.about)
    for _ in range(ATTEMPTS):
        stored = records.read(s3, bucket, key)
        if stored is None:
            first = Standing(alert.event, alert.verdict, 1, owner)
            if records.create(s3, bucket, key, _content(alert, first)):
                return first
            continue
        now = _of(stored.content)
        if now.verdict == alert.verdict:
            if vague and now.run == owner:
                return now
            # Another event of the same verdict is another message, and no change.
            return replace(now, event=alert.event)
        following = Standing(alert.event, alert.verdict, now.sequence + 1, owner, now.event, now.verdict)
        if records.replace(s3, bucket, key, _content(alert, following), stored.etag):
            return following
    raise RuntimeError(f"s3://{bucket}/{key} was changed by others {ATTEMPTS} times in a row; try again.")


def _content(alert: Alert, now: Standing) -> dict[str, Any]:
    return {
        "version": 1,
        "use_case": alert.use_case,
        "dag_id": alert.attributes.get("dag_id", ""),
        "about": alert.about,
        **now.__dict__,
    }


def _of(content: dict[str, Any]) -> Standing:
    return Standing(**{name: content[name] for name in Standing.__dataclass_fields__})
