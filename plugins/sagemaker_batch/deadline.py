"""A run that comes to no verdict in time: Airflow's own deadline of the daily DAG, which outlives every worker.

The scheduler notices, and the triggerer tells: so a run is told of that no task, callback or listener can tell of any
more. Airflow makes a deadline for every run, whatever its type; it counts from the moment at which the run was queued,
so a backfilled day is not overdue at birth, and a backfilled run that does take long pages nobody. Days that never got
a run are the watchdog's.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sagemaker_batch.use_case import UseCase

CALLBACK = "sagemaker_batch.deadline.batch_late"


def time_allowed(use_case: UseCase) -> timedelta:
    """Return how long after its end a batch day may be without a verdict: its input's deadline, and a grace."""
    return timedelta(minutes=use_case.data.ready.deadline_minutes + use_case.schedule.grace_minutes)


def batch_deadline(use_case: UseCase) -> Any:
    """Return the deadline of the daily DAG's runs."""
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    about = {
        "use_case": use_case.name,
        "timezone": use_case.schedule.timezone,
        "alerts": use_case.alerts.model_dump(mode="json"),
    }
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=time_allowed(use_case),
        callback=AsyncCallback(CALLBACK, kwargs=about),
    )


async def batch_late(use_case: str, timezone: str, alerts: dict[str, Any], context: dict[str, Any]) -> str:
    """Tell of the run, from the triggerer; returns what was done."""
    from asgiref.sync import sync_to_async

    return await sync_to_async(tell_late, thread_sensitive=False)(use_case, timezone, alerts, context["dag_run"])


def tell_late(use_case: str, timezone: str, routes: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Tell of a run (as Airflow's API describes it) that has no verdict in time, unless somebody has heard already.

    Raises:
        Undeliverable: a route failed; the alert is in the outbox.
    """
    from sagemaker_batch import messages, router
    from sagemaker_batch.aws import default_client
    from sagemaker_batch.events import runbook_entry
    from sagemaker_batch.names import verdicts_prefix
    from sagemaker_batch.records import keys
    from sagemaker_batch.run_context import run_page
    from sagemaker_batch.settings import runbook_url, settings
    from sagemaker_batch.use_case import Alerts

    if run["run_type"] == "backfill":
        return "a backfilled day: it pages nobody"
    day = batch_day(run, timezone)
    if not day:
        return "the run names no batch day; its first task says so"
    here = settings()
    s3 = default_client("s3", here)
    if any(True for _ in keys(s3, here.bucket, verdicts_prefix(use_case, date.fromisoformat(day)))):
        return f"{day} has a verdict"
    known = router.standing(s3, here.bucket, use_case, run["dag_id"], day)
    if known is not None and known.verdict == "failed":
        return f"{day}: somebody has heard of it ({known.event})"
    links = {
        "run": run_page(run["dag_id"], run["dag_run_id"]),
        "runbook": runbook_entry("batch_late", runbook_url()),
    }
    alert = messages.late_alert(use_case, run["dag_id"], day, str(run["state"]), links)
    return router.tell(s3, here.bucket, alert, Alerts.model_validate(routes), owner=run["dag_run_id"])


def batch_day(run: Mapping[str, Any], timezone: str) -> str:
    """Return the batch day of a run as its first task would read it; nothing where it names none."""
    asked = (run.get("conf") or {}).get("batch_day")
    if run["run_type"] == "scheduled" and run.get("data_interval_start"):
        moment = datetime.fromisoformat(run["data_interval_start"])
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(ZoneInfo(timezone)).date().isoformat()
    try:
        return date.fromisoformat(str(asked)).isoformat() if asked else ""
    except ValueError:
        return ""
