"""What each type of step does. A step that returns has succeeded; how it fails is told by exceptions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sagemaker_local import arns, crash
from sagemaker_local.definition import without_nulls
from sagemaker_local.engine import cache, conditions
from sagemaker_local.engine.callback_step import run_callback
from sagemaker_local.engine.context import ExecutionContext
from sagemaker_local.engine.errors import EngineClosedError, StepFailedError, StepStoppedError
from sagemaker_local.engine.expressions import ExpressionError, resolve
from sagemaker_local.engine.graph import Step
from sagemaker_local.engine.jobs import call, job_name, run_job
from sagemaker_local.engine.lambda_step import invoke
from sagemaker_local.engine.quality import run_quality_check
from sagemaker_local.engine.retries import Retries

Document = dict[str, Any]

_CUT_OFF = (
    "InternalServerError: The local SageMaker ended while the function ran; it may have done its work or not, so it is "
    "not invoked again. RetryPolicies for Step.SERVICE_FAULT would have it invoked again; so does "
    "RetryPipelineExecution."
)
_JOB_KINDS = {
    "Processing": "processing_job",
    "Training": "training_job",
    "Transform": "transform_job",
    "Tuning": "tuning_job",
}


def run_step(context: ExecutionContext, step: Step) -> None:
    """Run a step to its end, with as many attempts as its retry policies allow.

    Raises:
        StepFailedError: it failed.
        StepStoppedError: the execution was stopped.
        EngineClosedError: the server ends.
    """
    document = context.read_step(step.name) or {}
    retries = Retries(
        step.body.get("RetryPolicies") or [],
        document.get("StartTime", context.api.clock()),
        document.get("_local", {}).get("retries", []),
    )
    attempt = document.get("AttemptCount", 1)
    while True:
        try:
            _RUNNERS[step.type](context, step)
            return
        except ExpressionError as error:
            raise StepFailedError(f"ClientError: {error}") from error
        except StepFailedError as error:
            delay = retries.delay(error.exception_type, context.api.clock())
            if delay is None:
                raise
        attempt += 1
        # A new attempt is a new job: the name of the former one is forgotten.
        context.forget_attempt(step.name, attempt, retries.used)
        if context.stopping.wait(delay):
            if context.closing.is_set():
                raise EngineClosedError
            raise StepStoppedError


def _recorded_job(context: ExecutionContext, step: Step, kind: str) -> str:
    """Return the name of the step's job, put on record before the job exists."""
    local = (context.read_step(step.name) or {}).get("_local", {})
    if "job" in local:
        return str(local["job"][1])
    name = job_name(context.execution_id, step.name, kind)
    context.update_step(step.name, _local={"job": [kind, name]})
    return name


def _run_job_step(context: ExecutionContext, step: Step) -> None:
    kind = _JOB_KINDS[step.type]
    name = _recorded_job(context, step, kind)
    arguments = resolve(step.arguments, context.scope(name))
    same = cache.key(context, step, {"Arguments": arguments})
    if not cache.reuse(context, step, same):
        run_job(context, step.name, kind, name, arguments)
        cache.remember(context, step, same)


def _run_quality_check(context: ExecutionContext, step: Step) -> None:
    name = _recorded_job(context, step, "processing_job")
    given = resolve({key: value for key, value in step.body.items() if key != "DependsOn"}, context.scope(name))
    same = cache.key(context, step, given)
    if not cache.reuse(context, step, same):
        run_quality_check(context, step.name, name, given)
        cache.remember(context, step, same)


def _run_model(context: ExecutionContext, step: Step) -> None:
    local = (context.read_step(step.name) or {}).get("_local", {})
    name = local.get("model") or job_name(context.execution_id, step.name)
    context.update_step(step.name, _local={"model": name, "describe": ["DescribeModel", {"ModelName": name}]})
    with context.api.store.read() as tx:
        known = tx.get("model", name)
    if known is None:
        request = without_nulls(resolve(step.arguments, context.scope(name)))
        arn = call(context, "CreateModel", {**request, "ModelName": name})["ModelArn"]
    else:
        arn = known["ModelArn"]
    context.update_step(step.name, Metadata={"Model": {"Arn": arn}})


def _run_register_model(context: ExecutionContext, step: Step) -> None:
    request = without_nulls(resolve(step.arguments, context.scope()))
    local = (context.read_step(step.name) or {}).get("_local", {})
    token = local.get("token") or str(uuid.uuid4())
    context.update_step(step.name, _local={"token": token})
    group = request.get("ModelPackageGroupName")
    if group is not None:
        _ensure_group(context, group)
    # The token makes a registration that was cut off come to one version, not two.
    arn = call(context, "CreateModelPackage", {**request, "ClientToken": token})["ModelPackageArn"]
    context.update_step(
        step.name,
        _local={"describe": ["DescribeModelPackage", {"ModelPackageName": arn}]},
        Metadata={"RegisterModel": {"Arn": arn}},
    )


def _ensure_group(context: ExecutionContext, group: str) -> None:
    """Make the group of a registration if there is none, as SageMaker does in pipelines."""
    name = arns.name_of(group)
    with context.api.store.read() as tx:
        known = tx.get("model_package_group", name)
    if known is None:
        call(context, "CreateModelPackageGroup", {"ModelPackageGroupName": name})


def _run_lambda(context: ExecutionContext, step: Step) -> None:
    scope = context.scope()
    function = resolve(step.body["FunctionArn"], scope)
    context.update_step(step.name, Metadata={"Lambda": {"Arn": function}})
    if (context.read_step(step.name) or {}).get("_local", {}).get("invoked"):
        raise StepFailedError(_CUT_OFF, "Step.SERVICE_FAULT")
    outputs = step.body.get("OutputParameters") or []
    event = resolve(step.body.get("Arguments") or {}, scope)
    context.update_step(step.name, _local={"invoked": True})
    crash.point("before a function is invoked")
    values = invoke(context.clients.get("lambda", context.role), function, event, outputs)
    shown = [{"Name": name, "Value": str(value)} for name, value in values.items()]
    context.update_step(
        step.name,
        _local={"properties": {"OutputParameters": values}},
        Metadata={"Lambda": {"Arn": function, "OutputParameters": shown}},
    )


def _run_condition(context: ExecutionContext, step: Step) -> None:
    resolved = resolve(step.arguments["Conditions"], context.scope())
    outcome = str(all(conditions.holds(condition) for condition in resolved))
    context.update_step(
        step.name, _local={"properties": {"Outcome": outcome}}, Metadata={"Condition": {"Outcome": outcome}}
    )


def _run_fail(context: ExecutionContext, step: Step) -> None:
    message = str(resolve(step.arguments["ErrorMessage"], context.scope()))
    context.update_step(step.name, Metadata={"Fail": {"ErrorMessage": message[:3072]}})
    raise StepFailedError(message)


_RUNNERS: dict[str, Callable[[ExecutionContext, Step], None]] = {
    "Processing": _run_job_step,
    "Training": _run_job_step,
    "Transform": _run_job_step,
    "Tuning": _run_job_step,
    "QualityCheck": _run_quality_check,
    "Model": _run_model,
    "RegisterModel": _run_register_model,
    "Lambda": _run_lambda,
    "Callback": run_callback,
    "Condition": _run_condition,
    "Fail": _run_fail,
}
