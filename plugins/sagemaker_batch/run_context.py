"""What Airflow knows about a run, as plain values: the one reader of the task context."""

from datetime import UTC, datetime
from typing import Any

from sagemaker_batch.batch_day import RunRequest, read_request
from sagemaker_batch.errors import BadRun


def run_request(context: Any, timezone: str) -> RunRequest:
    """Return the batch day and policy that the run asks for.

    Raises:
        BadRun: see `batch_day.read_request`.
    """
    run = context["dag_run"]
    return read_request(
        str(getattr(run.run_type, "value", run.run_type)),
        run.data_interval_start,
        run.data_interval_end,
        run_params(context),
        run.conf,
        timezone,
        datetime.now(UTC),
    )


def run_params(context: Any) -> dict[str, Any]:
    """Return the values of the DAG's own Params: the context's also carry whatever keys a configuration came with."""
    return {name: context["params"].get(name) for name in context["dag"].params}


def batch_day_or_empty(context: Any, timezone: str) -> str:
    """Return the batch day as text, or nothing where the run has none: for telling of failures."""
    try:
        return run_request(context, timezone).day.isoformat()
    except (BadRun, KeyError):
        asked = (context["dag_run"].conf or {}).get("batch_day")
        return str(asked or "")


def run_facts(context: Any) -> dict[str, str]:
    """Return who ran this, as records carry it."""
    run, ti = context["dag_run"], context["ti"]
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "run_type": str(getattr(run.run_type, "value", run.run_type)),
        "triggered_by": run.triggering_user_name or "airflow",
        "dag_version": str(getattr(ti, "dag_version_id", "") or ""),
    }


def base_url() -> str:
    """Return Airflow's own address without a closing slash; empty when it is not configured."""
    from airflow.sdk.configuration import conf

    return (conf.get("api", "base_url", fallback="") or "").rstrip("/")


def run_link(context: Any) -> str:
    """Return the page of the run in Airflow's UI; empty when the base URL is not configured."""
    from urllib.parse import quote

    base, run = base_url(), context["dag_run"]
    return f"{base}/dags/{quote(run.dag_id)}/runs/{quote(run.run_id, safe='')}" if base else ""


def links(context: Any, event: str, **others: str) -> dict[str, str]:
    """Return where an alert leads: the run, what else there is, and the runbook's entry of the event."""
    from sagemaker_batch.events import runbook_entry
    from sagemaker_batch.settings import runbook_url

    return {"run": run_link(context), **others, "runbook": runbook_entry(event, runbook_url())}
