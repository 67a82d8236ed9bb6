"""batch_monitor: find the approved model, prepare the day by its schema, check the data, score it."""
# ruff: noqa: TID251 - this folder is the one that uses the SageMaker SDK

from typing import Any

from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.parameters import ParameterBoolean, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep

from include.pipelines import engine_bundled, engine_managed, parts
from include.pipelines.settings import Settings
from sagemaker_batch import names

LAMBDA_OUTPUTS = (
    "ModelPackageArn",
    "ModelPackageVersion",
    "ModelName",
    "StatisticsUri",
    "ConstraintsUri",
    "FeatureSchemaUri",
)
MAX_PAYLOAD_MB = 6


def batch_monitor(settings: Settings) -> dict[str, Any]:
    """Return the definition of the pipeline."""
    session = parts.session_of(settings)
    use_case, environment = settings.use_case, settings.environment
    input_uri = ParameterString("InputDataUri")
    prefix = ParameterString("OutputPrefixUri")
    package = ParameterString("ModelPackageArn", default_value="")
    constraints = ParameterString("ConstraintsUri", default_value="")
    fail_on_violation = ParameterBoolean("FailOnViolation", default_value=False)
    processing_type = ParameterString("ProcessingInstanceType", default_value=settings.instance("processing"))
    transform_type = ParameterString("TransformInstanceType", default_value=settings.instance("transform"))
    transform_count = ParameterInteger("TransformInstanceCount", default_value=environment.instance_counts.transform)

    model = LambdaStep(
        name="GetLatestModel",
        lambda_func=Lambda(
            function_arn=names.function_arn(environment.name, environment.region, environment.account), session=session
        ),
        inputs={
            "ModelPackageGroupName": names.model_package_group(use_case.name, environment.name),
            "ModelPackageArn": package,
            "ConstraintsUri": constraints,
        },
        outputs=[LambdaOutput(output_name=name, output_type=LambdaOutputTypeEnum.String) for name in LAMBDA_OUTPUTS],
    )
    prepare = _prepare(settings, session, model, input_uri, prefix, processing_type)
    transformer = Transformer(
        model_name=model.properties.Outputs["ModelName"],
        instance_type=transform_type,
        instance_count=1,  # see below: the SDK refuses a parameter here
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        max_payload=MAX_PAYLOAD_MB,
        output_path=parts.below(prefix, "predictions"),
        sagemaker_session=session,
    )
    # The id travels past the model: dropped before it, joined back after it, and only id and score are kept.
    transform = transformer.transform(
        data=parts.output_uri(prepare, "transform"),
        content_type="text/csv",
        split_type="Line",
        input_filter="$[1:]",
        join_source="Input",
        output_filter="$[0,-1]",
    )
    engine = engine_bundled if settings.engine == "bundled" else engine_managed
    monitored = engine.monitored_transform(
        settings, session, model, prepare, prefix, processing_type, fail_on_violation, transform
    )
    definition = parts.definition_of(
        Pipeline(
            name=names.batch_pipeline(use_case.name, environment.name),
            parameters=[
                input_uri,
                prefix,
                package,
                constraints,
                fail_on_violation,
                processing_type,
                transform_type,
                transform_count,
            ],
            steps=[model, prepare, *monitored.steps],
            sagemaker_session=session,
            pipeline_experiment_config=None,
        )
    )
    # SDK 3.27 types this count as an integer, although the service takes a parameter.
    (score,) = [step for step in parts.steps_of(definition) if step["Name"] == monitored.transform]
    score["Arguments"]["TransformResources"]["InstanceCount"] = transform_count.expr
    return definition


def _prepare(  # noqa: PLR0917 - the step's place in the pipeline, and its three parameters
    settings: Settings, session: PipelineSession, model: LambdaStep, input_uri: Any, prefix: Any, instance_type: Any
) -> ProcessingStep:
    schema_uri = model.properties.Outputs["FeatureSchemaUri"]
    return parts.processing_step(
        name="PrepareBatch",
        settings=settings,
        session=session,
        framework="sklearn",
        script="prepare_batch.py",
        instance_type=instance_type,
        inputs={"data": input_uri, "schema": schema_uri},
        outputs={name: parts.below(prefix, "prepared", name) for name in ("monitored", "transform", "report")},
        arguments=[
            "--input",
            f"{parts.INPUT}/data",
            "--schema",
            f"{parts.INPUT}/schema",
            "--output",
            parts.OUTPUT,
            "--feature-schema-uri",
            schema_uri,
            *parts.file_arguments(settings),
        ],
    )
