"""What has become of past days: the verdict records, the newest of each day."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.errors import MonitorError
from sagemaker_batch.events import breaks_schema
from sagemaker_batch.names import split_s3_uri
from sagemaker_batch.violations import DRIFT

DAY = re.compile(r"dt=(\d{4}-\d{2}-\d{2})/")


def verdict_record(s3: Any, uri: str) -> dict[str, Any]:
    """Return the verdict record of a run.

    Raises:
        MonitorError: it is gone.
    """
    stored = records.read(s3, *split_s3_uri(uri))
    if stored is None:
        raise MonitorError(f"The verdict record {uri} is gone. Clear assess_batch to write it again.")
    return dict(stored.content)


def judged_days(s3: Any, bucket: str, use_case: str, since: date, until: date = date.max) -> list[dict[str, Any]]:
    """Return the verdict record of each batch day of a period, by day; of several executions the newest's.

    Both ends are included. It costs a GetObject for each verdict in the period, however many there are before it.
    """
    newest: dict[date, dict[str, Any]] = {}
    for day, key in _verdicts(s3, bucket, use_case, since, until):
        stored = records.read(s3, bucket, key)
        if stored is None:
            continue
        known = newest.get(day)
        if known is None or known["execution"]["created"] < stored.content["execution"]["created"]:
            newest[day] = stored.content
    return [newest[day] for day in sorted(newest)]


def days_with_verdict(s3: Any, bucket: str, use_case: str, since: date) -> set[date]:
    """Return the batch days from `since` on that were judged, from the keys alone."""
    return {day for day, _ in _verdicts(s3, bucket, use_case, since, date.max)}


def _verdicts(s3: Any, bucket: str, use_case: str, since: date, until: date) -> Iterator[tuple[date, str]]:
    """Yield day and key of each verdict record, by day."""
    prefix = f"{use_case}/verdicts/"
    for key, _ in records.keys(s3, bucket, prefix, f"{prefix}dt={since:%Y-%m-%d}"):
        found = DAY.match(key, len(prefix))
        if found is None:
            continue
        day = date.fromisoformat(found[1])
        if day > until:
            return
        yield day, key


def drifted_share(record: dict[str, Any]) -> float:
    """Return the share of monitored features whose distribution moved (0-1); values outside a domain are no drift."""
    drifted = {item["feature"] for item in record["violations"] if item["check"] == DRIFT}
    return len(drifted) / record["monitored_features"] if record["monitored_features"] else 0.0


def tells_of_drift(record: dict[str, Any]) -> bool:
    """Tell whether a day says anything of drift: it was judged, its schema was whole, and it is no backfill."""
    judged = record["verdict"] in {"clean", "warned", "held"}
    return judged and not breaks_schema(record) and record["run"]["run_type"] != "backfill"
