"""The bundled engine: our analyzer in processing steps, so that nothing of Model Monitor is needed.

On several machines (instance_counts.monitoring) a pass over the data is two steps: each machine describes its share of
the files, and one merges the shares and checks the whole. Both together leave what one step on one machine leaves.

The job ends with exit code 0 whatever it finds, because a failing job may lose its outputs; failing on a violation is a
Condition and a Fail after it. Both engines write the same reports below `monitoring/`.
"""
# ruff: noqa: TID251, PLR0917 - this folder uses the SageMaker SDK, and a step is a function of the steps before it

import json
from collections.abc import Mapping
from typing import Any

from sagemaker.core.workflow.conditions import ConditionEquals, ConditionGreaterThan
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.lambda_step import LambdaStep
from sagemaker.mlops.workflow.steps import ProcessingStep, TransformStep

from include.pipelines import parts
from include.pipelines.parts import Baseline, Monitored
from include.pipelines.settings import Settings

DATASET_FORMAT = {"csv": {"header": True, "output_columns_position": "START"}}
STATISTICS, CONSTRAINTS = "statistics.json", "constraints.json"


def baselines(
    settings: Settings,
    session: PipelineSession,
    prepare: ProcessingStep,
    evaluate: ProcessingStep,
    prefix: Any,
    instance_type: Any,
) -> tuple[Baseline, Baseline]:
    """Return the baselines of data quality and of model quality."""
    shards, dataset, stage = _sharded(
        settings, session, "BaselineData", instance_type, prepare, parts.below(prefix, "baseline", "shards")
    )
    data = _analyzer(
        settings,
        session,
        "BaselineData",
        instance_type,
        {"dataset": dataset},
        parts.below(prefix, "baseline", "data_quality"),
        stage,
    )
    model = _analyzer(
        settings,
        session,
        "BaselineModelQuality",
        instance_type,
        # The file, not its folder: evaluation.json lies beside it.
        {"dataset": Join(on="/", values=[parts.output_uri(evaluate, "evaluation"), "predictions.csv"])},
        parts.below(prefix, "baseline", "model_quality"),
        _quality(settings),
    )
    return _baseline(data, before=shards), _baseline(model)


def monitored_transform(
    settings: Settings,
    session: PipelineSession,
    model: LambdaStep,
    prepare: ProcessingStep,
    prefix: Any,
    instance_type: Any,
    fail_on_violation: Any,
    transform: Any,
) -> Monitored:
    """Return the check, the condition on what it found, and the transform after both."""
    outcome = PropertyFile(name="Outcome", output_name="monitoring", path="outcome.json")
    constraints = {"constraints": model.properties.Outputs["ConstraintsUri"]}
    limits = {"baseline_constraints": f"{parts.INPUT}/constraints/{CONSTRAINTS}"}
    shards, dataset, stage = _sharded(
        settings,
        session,
        "MonitorBatchTransform",
        instance_type,
        prepare,
        parts.below(prefix, "shards"),
        constraints,
        limits,
    )
    check = _analyzer(
        settings,
        session,
        "MonitorBatchTransform-monitoring",
        instance_type,
        {"dataset": dataset, "statistics": model.properties.Outputs["StatisticsUri"], **constraints},
        parts.below(prefix, "monitoring"),
        {"baseline_statistics": f"{parts.INPUT}/statistics/{STATISTICS}", **limits, **stage},
        outcome,
    )
    count = JsonGet(step_name=check.name, property_file=outcome, json_path="violations")
    score = TransformStep(
        name="MonitorBatchTransform-transform", step_args=transform, retry_policies=parts.job_retries()
    )
    violated = FailStep(
        name="DataViolatesTheBaseline",
        error_message=Join(on="", values=["FailOnViolation is set, and the monitor found ", count, " violation(s)"]),
    )
    decide = ConditionStep(
        name="CheckViolations",
        conditions=[
            ConditionEquals(left=fail_on_violation, right=True),
            ConditionGreaterThan(left=count, right=0),
        ],
        if_steps=[violated],
        else_steps=[score],
    )
    return Monitored([*shards, check, decide], score.name)


def _sharded(
    settings: Settings,
    session: PipelineSession,
    name: str,
    instance_type: Any,
    prepare: ProcessingStep,
    output: Any,
    inputs: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[list[ProcessingStep], Any, dict[str, str]]:
    """Return the step that describes the prepared data in shares, what the analyzer then reads, and as which stage.

    On one machine there is no such step, and the analyzer reads the data itself.
    """
    prepared, machines = parts.output_uri(prepare, "monitored"), settings.environment.instance_counts.monitoring
    if machines == 1:
        return [], prepared, {}
    step = _analyzer(
        settings,
        session,
        f"{name}-shards",
        instance_type,
        {"dataset": prepared, **(inputs or {})},
        output,
        {"analysis_stage": "shard", **(environment or {})},
        machines=machines,
    )
    return [step], parts.output_uri(step, "monitoring"), {"analysis_stage": "merge"}


def quality_check(
    settings: Settings,
    session: PipelineSession,
    merge: ProcessingStep,
    prefix: Any,
    instance_type: Any,
    statistics: Any,
) -> ProcessingStep:
    """Return the check of merged labels and predictions; what a violation means is decided by who reads the report."""
    return _analyzer(
        settings,
        session,
        "CheckModelQuality",
        instance_type,
        {
            "dataset": parts.output_uri(merge, "merged"),
            "statistics": statistics,
            "constraints": parts.output_uri(merge, "constraints"),
        },
        parts.below(prefix, "monitoring"),
        {
            **_quality(settings),
            "baseline_statistics": f"{parts.INPUT}/statistics/{STATISTICS}",
            "baseline_constraints": f"{parts.INPUT}/constraints/{CONSTRAINTS}",
        },
    )


def _quality(settings: Settings) -> dict[str, str]:
    """Return what makes a job one of model quality; the columns are those that evaluation and merge write."""
    regression = settings.use_case.model.problem == "regression"
    return {
        "analysis_type": "MODEL_QUALITY",
        "problem_type": "Regression" if regression else "BinaryClassification",
        "inference_attribute": "prediction",
        "ground_truth_attribute": "label",
        **({} if regression else {"probability_attribute": "probability"}),
    }


def _analyzer(
    settings: Settings,
    session: PipelineSession,
    name: str,
    instance_type: Any,
    inputs: Mapping[str, Any],
    output: Any,
    environment: Mapping[str, str],
    property_file: PropertyFile | None = None,
    machines: int = 1,
) -> ProcessingStep:
    sensitive = settings.use_case.data.sensitive
    wheels = {"wheels": settings.wheels_uri} if settings.environment.wheelhouse else {}
    return parts.processing_step(
        name=name,
        settings=settings,
        session=session,
        framework="analyzer",
        script="monitor.py",
        instance_type=instance_type,
        inputs={**inputs, **wheels},
        outputs={"monitoring": output},
        arguments=["--opt-ml", "/opt/ml", *(["--wheels", f"{parts.INPUT}/wheels"] if wheels else [])],
        property_files=[property_file] if property_file else [],
        instances=machines,
        sharded=frozenset({"dataset"} if machines > 1 else ()),
        max_runtime=settings.environment.max_runtime.monitoring,
        environment={
            "dataset_format": json.dumps(DATASET_FORMAT),
            "dataset_source": f"{parts.INPUT}/dataset",
            "output_path": f"{parts.OUTPUT}/monitoring",
            "publish_cloudwatch_metrics": "Disabled",
            **({"sensitive_features": json.dumps(sensitive)} if sensitive else {}),
            **environment,
        },
    )


def _baseline(step: ProcessingStep, before: list[ProcessingStep] | None = None) -> Baseline:
    statistics, constraints = (
        Join(on="/", values=[parts.output_uri(step, "monitoring"), name]) for name in (STATISTICS, CONSTRAINTS)
    )
    return Baseline(step, statistics, constraints, statistics, constraints, tuple(before or ()))
