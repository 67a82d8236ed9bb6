"""One message for a whole backfill: every day leaves an entry, and the last one to end sends them all.

What can tell that a backfill has ended? The task's context does not know its backfill. The scheduler's listeners do,
but they would call AWS from the scheduler's own loop. A task can ask for the other runs of its DAG and their types
(backfill.py), and all days of a backfill are queued when it is made. So the last task of every run (a teardown: it runs
whatever failed, and does not change the run's state)

1. writes an entry for its day, if it is of a backfill (`<use_case>/alerts/backfill/<dag id>/open/<run>.json`),
2. then looks for a backfilled run that is queued or running and has no entry: if there is one, it will come later,
3. else sends one digest of all entries, and moves them to `.../closed/`.

Entries are written before the look, so of several days that end at once the last writer sees the others' entries: at
least one sends. That several do is settled by the conditional put of the digest's record, whose name is the hash of the
entries it covers and which lists them, so that a run that meets entries on their way out does not send them again.
Scheduled runs and runs by hand are waited for by nobody, and at their end send what somebody else left lying.

A day whose worker was killed, whose tasks failed or were marked failed still gets to its teardown. A day whose teardown
itself died is no longer active: nobody waits for it, and the next day to end enters it as failed.

Limits: the digest is late until the next run of the DAG if the very last day's teardown dies, or if all its tries fail;
a day that is cleared after the digest has a digest of its own; two backfills of one DAG cannot be at work at once
(Airflow refuses that), so their days do not mix.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sagemaker_batch import alerts, messages, records
from sagemaker_batch.backfill import Day, Entered, Standing
from sagemaker_batch.names import alerts_prefix

Look = Callable[[Entered], Standing]


def open_prefix(use_case: str, dag_id: str) -> str:
    """Return the prefix of a DAG's entries that no digest has covered yet."""
    return f"{alerts_prefix(use_case)}backfill/{dag_id}/open/"


def entry_key(use_case: str, dag_id: str, run_id: str, clear_number: int, started: str = "") -> str:
    """Return the key of a run's entry; a run that was cleared, or deleted and made again, leaves another.

    `started` is the run's start in ISO 8601, empty for a run that never started.
    """
    moment = f"#{datetime.fromisoformat(started).timestamp()}" if started else ""
    name = hashlib.sha256(f"{run_id}#{clear_number}{moment}".encode()).hexdigest()[:24]
    return f"{open_prefix(use_case, dag_id)}{name}.json"


def closed_key(key: str) -> str:
    """Return where an entry goes when a digest has covered it."""
    return key.replace("/open/", "/closed/")


def note_key(key: str) -> str:
    """Return where a failing task leaves its reason for the entry of its run."""
    return key.replace("/open/", "/failures/")


def close_run(  # noqa: PLR0917 - a boundary with many parts
    s3: Any,
    bucket: str,
    use_case: str,
    dag_id: str,
    entry: dict[str, Any],
    routes: list[str],
    look: Look,
    timezone: str = "UTC",
    deliver: alerts.Deliver | None = None,
) -> str:
    """Enter the run's day and, when no other is outstanding, send the digest; returns what was done.

    `entry` has run_id, clear_number, started, backfilled, batch_day, verdict, severity, done, reasons and features, and
    may have model_version and rows. `look(entered)` tells how the DAG's backfills stand; `timezone` is the batch days'.

    Raises:
        Undeliverable: the digest reached not everyone; its entries stay.
    """
    own = entry_key(use_case, dag_id, entry["run_id"], entry["clear_number"], entry["started"])
    if entry["backfilled"]:
        records.write(s3, bucket, own, entry)
    if not _open(s3, bucket, use_case, dag_id):
        return "no backfilled day is waiting for a digest"

    def entered(day: Day) -> bool:
        key = entry_key(use_case, dag_id, day.run_id, day.clear_number, day.started)
        # Asked of S3 each time: the answer must not be older than the question to Airflow.
        return any(records.read(s3, bucket, item) is not None for item in (key, closed_key(key)))

    standing = look(entered)
    if standing.at_work is not None:
        return f"{standing.at_work.run_id} is still at work; the last day of the backfill sends the digest"
    for day in standing.died:
        records.create(
            s3,
            bucket,
            entry_key(use_case, dag_id, day.run_id, day.clear_number, day.started),
            _died(day, timezone),
        )
    days = _entries(s3, bucket, use_case, dag_id)
    taken = _taken(s3, bucket, use_case, days, entry["run_id"])
    days = _close_told(s3, bucket, days, taken)
    covered = {key: item for key, item in days.items() if key not in taken}
    if not days:
        return "no backfilled day is waiting for a digest"
    if not covered:
        return "every backfilled day is in a digest that another run sends"
    alert = messages.digest_alert(use_case, dag_id, covered)
    done = alerts.send(s3, bucket, alert, routes, owner=entry["run_id"], deliver=deliver)
    for key, item in covered.items():
        _close(s3, bucket, key, {**item, "digest": alert.key()})
    return f"digest of {len(covered)} day(s): {done}"


def _open(s3: Any, bucket: str, use_case: str, dag_id: str) -> list[str]:
    return [key for key, _ in records.keys(s3, bucket, open_prefix(use_case, dag_id))]


def _entries(s3: Any, bucket: str, use_case: str, dag_id: str) -> dict[str, dict[str, Any]]:
    found = {}
    for key in _open(s3, bucket, use_case, dag_id):
        stored = records.read(s3, bucket, key)
        if stored is not None:
            found[key] = stored.content
    return found


def _taken(s3: Any, bucket: str, use_case: str, days: dict[str, dict[str, Any]], owner: str) -> dict[str, str]:
    """Return the entries of which a digest has told (with its key), or another run's is about to (empty)."""
    starts = [datetime.fromisoformat(item["started"]) for item in days.values() if item["started"]]
    oldest = min(starts, default=datetime.min.replace(tzinfo=UTC))
    taken: dict[str, str] = {}
    for key, changed in records.keys(s3, bucket, f"{alerts_prefix(use_case)}digest/"):
        if changed < oldest:
            continue  # sent before any of these days began
        stored = records.read(s3, bucket, key)
        record = stored.content if stored else {"state": "gone"}
        if record["state"] == "delivered":
            taken |= dict.fromkeys(record["covers"], key)
        elif (
            record["state"] == "sending" and record["owner"] != owner and not alerts.given_up(record, datetime.now(UTC))
        ):
            taken = dict.fromkeys(record["covers"], "") | taken
    return taken


def _close_told(
    s3: Any, bucket: str, days: dict[str, dict[str, Any]], taken: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Move the entries whose digest has arrived, and return the others.

    Whoever sends a digest moves its entries. Of one that a flush has delivered, or whose sender died after that, and of
    the entry that a repeated last task wrote again, nobody else would.
    """
    for key in days.keys() & taken.keys():
        if taken[key]:
            _close(s3, bucket, key, {**days[key], "digest": taken[key]})
    return {key: item for key, item in days.items() if not taken.get(key)}


def _close(s3: Any, bucket: str, key: str, item: dict[str, Any]) -> None:
    records.write(s3, bucket, closed_key(key), item)
    s3.delete_object(Bucket=bucket, Key=key)


def _died(day: Day, timezone: str) -> dict[str, Any]:
    return {
        "version": 1,
        "run_id": day.run_id,
        "clear_number": day.clear_number,
        "started": day.started,
        "backfilled": True,
        "batch_day": day.starts.astimezone(ZoneInfo(timezone)).date().isoformat() if day.starts else "",
        "verdict": "failed",
        "severity": "error",
        "done": "unknown: the run ended without its last task; look at the manifest of the day",
        "reasons": [f"run {day.run_id} ended without saying why; see its tasks"],
        "features": [],
    }
