"""One message for a whole backfill: every day leaves an entry, and the last one to end sends them all.

What can tell that a backfill has ended? The task's context does not know its backfill, nor how many days it has; the
scheduler's listeners do, but they would call AWS from the scheduler's own loop. What a task *can* ask is how many runs
of the DAG are active, also among given run ids. So the last task of every run (a teardown: it runs whatever failed, and
does not change the run's state)

1. writes an entry for its run (`<use_case>/alerts/backfill/open/<run>.json`), whatever the run's type,
2. then asks how many runs of the DAG are queued or running, and how many of those have an entry.

If both counts agree, every active run is past step 1 and there is no day to wait for. Entries are written before the
count, so of several runs that end at once the last writer sees all the others' entries: at least one counts right. That
several do is settled by the conditional put of the digest's record, whose name is the hash of the entries it covers
and which lists them, so that a run that meets entries on their way out does not send them a second time.
A run that dies before step 1 is no longer active and blocks nobody; its siblings, or the next scheduled run, send the
digest. Entries are removed after delivery; what could not be delivered stays and is sent by the next run that ends.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sagemaker_batch import alerts, messages, records
from sagemaker_batch.names import alerts_prefix

# How long the entry of a run that is not of a backfill is kept for others to count.
KEEP = timedelta(days=1)
ActiveRuns = Callable[[list[str] | None], int]


def open_prefix(use_case: str) -> str:
    """Return the prefix of the entries that no digest has covered yet."""
    return f"{alerts_prefix(use_case)}backfill/open/"


def entry_key(use_case: str, run_id: str, clear_number: int) -> str:
    """Return the key of a run's entry; a cleared run leaves another."""
    name = hashlib.sha256(f"{run_id}#{clear_number}".encode()).hexdigest()[:24]
    return f"{open_prefix(use_case)}{name}.json"


def close_run(  # noqa: PLR0917 - a boundary with many parts
    s3: Any,
    bucket: str,
    use_case: str,
    dag_id: str,
    entry: dict[str, Any],
    routes: list[str],
    active_runs: ActiveRuns,
    deliver: alerts.Deliver | None = None,
) -> str:
    """Leave the run's entry and, when no day is outstanding, send the digest; returns what was done.

    `entry` has run_id, clear_number, started, backfilled, batch_day, verdict, severity, done, reasons and features.
    `active_runs(run_ids)` counts queued and running runs of the DAG, all of them for None.

    Raises:
        Undeliverable: the digest reached not everyone; its entries stay.
    """
    own = entry_key(use_case, entry["run_id"], entry["clear_number"])
    records.write(s3, bucket, own, entry)
    entries = _entries(s3, bucket, use_case)
    run_ids = sorted({item["run_id"] for item, _ in entries.values()})
    waiting = active_runs(None) - active_runs(run_ids)
    if waiting > 0:
        return f"{waiting} run(s) of {dag_id} are still at work; the last one sends the digest"
    now = datetime.now(UTC)
    _forget(s3, bucket, [key for key, (item, at) in entries.items() if not item["backfilled"] and now - at > KEEP])
    days = {key: found for key, found in entries.items() if found[0]["backfilled"]}
    taken = _taken(s3, bucket, use_case, days, entry["run_id"])
    _forget(s3, bucket, [key for key, state in taken.items() if state == "delivered"])
    covered = {key: item for key, (item, _) in days.items() if key not in taken}
    if not covered:
        return "no backfilled day is waiting for a digest"
    alert = messages.digest_alert(use_case, dag_id, covered)
    done = alerts.send(s3, bucket, alert, routes, owner=entry["run_id"], deliver=deliver)
    if done != "already sent":
        _forget(s3, bucket, list(covered))
    return f"digest of {len(covered)} day(s): {done}"


def _entries(s3: Any, bucket: str, use_case: str) -> dict[str, tuple[dict[str, Any], datetime]]:
    found = {}
    for key, changed in records.keys(s3, bucket, open_prefix(use_case)):
        stored = records.read(s3, bucket, key)
        if stored is not None:
            found[key] = (stored.content, changed)
    return found


def _taken(
    s3: Any, bucket: str, use_case: str, days: dict[str, tuple[dict[str, Any], datetime]], owner: str
) -> dict[str, str]:
    """Return the entries that another run's digest covers, with that digest's state.

    They are about to be cleared away, or came back when a task that had been covered was repeated.
    """
    if not days:
        return {}
    oldest = min(datetime.fromisoformat(item["started"]) for item, _ in days.values())
    taken: dict[str, str] = {}
    for key, changed in records.keys(s3, bucket, f"{alerts_prefix(use_case)}digest/"):
        if changed < oldest:
            continue  # sent before any of these runs began
        stored = records.read(s3, bucket, key)
        if stored is None or stored.content["owner"] == owner or alerts.given_up(stored.content, datetime.now(UTC)):
            continue
        taken.update((name, stored.content["state"]) for name in stored.content["covers"] if name in days)
    return taken


def _forget(s3: Any, bucket: str, names: list[str]) -> None:
    for key in names:
        s3.delete_object(Bucket=bucket, Key=key)
