"""The end of a run, of whatever DAG: what was left undelivered is sent, and a backfilled day gets into its digest."""

from collections.abc import Callable
from typing import Any

from sagemaker_batch import alerts, backfill, digest, records
from sagemaker_batch.failures import note_key
from sagemaker_batch.run_context import run_facts
from sagemaker_batch.use_case import UseCase

Note = dict[str, Any] | None


def enter(  # noqa: PLR0917 - a boundary with many parts
    s3: Any, bucket: str, use_case: UseCase, context: Any, batch_day: str, describe: Callable[[Note], dict[str, Any]]
) -> dict[str, Any]:
    """Return the run's entry: who it is, and what `describe` says of its day, given the reason of a failure or None.

    The entry is what `digest.close_run` takes.
    """
    ti, run = context["ti"], context["dag_run"]
    note = records.read(s3, bucket, note_key(use_case.name, run))
    return {
        "version": 1,
        "run_id": run.run_id,
        "clear_number": int(run.clear_number or 0),
        "started": run.start_date.isoformat(),
        "backfilled": run_facts(context)["run_type"] == "backfill",
        "batch_day": batch_day,
        **describe(note.content if note else silent_failure(ti, run)),
    }


def flush(s3: Any, bucket: str, use_case: UseCase, context: Any) -> None:
    """Send what a callback could not deliver: it has no retry of its own."""
    for left in alerts.flush(s3, bucket, use_case.name, owner=context["dag_run"].run_id):
        print(f"Still undelivered: {left}")  # noqa: T201 - the task's log


def close(s3: Any, bucket: str, use_case: UseCase, context: Any, entry: dict[str, Any]) -> str:
    """Leave the entry, and send the digest when no other day of the backfill is outstanding; returns what was done."""
    ti, run = context["ti"], context["dag_run"]

    def look(entered: backfill.Entered) -> backfill.Standing:
        return backfill.standing(ti, run.dag_id, ti.task_id, entered)

    routes, zone = use_case.alerts.digest, use_case.schedule.timezone
    return digest.close_run(s3, bucket, use_case.name, run.dag_id, entry, routes, look, zone)


def silent_failure(ti: Any, run: Any) -> Note:
    """Name the failed tasks of a run of which no callback could tell: a killed worker says nothing."""
    states = ti.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id]).get(run.run_id, {})
    failed = sorted(task_id for task_id, state in states.items() if str(state) == "failed")
    if not failed:
        return None
    return {"task_id": ", ".join(failed), "what": "failed and gave no reason; its worker may have been killed"}
