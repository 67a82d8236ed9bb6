"""model_quality: join a day's labels to its published predictions, and check them against the model's own baseline."""
# ruff: noqa: TID251 - this folder is the one that uses the SageMaker SDK

from typing import Any

from sagemaker.core.workflow.conditions import ConditionGreaterThan
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.pipeline import Pipeline

from include.pipelines import engine_bundled, engine_managed, parts
from include.pipelines.settings import Settings
from sagemaker_batch import names
from sagemaker_batch.use_case import Quality

OUTPUTS = ("merged", "constraints", "report")


def model_quality(settings: Settings) -> dict[str, Any]:
    """Return the definition of the pipeline.

    Every use case has it, with or without labels: it costs nothing until it is started.
    """
    session, use_case, environment = parts.session_of(settings), settings.use_case, settings.environment
    defaults = Quality()
    inputs = {
        "predictions": ParameterString("PredictionsUri"),
        "labels": ParameterString("LabelsUri"),
        "schema": ParameterString("FeatureSchemaUri"),
        "statistics": ParameterString("BaselineStatisticsUri"),
        "constraints": ParameterString("BaselineConstraintsUri"),
    }
    prefix = ParameterString("OutputPrefixUri")
    options = {
        "--record-id": ParameterString("RecordIdColumn", default_value=use_case.data.record_id),
        "--label": ParameterString("LabelColumn", default_value=use_case.data.label.name),
        "--minimum-rows": ParameterInteger("MinimumRows", default_value=defaults.minimum_rows),
        "--minimum-share": ParameterFloat("MinimumShare", default_value=defaults.minimum_share),
        "--tolerance": ParameterFloat("Tolerance", default_value=defaults.tolerance),
        "--sigmas": ParameterFloat("Sigmas", default_value=defaults.sigmas),
    }
    instance_type = ParameterString("ProcessingInstanceType", default_value=settings.instance("processing"))
    report = PropertyFile(name="GroundTruth", output_name="report", path="ground_truth.json")
    merge = parts.processing_step(
        name="MergeGroundTruth",
        settings=settings,
        session=session,
        framework="sklearn",
        script="merge_ground_truth.py",
        instance_type=instance_type,
        inputs=inputs,
        outputs={name: parts.below(prefix, name) for name in OUTPUTS},
        arguments=[
            *(text for name in inputs for text in (f"--{name}", f"{parts.INPUT}/{name}")),
            "--output",
            parts.OUTPUT,
            # One argument each, so that a column's name may begin with a dash.
            *(Join(on="=", values=[option, value]) for option, value in options.items()),
        ],
        property_files=[report],
    )
    engine = engine_bundled if settings.engine == "bundled" else engine_managed
    check = engine.quality_check(
        settings,
        session,
        merge,
        prefix,
        instance_type,
        inputs["statistics"],
    )
    enough = ConditionStep(
        name="CheckLabels",
        conditions=[
            ConditionGreaterThan(
                left=JsonGet(step_name=merge.name, property_file=report, json_path="checkable"), right=0
            )
        ],
        if_steps=[check],
        # Too few labels are no failure: the report says so, and the day is looked at again when more arrive.
        else_steps=[],
    )
    return parts.definition_of(
        Pipeline(
            name=names.quality_pipeline(use_case.name, environment.name),
            parameters=[*inputs.values(), prefix, *options.values(), instance_type],
            steps=[merge, enough],
            sagemaker_session=session,
            pipeline_experiment_config=None,
        )
    )
