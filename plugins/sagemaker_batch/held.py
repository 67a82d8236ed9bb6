"""Held days, and what a person makes of them: released with a reason, discarded, or left.

A decision is a record `<use_case>/held/dt=<day>/<execution id>.json`, made by a conditional put: an execution's
predictions are decided on once. A day that is run again is another execution, and needs no decision.
"""

from datetime import UTC, date, datetime
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.errors import PublishError
from sagemaker_batch.events import breaks_schema
from sagemaker_batch.history import judged_days
from sagemaker_batch.names import execution_id, held_key, manifest_key

RELEASED, DISCARDED = "released", "discarded"


def held_days(s3: Any, bucket: str, use_case: str, since: date) -> list[dict[str, Any]]:
    """Return the days that are held and not decided on, oldest first: what is held, why, and whether it can go out."""
    found = []
    for record in judged_days(s3, bucket, use_case, since):
        if record["action"] != "hold" or decision(s3, bucket, use_case, record) is not None:
            continue
        found.append(
            {
                "batch_day": record["batch_day"],
                "verdict_uri": record["uri"],
                "reasons": record["reasons"],
                "rows": record["rows_scorable"],
                "can_be_released": not breaks_schema(record),
                "model_package_version": record["model"]["version"],
            }
        )
    return found


def held_record(s3: Any, bucket: str, use_case: str, day: date) -> dict[str, Any]:
    """Return the verdict record of a held day.

    Raises:
        PublishError: the day was never judged, or its newest verdict does not hold it.
    """
    found = judged_days(s3, bucket, use_case, day, day)
    if not found:
        raise PublishError(f"Batch day {day} of {use_case} has no verdict, so nothing of it is held. Run it first.")
    if found[0]["action"] != "hold":
        raise PublishError(
            f"Batch day {day} of {use_case} is {found[0]['verdict']} and not held, by its newest verdict: "
            f"{found[0]['uri']}."
        )
    return found[0]


def decision(s3: Any, bucket: str, use_case: str, record: dict[str, Any]) -> dict[str, Any] | None:
    """Return what was decided on a held execution; None when nothing was."""
    stored = records.read(s3, bucket, _key(use_case, record))
    return stored.content if stored else None


def proposal(use_case: str, record: dict[str, Any], what: str, reason: str, run: dict[str, str]) -> dict[str, Any]:
    """Return the decision as it would be recorded.

    Raises:
        PublishError: no reason was given, or there is nothing that could be released.
    """
    day = record["batch_day"]
    if not reason.strip():
        raise PublishError(f"Say why batch day {day} is to be {what}: the Param `reason` is empty, and it is kept.")
    if what == RELEASED and breaks_schema(record):
        raise PublishError(
            f"Batch day {day} was held for a broken schema and never scored, so there is nothing to release. Have its "
            "files put right, and run the day again."
        )
    return {
        "version": 1,
        "use_case": use_case,
        "batch_day": day,
        "decision": what,
        "reason": " ".join(reason.split()),
        "by": run["triggered_by"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict_uri": record["uri"],
        "execution_arn": record["execution"]["arn"],
        "run": run,
    }


def decide(s3: Any, bucket: str, record: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Record the proposal, or return the same decision that was recorded before.

    Raises:
        PublishError: another decision stands.
    """
    use_case, day, what = content["use_case"], record["batch_day"], content["decision"]
    if records.create(s3, bucket, _key(use_case, record), content):
        return content
    stored = records.read(s3, bucket, _key(use_case, record))
    if stored is not None and stored.content["decision"] == what:
        return dict(stored.content)
    known = stored.content if stored else {}
    raise PublishError(
        f"Batch day {day} was {known.get('decision')} by {known.get('by')} at {known.get('at')}: "
        f"{known.get('reason')}. Run the day again to change that."
    )


def published_by_newer(s3: Any, bucket: str, use_case: str, record: dict[str, Any]) -> str:
    """Return the execution that has published the day since; empty when none has."""
    stored = records.read(s3, bucket, manifest_key(use_case, date.fromisoformat(record["batch_day"])))
    newer = stored is not None and stored.content["execution_created"] > record["execution"]["created"]
    return str(stored.content["execution_arn"]) if stored and newer else ""


def _key(use_case: str, record: dict[str, Any]) -> str:
    day = date.fromisoformat(record["batch_day"])
    return held_key(use_case, day, execution_id(record["execution"]["arn"]))
