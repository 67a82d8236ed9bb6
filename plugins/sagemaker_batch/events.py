"""What can happen that people hear of: the events, by name and severity, and which one an error or a verdict is. Pure.

Each has an entry of its name in docs/runbook.md, and may have routes of its own in the use case (`alerts.events`).
"""

from typing import Any

from sagemaker_batch.errors import BatchError, ExecutionError, InputNotReady, MonitorError, Unanswered, Undeliverable

SEVERITY = {
    "drift_warning": "warning",
    "drift_critical": "critical",
    "broken_schema": "critical",
    "pipeline_failed": "error",
    "no_approved_model": "error",
    "batch_late": "error",
    "approval_waiting": "warning",
    "quality_dropped": "critical",
    "dag_failed": "error",
    "alert_undelivered": "error",
    "task_retried": "warning",
}
RUNBOOK = "docs/runbook.md"
# Tasks whose id begins so do nothing but tell.
TELLING = "alert_"


def of_verdict(record: dict[str, Any]) -> str:
    """Return the event of a judged day; `record` is the verdict record."""
    if record["verdict"] == "warned":
        return "drift_warning"
    return "broken_schema" if breaks_schema(record) else "drift_critical"


def breaks_schema(record: dict[str, Any]) -> bool:
    """Tell whether the day's columns are not those that the model knows."""
    from sagemaker_batch.violations import BROKEN_SCHEMA

    return any(item["check"] in BROKEN_SCHEMA for item in record["violations"])


def of_failure(error: BaseException | None, task_id: str = "") -> str:
    """Return the event of a task that failed, by the error or what caused it.

    Without an error (the DAG's callback, a killed worker) it goes by the task: one that only tells has lost a message.
    """
    from sagemaker_batch.registry import NoApprovedModel

    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (Unanswered, "approval_waiting"),
        (Undeliverable, "alert_undelivered"),
        (NoApprovedModel, "no_approved_model"),
        (InputNotReady, "batch_late"),
        (MonitorError, "pipeline_failed"),
        (ExecutionError, "pipeline_failed"),
        (BatchError, "dag_failed"),
    )
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for kind, event in kinds:
            if isinstance(error, kind):
                return event
        error = error.__cause__ or error.__context__
    return "alert_undelivered" if not seen and task_id.startswith(TELLING) else "dag_failed"


def runbook_entry(event: str, runbook_url: str = "") -> str:
    """Return where the runbook says what to do."""
    return f"{runbook_url or RUNBOOK}#{event}"
