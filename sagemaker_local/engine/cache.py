"""Step caching: a step that did the same work before, recently enough, is not run again.

"The same" is what AWS documents for each type of step: the attributes below, resolved, of a step of the same name in
the same pipeline. Where a job writes and on what machines it runs is not among them.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from sagemaker_local.definition import without_nulls
from sagemaker_local.engine.context import JOB_TITLES, ExecutionContext
from sagemaker_local.engine.graph import Step

Document = dict[str, Any]

# Type of step -> the attributes that, if changed, make it run again.
ATTRIBUTES = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "QualityCheck": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    "Tuning": ("HyperParameterTuningJobConfig", "TrainingJobDefinition"),
    "Transform": ("ModelName", "TransformInput", "DataProcessing", "Environment", "BatchStrategy", "MaxPayloadInMB"),
}
_CHECK_ATTRIBUTES = (
    "CheckType",
    "ModelPackageGroupName",
    "SkipCheck",
    "RegisterNewBaseline",
    "SuppliedBaselineStatistics",
    "SuppliedBaselineConstraints",
)
_DURATION = re.compile(
    r"P?(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE
)
_SECONDS = (365 * 86400, 30 * 86400, 7 * 86400, 86400, 3600, 60, 1)


def duration(text: str) -> float:
    """Return the seconds of an ISO 8601 duration as AWS writes it: ``P30D``, ``30d``, ``T16m``, ``30dT5h``.

    Raises:
        ValueError: it is none.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is no ISO 8601 duration such as P30D or T12H")
    return float(sum(int(count or 0) * unit for count, unit in zip(match.groups(), _SECONDS, strict=True)))


def key(context: ExecutionContext, step: Step, resolved: Document) -> str:
    """Return what is the same for two runs of a step that do the same work.

    Args:
        context: the execution.
        step: it.
        resolved: its body with all expressions resolved.
    """
    arguments = resolved["Arguments"]
    same = {name: arguments.get(name) for name in ATTRIBUTES[step.type]}
    if step.type == "QualityCheck":
        same |= {name: resolved.get(name) for name in _CHECK_ATTRIBUTES}
    text = json.dumps([step.type, without_nulls(same)], sort_keys=True)
    return f"{context.execution['PipelineArn']}/{step.name}/{hashlib.sha256(text.encode()).hexdigest()}"


def reuse(context: ExecutionContext, step: Step, cache_key: str) -> bool:
    """Take over the result of the last run that did the same, if the step asks for it; tell whether there was one."""
    config = without_nulls(step.body.get("CacheConfig") or {})
    if config.get("Enabled") is not True:
        return False
    with context.api.store.read() as tx:
        found = tx.get("step_cache", cache_key)
        if found is None or tx.get(*found["job"]) is None:
            return False
    if "ExpireAfter" in config and context.api.clock() > found["EndTime"] + duration(config["ExpireAfter"]):
        return False
    context.update_step(step.name, Metadata=None)
    context.update_step(
        step.name,
        _local={"job": found["job"]},
        Metadata=found["Metadata"],
        CacheHitResult={"SourcePipelineExecutionArn": found["PipelineExecutionArn"]},
    )
    return True


def remember(context: ExecutionContext, step: Step, cache_key: str) -> None:
    """Put the result of a step that succeeds on record for later runs."""
    document = context.read_step(step.name) or {}
    kind, name = document["_local"]["job"]
    title = JOB_TITLES[kind]
    with context.api.store.transaction() as tx:
        job = tx.get(kind, name) or {}
        tx.put(
            "step_cache",
            cache_key,
            {
                "PipelineExecutionArn": context.arn,
                "EndTime": job.get(f"{title.removesuffix('Job')}EndTime", context.api.clock()),
                "job": [kind, name],
                "Metadata": document["Metadata"],
            },
        )
