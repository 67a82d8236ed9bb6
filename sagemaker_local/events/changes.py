"""What EventBridge is told of a change of a document, in the forms of "Events that SageMaker AI sends to EventBridge".

Jobs show times as epoch milliseconds, pipelines and model packages as ISO 8601: so does AWS.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sagemaker_local.engine import graph
from sagemaker_local.operations import tuning
from sagemaker_local.store import Transaction

Document = dict[str, Any]

# Kinds of documents whose changes are events.
KINDS = frozenset(
    {
        "pipeline_execution",
        "step",
        "processing_job",
        "training_job",
        "transform_job",
        "tuning_job",
        "model_package",
        "model",
    }
)
_JOBS = {
    "processing_job": ("ProcessingJob", "SageMaker Processing Job State Change", ("ProcessingJobStatus",)),
    "training_job": (
        "TrainingJob",
        "SageMaker Training Job State Change",
        ("TrainingJobStatus", "SecondaryStatus"),
    ),
    "transform_job": ("TransformJob", "SageMaker Transform Job State Change", ("TransformJobStatus",)),
    "tuning_job": (
        "HyperParameterTuningJob",
        "SageMaker HyperParameter Tuning Job State Change",
        ("HyperParameterTuningJobStatus",),
    ),
}
_PACKAGE_FIELDS = (
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelLifeCycle",
    "SourceUri",
    "CustomerMetadataProperties",
    "InferenceSpecification",
)
_FINAL = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
_TIMES = frozenset({"CreationTime", "LastModifiedTime", "StartTime", "EndTime"})


def event(
    tx: Transaction, kind: str, key: str, change: tuple[Document | None, Document | None], now: float
) -> Document | None:
    """Return the event of a change, without account and region, or None when it is none.

    Args:
        tx: the transaction of the change.
        kind: of the document.
        key: of the document.
        change: the document before (None for a new one) and after (None for one that was deleted).
        now: epoch seconds.
    """
    told = _DESCRIBE[kind](tx, key, *change)
    if told is None:
        return None
    detail_type, resources, detail = told
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.sagemaker",
        "time": _iso(now),
        "resources": resources,
        "detail": detail,
    }


def _job(kind: str) -> Callable[..., Any]:
    title, detail_type, members = _JOBS[kind]

    def describe(tx: Transaction, _key: str, before: Document | None, after: Document | None) -> Any:
        if after is None or (before and all(before.get(member) == after.get(member) for member in members)):
            return None
        arn = after[f"{title}Arn"]
        tags = {tag["Key"]: tag["Value"] for tag in tx.list("tag", arn)}
        shown = {name: value for name, value in after.items() if name != "_local"}
        if kind == "tuning_job":
            shown |= tuning.progress(tx, after)
        return detail_type, [arn], {**_milliseconds(shown), "Tags": tags}

    return describe


def _execution(_tx: Transaction, key: str, before: Document | None, after: Document | None) -> Any:
    status = "PipelineExecutionStatus"
    if after is None or (before and before[status] == after[status]):
        return None
    detail = {
        "pipelineExecutionDisplayName": after.get("PipelineExecutionDisplayName"),
        "currentPipelineExecutionStatus": after[status],
        "previousPipelineExecutionStatus": before[status] if before else None,
        "executionStartTime": _iso(after["CreationTime"]),
        "executionEndTime": _iso(after["LastModifiedTime"]) if after[status] in _FINAL else None,
        "pipelineExecutionDescription": after.get("PipelineExecutionDescription"),
        "pipelineArn": after["PipelineArn"],
        "pipelineExecutionArn": key,
    }
    return "SageMaker Model Building Pipeline Execution Status Change", [after["PipelineArn"], key], _present(detail)


def _step(tx: Transaction, key: str, before: Document | None, after: Document | None) -> Any:
    if after is None or (before and before["StepStatus"] == after["StepStatus"]):
        return None
    arn, _, name = key.rpartition("/")
    execution = tx.get("pipeline_execution", arn) or {}
    pipeline = execution.get("PipelineArn", "")
    failed = after["StepStatus"] == "Failed"
    cached = after.get("CacheHitResult")
    detail = {
        "metadata": _lowered(after.get("Metadata", {})),
        "stepStartTime": _iso(after["StartTime"]) if "StartTime" in after else None,
        "stepEndTime": _iso(after["EndTime"]) if "EndTime" in after else None,
        "stepName": name,
        "stepType": _step_type(tx, execution, name),
        "previousStepStatus": before["StepStatus"] if before else None,
        "currentStepStatus": after["StepStatus"],
        "failureReason": after.get("FailureReason") if failed else None,
        "cacheHitResult": None if cached is None else _lowered(cached),
        "pipelineArn": pipeline,
        "pipelineExecutionArn": arn,
    }
    return "SageMaker Model Building Pipeline Execution Step Status Change", [pipeline, arn], _present(detail)


def _package(_tx: Transaction, _key: str, before: Document | None, after: Document | None) -> Any:
    if after is None:
        return None
    changed = [] if before is None else [each for each in _PACKAGE_FIELDS if before.get(each) != after.get(each)]
    if before is not None and not changed:
        return None
    detail = {
        name: _iso(value) if name in _TIMES else value for name, value in after.items() if not name.startswith("_")
    }
    if changed:
        detail["UpdatedModelPackageFields"] = changed
    return "SageMaker Model Package State Change", [after["ModelPackageArn"]], detail


def _model(tx: Transaction, _key: str, before: Document | None, after: Document | None) -> Any:
    document = after or before
    if document is None or (before and after):
        return None
    tags = {tag["Key"]: tag["Value"] for tag in tx.list("tag", document["ModelArn"])}
    shown = {name: value for name, value in document.items() if name != "_local"}
    return "SageMaker Model State Change", [document["ModelArn"]], {**_milliseconds(shown), "Tags": tags}


_DESCRIBE: dict[str, Callable[..., Any]] = {
    **{kind: _job(kind) for kind in _JOBS},
    "pipeline_execution": _execution,
    "step": _step,
    "model_package": _package,
    "model": _model,
}


def _step_type(tx: Transaction, execution: Document, name: str) -> str | None:
    digest = execution.get("_local", {}).get("definition")
    definition = tx.get("definition", digest) if digest else None
    return None if definition is None else _types(definition["text"]).get(name)


@lru_cache(maxsize=64)
def _types(text: str) -> dict[str, str]:
    bodies = [entry["body"] for entry in graph.flatten(json.loads(text)["Steps"])]
    return {body["Name"]: body["Type"] for body in bodies}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _present(detail: Document) -> Document:
    return {name: value for name, value in detail.items() if value is not None}


def _milliseconds(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _milliseconds(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_milliseconds(item) for item in value]
    if name.endswith("Time") and isinstance(value, (int, float)):
        return int(value * 1000)
    return value


def _lowered(value: Any) -> Any:
    """Return a structure with members in the lower camel case of these events."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lowered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    return value
