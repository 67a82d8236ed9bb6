"""What happens when a task or a run fails: callbacks that route to the same alerts as the alerting tasks.

Task callbacks run in the task's process; the DAG's runs in the DAG processor and catches what no task could tell (a
killed worker, a lost heartbeat). Both name the same alert, so only the first is sent.
"""

import logging
from collections.abc import Callable
from datetime import date
from typing import Any

from sagemaker_batch.use_case import Alerts

log = logging.getLogger(__name__)


def retry_callback(use_case: str, alerts: Alerts, timezone: str | None) -> Callable[[Any], None] | None:
    """Return a callback for a task's `on_retry_callback`; None unless the use case routes `task_retried`."""
    if not alerts.events.task_retried:
        return None

    def on_retry(context: Any) -> None:
        try:
            _tell(context, use_case, alerts, timezone, retried=True)
        except Exception:
            log.exception("The repetition of a task of %s could not be reported", use_case)

    return on_retry


def failure_callback(use_case: str, alerts: Alerts, timezone: str | None) -> Callable[[Any], None]:
    """Return a callback for a task's or a DAG's `on_failure_callback`.

    `timezone` is that of the batch day, None for a DAG whose runs have none. Backfilled runs page nobody: their failure
    is noted for the digest. A callback never raises; what cannot be delivered stays in its record (state `undelivered`)
    and in the log.
    """

    def on_failure(context: Any) -> None:
        try:
            _tell(context, use_case, alerts, timezone)
        except Exception:
            log.exception("The failure of a run of %s could not be reported", use_case)

    return on_failure


def note_key(use_case: str, run: Any) -> str:
    """Return the key of what a backfilled run's failing task leaves for the digest; a run made again has another."""
    from sagemaker_batch import digest

    started = run.start_date.isoformat() if run.start_date else ""
    return digest.note_key(digest.entry_key(use_case, run.dag_id, run.run_id, int(run.clear_number or 0), started))


def _tell(context: Any, use_case: str, alerts: Alerts, timezone: str | None, *, retried: bool = False) -> None:
    from sagemaker_batch import events, messages, records, router
    from sagemaker_batch.aws import default_client
    from sagemaker_batch.run_context import batch_day_or_empty, links
    from sagemaker_batch.settings import settings

    here = settings()
    s3 = default_client("s3", here)
    run, ti = context["dag_run"], context.get("ti")
    error = context.get("exception")
    what = str(error or context.get("reason") or "no reason was given; see the task's log")
    task_id = ti.task_id if ti is not None else ""
    if str(getattr(run.run_type, "value", run.run_type)) == "backfill":
        if not retried:
            note = {"version": 1, "task_id": task_id, "what": what}
            records.create(s3, here.bucket, note_key(use_case, run), note)
        return
    day = batch_day_or_empty({**context, "params": context.get("params") or {}}, timezone) if timezone else ""
    if retried:
        event = "task_retried"
        done = f"Airflow repeats it: try {getattr(ti, 'try_number', '?')} failed."
    else:
        event = events.of_failure(error if isinstance(error, BaseException) else None, task_id)
        done = _what_was_done(s3, here.bucket, use_case, day, run)
    alert = messages.failure_alert(
        use_case, run.dag_id, run.run_id, day, task_id, what, links(context, event), event=event, done=done
    )
    router.tell(s3, here.bucket, alert, alerts, owner=run.run_id, vague=error is None)


def _what_was_done(s3: Any, bucket: str, use_case: str, day: str, run: Any) -> str:
    """Say whether the run had published its day before it failed, as when only its alert could not be delivered."""
    from sagemaker_batch import names, records

    try:
        key = names.manifest_key(use_case, date.fromisoformat(day))
    except ValueError:  # the run names no day, or none that is one
        return "Nothing was published by this run."
    stored = records.read(s3, bucket, key)
    by = stored.content["published_by"] if stored else {}
    if (by.get("dag_id"), by.get("run_id")) == (run.dag_id, run.run_id):
        return f"The day was published before this failed: s3://{bucket}/{key}"
    return "Nothing was published by this run."
