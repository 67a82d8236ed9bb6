"""Whether to ask for a new model before its time: decided from the history, remembered in S3, never asked twice.

A request is a record `<use_case>/retraining/<month>/<number>.json`, made by a conditional put: the number is what caps
a month, and the records are what the next decision looks at, whichever worker makes it. A broken schema never asks for
a model: no training data would mend it.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.history import drifted_share, tells_of_drift
from sagemaker_batch.use_case import Retraining

# The watchdog looks each hour: a request that a worker took with it when it died is met long before.
UNSENT = timedelta(days=2)


@dataclass(frozen=True)
class Wish:
    """Why a new model is wanted, and the days that say so."""

    kind: str
    reason: str
    days: list[str]


def from_drift(days: Sequence[dict[str, Any]], rule: Retraining, model_arn: str) -> Wish | None:
    """Return the wish when the last days that the model in use judged all drifted by the rule's share or more.

    `days` are verdict records by day. A day of a former model says nothing of this one.
    """
    told = [item for item in days if tells_of_drift(item) and item["model"]["arn"] == model_arn]
    last = told[-rule.drift_days :]
    if len(last) < rule.drift_days or any(drifted_share(item) < rule.drift_share for item in last):
        return None
    names = [item["batch_day"] for item in last]
    shares = ", ".join(f"{item['batch_day']} {drifted_share(item):.0%}" for item in last)
    return Wish(
        "drift", f"drift of at least {rule.drift_share:.0%} of the features on {len(last)} days: {shares}", names
    )


def from_quality(quality: Sequence[dict[str, Any]], rule: Retraining, model_arn: str) -> Wish | None:
    """Return the wish when the last reports on the model in use are all below its bound; `quality` are by day."""
    told = [item for item in quality if item["model_package_arn"] == model_arn and item["verdict"] != "unknown"]
    last = told[-rule.quality_days :]
    if len(last) < rule.quality_days or any(item["verdict"] != "dropped" for item in last):
        return None
    names = [item["batch_day"] for item in last]
    return Wish("quality", f"quality below its bound on {len(last)} day(s): {', '.join(names)}", names)


def month_prefix(use_case: str, moment: datetime) -> str:
    """Return the prefix of a month's requests (UTC)."""
    return f"{use_case}/retraining/{moment.astimezone(UTC):%Y-%m}/"


def requests(s3: Any, bucket: str, use_case: str) -> list[dict[str, Any]]:
    """Return every request so far, oldest first."""
    found = [records.read(s3, bucket, key) for key, _ in records.keys(s3, bucket, f"{use_case}/retraining/")]
    return sorted((item.content for item in found if item), key=lambda item: str(item["at"]))


def unsent(known: Sequence[dict[str, Any]], emitted: Container[str], now: datetime) -> dict[str, Any] | None:
    """Return the oldest request that has not reached Airflow yet; None when each has.

    Airflow's events are the proof, and it forgets them (`airflow db clean`, a new metadata database), while requests
    stay: of an older request that Airflow does not know we believe that it was heard.
    """
    young = [item for item in known if now - datetime.fromisoformat(item["at"]) < UNSENT]
    return next((item for item in young if item["id"] not in emitted), None)


def refusal(known: Sequence[dict[str, Any]], wish: Wish, rule: Retraining, now: datetime) -> str:
    """Say why a wish is not to be granted now; nothing when it is."""
    if known:
        last = known[-1]
        asked = datetime.fromisoformat(last["at"])
        if now - asked < timedelta(days=rule.cooldown_days):
            return (
                f"the last request, {last['id']}, is of {last['at']}; the next may come {rule.cooldown_days} days later"
            )
        if wish.kind == last["kind"] and set(wish.days) & set(last["days"]):
            return f"request {last['id']} rested on some of the same days"
    month = [item for item in known if item["id"].startswith(f"{now.astimezone(UTC):%Y-%m}")]
    if len(month) >= rule.per_month:
        return f"{len(month)} request(s) this month are as many as retraining.per_month allows"
    return ""


def make_request(  # noqa: PLR0917 - a boundary with many parts
    s3: Any, bucket: str, use_case: str, wish: Wish, model_arn: str, now: datetime, run_id: str
) -> dict[str, Any] | None:
    """Write the request; None when another run has just made one of the same number."""
    month = month_prefix(use_case, now)
    number = sum(1 for _ in records.keys(s3, bucket, month)) + 1
    content = {
        "version": 1,
        "id": f"{now.astimezone(UTC):%Y-%m}/{number}",
        "use_case": use_case,
        "kind": wish.kind,
        "reason": wish.reason,
        "days": wish.days,
        "model_package_arn": model_arn,
        "at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "run_id": run_id,
    }
    return content if records.create(s3, bucket, f"{month}{number}.json", content) else None
