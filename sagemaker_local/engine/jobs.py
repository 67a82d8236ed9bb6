"""Steps that start a job: create it under a recorded name, wait for it, read how it ended."""

from __future__ import annotations

import re
import secrets
import string
from typing import Any

from sagemaker_local.definition import without_nulls
from sagemaker_local.engine.context import JOB_TITLES, ExecutionContext
from sagemaker_local.engine.errors import EngineClosedError, StepFailedError, StepStoppedError
from sagemaker_local.errors import ApiError

Document = dict[str, Any]

_SUFFIX = string.ascii_letters + string.digits
_MAX_NAME = 63
_MAX_TUNING_NAME = 32
# What a step's Metadata calls its job, where that is not the title.
_METADATA = {"tuning_job": "TuningJob"}


def job_name(execution_id: str, step: str, kind: str = "") -> str:
    """Return ``pipelines-<execution id>-<step>-<ten random characters>``, shortened in the step to 63 characters.

    A tuning job's name has 32 characters at most, and no ``pipelines-``.
    """
    suffix = "".join(secrets.choice(_SUFFIX) for _ in range(10))
    before, most = (
        (execution_id, _MAX_TUNING_NAME) if kind == "tuning_job" else (f"pipelines-{execution_id}", _MAX_NAME)
    )
    room = most - len(f"{before}--{suffix}")
    short = re.sub(r"[^A-Za-z0-9-]", "-", step)[:room].strip("-")
    return f"{before}-{short}-{suffix}"


def run_job(context: ExecutionContext, step: str, kind: str, name: str, request: Document) -> Document:
    """Create the job (unless a former server did), wait for its end, return its description.

    Args:
        context: the execution.
        step: name of the step.
        kind: ``processing_job`` and so on.
        name: of the job; recorded in the step before, so that no job ever runs twice.
        request: of the Create operation, with expressions resolved.

    Raises:
        StepFailedError: the job could not be created, failed, or was stopped by someone else.
        StepStoppedError: the execution was stopped.
        EngineClosedError: the server ends.
    """
    title = JOB_TITLES[kind]
    with context.api.store.read() as tx:
        known = tx.get(kind, name)
    if known is None:
        if context.stopping.is_set():
            raise StepStoppedError
        call(context, f"Create{title}", {**without_nulls(request), f"{title}Name": name})
        with context.api.store.read() as tx:
            known = tx.get(kind, name) or {}
    context.update_step(step, Metadata={_METADATA.get(kind, title): {"Arn": known[f"{title}Arn"]}})
    if context.stopping.is_set():
        stop_job(context, kind, name)
    fault = context.api.faults.kill(step)
    if fault is not None:
        context.jobs.kill_after(kind, name, fault.seconds)
    context.jobs.wait(kind, name)
    if context.closing.is_set():
        raise EngineClosedError
    described = context.call(f"Describe{title}", {f"{title}Name": name})
    status = described[f"{title}Status"]
    if status == "Completed":
        return described
    if status == "Stopped" and context.stopping.is_set():
        raise StepStoppedError
    reason = described.get("FailureReason", f"The job {name} was stopped.")
    raise StepFailedError(_step_reason(status, reason, described), exception_type(reason))


def stop_job(context: ExecutionContext, kind: str, name: str) -> None:
    """Ask a job to stop; one that has ended already is left alone."""
    title = JOB_TITLES[kind]
    try:
        context.call(f"Stop{title}", {f"{title}Name": name})
    except ApiError as error:
        if error.code != "ValidationException":  # it ended meanwhile, or was never created
            raise


def call(context: ExecutionContext, operation: str, request: Document) -> Document:
    """Call an operation for a step; its refusal is the step's failure."""
    try:
        return context.call(operation, request)
    except ApiError as error:
        if error.code == "ResourceLimitExceeded":
            kind = "SageMaker.RESOURCE_LIMIT"
        elif error.code in {"ThrottlingException", "Throttling"}:
            kind = "Step.THROTTLING"
        else:
            kind = "Step.SERVICE_FAULT" if error.status >= 500 else ""
        raise StepFailedError(f"ClientError: {operation}: {error.code}: {error.message}", kind or None) from error


def exception_type(reason: str) -> str | None:
    """Return what retry policies call the failure of a job, or None when none of theirs applies."""
    if reason.startswith("InternalServerError"):
        return "SageMaker.JOB_INTERNAL_ERROR"
    return "SageMaker.CAPACITY_ERROR" if reason.startswith("CapacityError") else None


def _step_reason(status: str, reason: str, described: Document) -> str:
    if status == "Stopped" and not reason.startswith("MaxRuntimeExceeded"):
        return f"ClientError: {reason}"
    message = described.get("ExitMessage", "")
    return reason if not message or message[:100] in reason else f"{reason} ({message})"
