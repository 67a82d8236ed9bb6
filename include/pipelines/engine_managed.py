"""The managed engine: AWS's own analyzer in QualityCheck steps. Closed to new customers of Model Monitor."""
# ruff: noqa: TID251, PLR0917 - this folder uses the SageMaker SDK, and a step is a function of the steps before it

import json
from typing import Any

from sagemaker.core.model_monitor.dataset_format import DatasetFormat
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.check_job_config import CheckJobConfig
from sagemaker.mlops.workflow.lambda_step import LambdaStep
from sagemaker.mlops.workflow.monitor_batch_transform_step import MonitorBatchTransformStep
from sagemaker.mlops.workflow.quality_check_step import (
    DataQualityCheckConfig,
    ModelQualityCheckConfig,
    QualityCheckStep,
)
from sagemaker.mlops.workflow.steps import ProcessingStep

from include.pipelines import parts
from include.pipelines.parts import Baseline, Monitored
from include.pipelines.settings import Settings
from sagemaker_batch import names


def _one_machine(settings: Settings) -> None:
    """Refuse what this engine cannot do.

    Raises:
        ValueError: the environment asks for several machines.
    """
    if settings.environment.instance_counts.monitoring > 1:
        raise ValueError(
            f"{settings.use_case.name}: instance_counts.monitoring of the environment is above 1, which goes with the "
            "bundled monitor only. Set monitor_engine: bundled in the environment, or the count to 1."
        )


def check_job(settings: Settings, session: PipelineSession, instance_type: Any) -> CheckJobConfig:
    """Return how a pipeline runs the analyzer."""
    _one_machine(settings)
    sensitive = settings.use_case.data.sensitive
    return CheckJobConfig(
        role=settings.role,
        instance_count=1,
        instance_type=instance_type,
        volume_size_in_gb=30,
        max_runtime_in_seconds=settings.environment.max_runtime.monitoring,
        sagemaker_session=session,
        env={"sensitive_features": json.dumps(sensitive)} if sensitive else None,
    )


def baselines(
    settings: Settings,
    session: PipelineSession,
    prepare: ProcessingStep,
    evaluate: ProcessingStep,
    prefix: Any,
    instance_type: Any,
) -> tuple[Baseline, Baseline]:
    """Return the baselines of data quality and of model quality."""
    data = QualityCheckStep(
        name="BaselineData",
        skip_check=True,
        register_new_baseline=True,
        model_package_group_name=_group(settings),
        check_job_config=check_job(settings, session, instance_type),
        quality_check_config=DataQualityCheckConfig(
            baseline_dataset=parts.output_uri(prepare, "monitored"),
            dataset_format=DatasetFormat.csv(header=True),
            output_s3_uri=parts.below(prefix, "baseline", "data_quality"),
        ),
    )
    model = QualityCheckStep(
        name="BaselineModelQuality",
        skip_check=True,
        register_new_baseline=True,
        model_package_group_name=_group(settings),
        check_job_config=check_job(settings, session, instance_type),
        quality_check_config=ModelQualityCheckConfig(
            # The file, not its folder: evaluation.json lies beside it.
            baseline_dataset=Join(on="/", values=[parts.output_uri(evaluate, "evaluation"), "predictions.csv"]),
            dataset_format=DatasetFormat.csv(header=True),
            output_s3_uri=parts.below(prefix, "baseline", "model_quality"),
            **_attributes(settings),
        ),
    )
    return _baseline(data), _baseline(model)


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
    """Return the check and the transform after it."""
    monitor = MonitorBatchTransformStep(
        name="MonitorBatchTransform",
        transform_step_args=transform,
        monitor_configuration=DataQualityCheckConfig(
            baseline_dataset=parts.output_uri(prepare, "monitored"),
            dataset_format=DatasetFormat.csv(header=True),
            output_s3_uri=parts.below(prefix, "monitoring"),
        ),
        check_job_configuration=check_job(settings, session, instance_type),
        monitor_before_transform=True,
        fail_on_violation=fail_on_violation,
        supplied_baseline_statistics=model.properties.Outputs["StatisticsUri"],
        supplied_baseline_constraints=model.properties.Outputs["ConstraintsUri"],
    )
    score, check = monitor.steps
    score.retry_policies = parts.job_retries()
    # The SDK looks for references in a step's arguments only, and the baselines stand beside them.
    check.add_depends_on([model])
    # The SDK 3.27 refuses the collection itself.
    return Monitored(list(monitor.steps), score.name)


def quality_check(
    settings: Settings,
    session: PipelineSession,
    merge: ProcessingStep,
    prefix: Any,
    instance_type: Any,
    statistics: Any,
) -> QualityCheckStep:
    """Return the check of merged labels and predictions; what a violation means is decided by who reads the report."""
    return QualityCheckStep(
        name="CheckModelQuality",
        skip_check=False,
        register_new_baseline=False,
        fail_on_violation=False,
        check_job_config=check_job(settings, session, instance_type),
        quality_check_config=ModelQualityCheckConfig(
            baseline_dataset=parts.output_uri(merge, "merged"),
            dataset_format=DatasetFormat.csv(header=True),
            output_s3_uri=parts.below(prefix, "monitoring"),
            **_attributes(settings),
        ),
        supplied_baseline_statistics=statistics,
        supplied_baseline_constraints=Join(on="/", values=[parts.output_uri(merge, "constraints"), "constraints.json"]),
    )


def _attributes(settings: Settings) -> dict[str, Any]:
    """Return what the columns of a model-quality data set are called, as evaluation and merge write them."""
    regression = settings.use_case.model.problem == "regression"
    return {
        "problem_type": "Regression" if regression else "BinaryClassification",
        "inference_attribute": "prediction",
        "probability_attribute": None if regression else "probability",
        "ground_truth_attribute": "label",
    }


def _group(settings: Settings) -> str:
    return names.model_package_group(settings.use_case.name, settings.environment.name)


def _baseline(step: QualityCheckStep) -> Baseline:
    found = step.properties
    return Baseline(
        step,
        found.CalculatedBaselineStatistics,
        found.CalculatedBaselineConstraints,
        found.BaselineUsedForDriftCheckStatistics,
        found.BaselineUsedForDriftCheckConstraints,
    )
