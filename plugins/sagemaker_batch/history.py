"""What has become of past days: the verdict records, the newest of each day."""

import re
from datetime import date
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.events import breaks_schema

DRIFT = "baseline_drift_check"


def judged_days(s3: Any, bucket: str, use_case: str, since: date) -> list[dict[str, Any]]:
    """Return the verdict record of each batch day from `since` on, by day; of several executions the newest's."""
    newest: dict[str, dict[str, Any]] = {}
    for key, _ in records.keys(s3, bucket, f"{use_case}/verdicts/"):
        found = re.search(r"/dt=(\d{4}-\d{2}-\d{2})/", key)
        if found is None or date.fromisoformat(found[1]) < since:
            continue
        stored = records.read(s3, bucket, key)
        if stored is None:
            continue
        known = newest.get(found[1])
        if known is None or known["execution"]["created"] < stored.content["execution"]["created"]:
            newest[found[1]] = stored.content
    return [newest[day] for day in sorted(newest)]


def drifted_share(record: dict[str, Any]) -> float:
    """Return the share of monitored features whose distribution moved (0-1); values outside a domain are no drift."""
    drifted = {item["feature"] for item in record["violations"] if item["check"] == DRIFT}
    return len(drifted) / record["monitored_features"] if record["monitored_features"] else 0.0


def tells_of_drift(record: dict[str, Any]) -> bool:
    """Tell whether a day says anything of drift: it was judged, its schema was whole, and it is no backfill."""
    judged = record["verdict"] in {"clean", "warned", "held"}
    return judged and not breaks_schema(record) and record["run"]["run_type"] != "backfill"
