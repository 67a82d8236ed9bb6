"""Executions of pipelines and their steps."""

from __future__ import annotations

import json
from typing import Any

from sagemaker_local import arns, listing, model, parameters, validation
from sagemaker_local.errors import (
    LimitExceededError,
    ResourceNotFoundError,
    ValidationError,
)
from sagemaker_local.operations.experiments import ensure_trial
from sagemaker_local.operations.pipelines import RUNNING, definition_text, find_pipeline, find_version
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.quotas import exceeded

Document = dict[str, Any]

_RETRYABLE = ("Failed", "Stopped")


def find_execution(call: Call, arn: str) -> Document:
    """Return an execution; raise ResourceNotFoundError when there is none of that ARN."""
    execution = call.tx.get("pipeline_execution", arn)
    if execution is None:
        raise ResourceNotFoundError(f"Pipeline execution with ARN {arn} does not exist.")
    return execution


@operation("StartPipelineExecution")
def start_pipeline_execution(call: Call) -> Document:
    request = call.request
    pipeline = find_pipeline(call, request["PipelineName"])
    version = find_version(call, pipeline, request.get("PipelineVersionId"))
    digest = version["_local"]["definition"]
    text = definition_text(call, digest)
    values = _resolved_parameters(text, request.get("PipelineParameters", []))
    reused = _reused(call, pipeline["PipelineArn"], text)
    _check_quota(call)
    arn = f"{pipeline['PipelineArn']}/execution/{arns.execution_id()}"
    display_name = request.get("PipelineExecutionDisplayName", f"execution-{int(call.now * 1000)}")
    execution = {
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": display_name,
        "PipelineExecutionStatus": "Executing",
        "PipelineExecutionDescription": request.get("PipelineExecutionDescription"),
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "ParallelismConfiguration": request.get("ParallelismConfiguration", pipeline.get("ParallelismConfiguration")),
        "PipelineVersionId": version["PipelineVersionId"],
        "SelectiveExecutionConfig": request.get("SelectiveExecutionConfig"),
        "_local": {"definition": digest, "parameters": values, "reused": [step["StepName"] for step in reused]},
    }
    execution = {member: value for member, value in execution.items() if value is not None}
    experiment = _experiment_config(text, execution)
    if experiment:
        execution["PipelineExperimentConfig"] = experiment
        ensure_trial(call, experiment["ExperimentName"], experiment.get("TrialName"))
    call.tx.insert("pipeline_execution", arn, execution, parent=pipeline["PipelineArn"])
    for step in reused:
        call.tx.insert("step", f"{arn}/{step['StepName']}", step, parent=arn)
    pipeline["LastRunTime"] = call.now
    call.tx.put("pipeline", pipeline["PipelineName"], pipeline)
    version["LastExecutedPipelineExecutionArn"] = arn
    version["LastExecutedPipelineExecutionDisplayName"] = execution["PipelineExecutionDisplayName"]
    call.tx.put("pipeline_version", f"{pipeline['PipelineArn']}/{version['PipelineVersionId']}", version)
    call.after_commit(lambda: call.api.runner.execution_created(arn))
    return {"PipelineExecutionArn": arn}


def _experiment_config(text: str, execution: Document) -> Document:
    """Return the experiment and the trial that the definition puts an execution in; empty when it names none.

    Raises:
        ValidationError: a name is none, or refers to what is not known at the start.
    """
    config = json.loads(text).get("PipelineExperimentConfig") or {}
    arn = execution["PipelineExecutionArn"]
    known = {f"Parameters.{each['Name']}": each["Value"] for each in execution["_local"]["parameters"]}
    known |= {
        "Execution.PipelineName": arns.name_of(execution["PipelineArn"]),
        "Execution.PipelineExecutionId": arn.rpartition("/")[2],
    }
    names: Document = {}
    for member in ("ExperimentName", "TrialName"):
        value = config.get(member)
        if isinstance(value, dict):
            value = known.get(str(value.get("Get")), value)
        if value is None:
            continue
        shape = model.service().shape_for("ExperimentEntityName")
        if not isinstance(value, str) or not validation.matches(shape.metadata["pattern"], value):
            raise ValidationError(f"{member} of PipelineExperimentConfig is no name of an experiment: {value!r}.")
        names[member] = value
    if "TrialName" in names and "ExperimentName" not in names:
        raise ValidationError("PipelineExperimentConfig has a TrialName and no ExperimentName.")
    return names


def _reused(call: Call, pipeline_arn: str, text: str) -> list[Document]:
    """Return the steps of a selective execution that are taken over from its source, as they shall stand in it."""
    from sagemaker_local.engine import graph, selective

    config = call.request.get("SelectiveExecutionConfig")
    if config is None:
        return []
    try:
        names = selective.reused(graph.build(json.loads(text)), [each["StepName"] for each in config["SelectedSteps"]])
    except ValueError as error:
        raise ValidationError(str(error)) from error
    source = config.get("SourcePipelineExecutionArn")
    if source is None:
        if names:
            raise ValidationError(
                f"The selected steps need the outputs of {', '.join(names)}, which are not selected: "
                "give SourcePipelineExecutionArn, an execution that has them."
            )
        return []
    former = find_execution(call, source)
    if former["PipelineArn"] != pipeline_arn:
        raise ValidationError(f"SourcePipelineExecutionArn {source} is no execution of {pipeline_arn}.")
    if former["PipelineExecutionStatus"] not in {"Succeeded", "Failed"}:
        raise ValidationError(
            f"SourcePipelineExecutionArn {source} is in status {former['PipelineExecutionStatus']}; "
            "only one that Succeeded or Failed can be taken over from."
        )
    found = [call.tx.get("step", f"{source}/{name}") or {"StepName": name, "StepStatus": "missing"} for name in names]
    missing = [step["StepName"] for step in found if step["StepStatus"] != "Succeeded"]
    if missing:
        raise ValidationError(
            f"The selected steps need the outputs of {', '.join(missing)}, which did not succeed in {source}. "
            "Select them too, or name another execution."
        )
    origin = {"SelectiveExecutionResult": {"SourcePipelineExecutionArn": source}}
    return [{**{name: value for name, value in step.items() if name != "CacheHitResult"}, **origin} for step in found]


def _resolved_parameters(text: str, given: list[Document]) -> list[Document]:
    """Return all parameters of the definition with their values as text, as AWS lists them."""
    names = [parameter["Name"] for parameter in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValidationError(f"Parameter [{', '.join(twice)}] was given more than once.")
    try:
        values = parameters.check(json.loads(text), {parameter["Name"]: parameter["Value"] for parameter in given})
    except ValueError as error:
        raise ValidationError(str(error)) from error
    return [{"Name": name, "Value": _as_text(value)} for name, value in values.items()]


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _check_quota(call: Call) -> None:
    """Refuse one more execution beyond the quota, and note how many run with it."""
    limit = call.api.quotas.concurrent_executions
    running = sum(call.tx.count_where("pipeline_execution", "PipelineExecutionStatus", status) for status in RUNNING)
    if limit is not None and running >= limit:
        raise LimitExceededError(exceeded("Maximum number of concurrent pipeline executions", limit, running))
    call.after_commit(lambda: call.api.calls.running(running + 1))


@operation("DescribePipelineExecution")
def describe_pipeline_execution(call: Call) -> Document:
    return find_execution(call, call.request["PipelineExecutionArn"])


@operation("UpdatePipelineExecution")
def update_pipeline_execution(call: Call) -> Document:
    execution = find_execution(call, call.request["PipelineExecutionArn"])
    execution.update({name: value for name, value in call.request.items() if name != "PipelineExecutionArn"})
    _save(call, execution)
    return {"PipelineExecutionArn": execution["PipelineExecutionArn"]}


@operation("StopPipelineExecution")
def stop_pipeline_execution(call: Call) -> Document:
    execution = find_execution(call, call.request["PipelineExecutionArn"])
    arn, status = execution["PipelineExecutionArn"], execution["PipelineExecutionStatus"]
    if status != "Executing":
        raise ValidationError(
            f"Pipeline execution with ARN {arn} is in status {status}. "
            "Only pipelines with 'Executing' status can be stopped."
        )
    execution["PipelineExecutionStatus"] = "Stopping"
    _save(call, execution)
    call.after_commit(lambda: call.api.runner.execution_stop(arn))
    return {"PipelineExecutionArn": arn}


@operation("RetryPipelineExecution")
def retry_pipeline_execution(call: Call) -> Document:
    execution = find_execution(call, call.request["PipelineExecutionArn"])
    arn, status = execution["PipelineExecutionArn"], execution["PipelineExecutionStatus"]
    if status not in _RETRYABLE:
        raise ValidationError(
            f"Pipeline execution with ARN {arn} is in status {status}. "
            "Only pipelines with 'Failed' or 'Stopped' status can be retried."
        )
    _check_quota(call)
    execution["PipelineExecutionStatus"] = "Executing"
    execution.pop("FailureReason", None)
    # In the same transaction, so that a server which is killed now goes on with the retry and does not lose it.
    for step in call.tx.list("step", arn):
        if step["StepStatus"] != "Succeeded":
            call.tx.delete("step", f"{arn}/{step['StepName']}")
    if "ParallelismConfiguration" in call.request:
        execution["ParallelismConfiguration"] = call.request["ParallelismConfiguration"]
    _save(call, execution)
    call.after_commit(lambda: call.api.runner.execution_retry(arn))
    return {"PipelineExecutionArn": arn}


def _save(call: Call, execution: Document) -> None:
    execution["LastModifiedTime"] = call.now
    call.tx.put("pipeline_execution", execution["PipelineExecutionArn"], execution)


@operation("ListPipelineExecutions")
def list_pipeline_executions(call: Call) -> Document:
    pipeline = find_pipeline(call, call.request["PipelineName"])
    sorts = {"CreationTime": "CreationTime", "PipelineExecutionArn": "PipelineExecutionArn"}
    summary = listing.pick(
        "PipelineExecutionArn",
        "PipelineExecutionStatus",
        "PipelineExecutionDescription",
        "PipelineExecutionDisplayName",
        StartTime="CreationTime",
        PipelineExecutionFailureReason="FailureReason",
    )
    arn = pipeline["PipelineArn"]
    return listing.answer(call, "pipeline_execution", summary, sorts, parent=arn, default="Descending")


@operation("ListPipelineExecutionSteps")
def list_pipeline_execution_steps(call: Call) -> Document:
    arn = call.request.get("PipelineExecutionArn")
    if arn is None:
        raise ValidationError("PipelineExecutionArn is needed to list the steps of an execution.")
    find_execution(call, arn)
    keyed = [([step.get("StartTime") or call.now, index], step) for index, step in enumerate(call.tx.list("step", arn))]
    keyed.sort(key=lambda pair: pair[0], reverse=listing.descending(call, "Descending"))
    return listing.page(
        call,
        keyed,
        lambda step: {name: value for name, value in step.items() if name != "_local"},
        default="Descending",
    )


@operation("DescribePipelineDefinitionForExecution")
def describe_pipeline_definition_for_execution(call: Call) -> Document:
    execution = find_execution(call, call.request["PipelineExecutionArn"])
    return {
        "PipelineDefinition": definition_text(call, execution["_local"]["definition"]),
        "CreationTime": execution["CreationTime"],
    }


@operation("ListPipelineParametersForExecution")
def list_pipeline_parameters_for_execution(call: Call) -> Document:
    listed = find_execution(call, call.request["PipelineExecutionArn"])["_local"]["parameters"]
    keyed: list[tuple[list[Any], Document]] = [([index], parameter) for index, parameter in enumerate(listed)]
    return listing.page(call, keyed, listing.pick("Name", "Value"))
