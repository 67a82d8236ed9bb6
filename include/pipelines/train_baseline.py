"""train_baseline: prepare, train, evaluate; when accurate enough, take baselines and register."""
# ruff: noqa: TID251, PLR0917 - this folder uses the SageMaker SDK, and a step is a function of the steps before it

from typing import Any

from sagemaker.core.drift_check_baselines import DriftCheckBaselines
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition

from include.pipelines import engine_bundled, engine_managed, parts
from include.pipelines.parts import Baseline
from include.pipelines.settings import Settings
from sagemaker_batch import names

# Of the built-in algorithm; a use case replaces them one by one.
HYPERPARAMETERS: dict[str, Any] = {
    "num_round": 100,
    "max_depth": 5,
    "eta": 0.2,
    "subsample": 0.8,
    "seed": 0,
}
OBJECTIVES = {
    "binary_classification": {"objective": "binary:logistic", "eval_metric": "auc"},
    "regression": {"objective": "reg:squarederror", "eval_metric": "rmse"},
}
JSON = "application/json"


def train_baseline(settings: Settings) -> dict[str, Any]:
    """Return the definition of the pipeline."""
    session = parts.session_of(settings)
    use_case, bucket = settings.use_case, settings.environment.bucket
    input_uri = ParameterString("InputDataUri", default_value=use_case.training_input_uri(bucket))
    prefix = ParameterString(
        "OutputPrefixUri", default_value=names.s3_uri(bucket, names.training_prefix(use_case.name))
    )
    threshold = ParameterFloat("AccuracyThreshold", default_value=use_case.model.accuracy_threshold)
    approval = ParameterString(
        "ModelApprovalStatus",
        default_value="PendingManualApproval",
        enum_values=["PendingManualApproval", "Approved", "Rejected"],
    )
    processing_type = ParameterString("ProcessingInstanceType", default_value=settings.instance("processing"))
    training_type = ParameterString("TrainingInstanceType", default_value=settings.instance("training"))
    training_count = ParameterInteger("TrainingInstanceCount", default_value=1)

    prepare = _prepare(settings, session, input_uri, prefix, processing_type)
    train = _train(settings, session, prepare, prefix, training_type, training_count)
    evaluation = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
    evaluate = _evaluate(settings, session, prepare, train, prefix, processing_type, evaluation)
    metric = use_case.model.gate
    accuracy = JsonGet(
        step_name=evaluate.name,
        property_file=evaluation,
        json_path=f"{use_case.model.metrics_section}.{metric}.value",
    )
    engine = engine_bundled if settings.engine == "bundled" else engine_managed
    data_baseline, model_baseline = engine.baselines(settings, session, prepare, evaluate, prefix, processing_type)
    create = _create(settings, session, train)
    register = _register(
        settings, session, prepare, train, evaluate, data_baseline, model_baseline, create, input_uri, approval
    )
    too_bad = FailStep(
        name="AccuracyBelowThreshold",
        error_message=Join(
            on="",
            values=[f"The model's {metric} is ", accuracy, ", below the required AccuracyThreshold of ", threshold],
        ),
    )
    check = ConditionStep(
        name="CheckAccuracy",
        conditions=[ConditionGreaterThanOrEqualTo(left=accuracy, right=threshold)],
        if_steps=[*data_baseline.before, data_baseline.step, model_baseline.step, create, register],
        else_steps=[too_bad],
    )
    return parts.definition_of(
        Pipeline(
            name=names.train_pipeline(use_case.name, settings.environment.name),
            parameters=[input_uri, prefix, threshold, approval, processing_type, training_type, training_count],
            steps=[prepare, train, evaluate, check],
            sagemaker_session=session,
            pipeline_experiment_config=None,
        )
    )


def _prepare(
    settings: Settings, session: PipelineSession, input_uri: Any, prefix: Any, instance_type: Any
) -> ProcessingStep:
    data, split = settings.use_case.data, settings.use_case.model.split
    values = {
        "--use-case": settings.use_case.name,
        "--record-id": data.record_id,
        "--label": data.label.name,
        "--problem": settings.use_case.model.problem,
        **({} if data.label.positive is None else {"--positive": data.label.positive}),
        "--delimiter": data.delimiter,
        "--validation-share": str(split.validation),
        "--test-share": str(split.test),
        "--split-seed": str(split.seed),
    }
    # One argument each, so that a value may begin with a dash; one per column, because an argument has 256 characters.
    lists = {"--categorical": data.categorical, "--ignore": data.ignore, "--sensitive": data.sensitive}
    given = [*values.items(), *((key, column) for key, columns in lists.items() for column in columns)]
    return parts.processing_step(
        name="PrepareData",
        settings=settings,
        session=session,
        framework="sklearn",
        script="prepare.py",
        instance_type=instance_type,
        inputs={"data": input_uri},
        outputs={
            name: parts.below(prefix, "prepared", name)
            for name in ("train", "validation", "test", "monitored", "schema")
        },
        arguments=[
            "--input",
            f"{parts.INPUT}/data",
            "--output",
            parts.OUTPUT,
            *(f"{key}={value}" for key, value in given),
            *parts.file_arguments(settings),
        ],
    )


def _train(
    settings: Settings,
    session: PipelineSession,
    prepare: ProcessingStep,
    prefix: Any,
    instance_type: Any,
    instance_count: Any,
) -> TrainingStep:
    hyperparameters = {
        **OBJECTIVES[settings.use_case.model.problem],
        **HYPERPARAMETERS,
        **settings.use_case.model.hyperparameters,
    }
    trainer = ModelTrainer(
        training_image=parts.image(settings, "xgboost"),
        role=settings.role,
        sagemaker_session=session,
        base_job_name="train",
        compute=Compute(instance_type=instance_type, instance_count=instance_count, volume_size_in_gb=30),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=settings.environment.max_runtime.training),
        output_data_config=OutputDataConfig(s3_output_path=parts.below(prefix, "model")),
        hyperparameters={key: str(value) for key, value in hyperparameters.items()},
        input_data_config=[
            InputData(channel_name=channel, data_source=parts.output_uri(prepare, channel), content_type="text/csv")
            for channel in ("train", "validation")
        ],
    )
    return TrainingStep(name="TrainModel", step_args=trainer.train(), retry_policies=parts.job_retries())


def _evaluate(
    settings: Settings,
    session: PipelineSession,
    prepare: ProcessingStep,
    train: TrainingStep,
    prefix: Any,
    instance_type: Any,
    evaluation: PropertyFile,
) -> ProcessingStep:
    folders = ("model", "test", "schema")
    return parts.processing_step(
        name="EvaluateModel",
        settings=settings,
        session=session,
        framework="xgboost",
        script="evaluate.py",
        instance_type=instance_type,
        inputs={
            "model": train.properties.ModelArtifacts.S3ModelArtifacts,
            "test": parts.output_uri(prepare, "test"),
            "schema": parts.output_uri(prepare, "schema"),
        },
        outputs={"evaluation": parts.below(prefix, "evaluation")},
        arguments=[
            *(argument for name in folders for argument in (f"--{name}", f"{parts.INPUT}/{name}")),
            "--output",
            f"{parts.OUTPUT}/evaluation",
        ],
        property_files=[evaluation],
    )


def _builder(settings: Settings, session: PipelineSession, train: TrainingStep) -> ModelBuilder:
    return ModelBuilder(
        image_uri=parts.image(settings, "xgboost"),
        s3_model_data_url=train.properties.ModelArtifacts.S3ModelArtifacts,
        role_arn=settings.role,
        sagemaker_session=session,
    )


def _create(settings: Settings, session: PipelineSession, train: TrainingStep) -> ModelStep:
    return ModelStep(
        name="CreateModel", step_args=_builder(settings, session, train).build(), retry_policies=parts.step_retries()
    )


def _register(
    settings: Settings,
    session: PipelineSession,
    prepare: ProcessingStep,
    train: TrainingStep,
    evaluate: ProcessingStep,
    data: Baseline,
    model: Baseline,
    create: ModelStep,
    input_uri: Any,
    approval: Any,
) -> ModelStep:
    evaluation = Join(on="/", values=[parts.output_uri(evaluate, "evaluation"), "evaluation.json"])
    arguments = _builder(settings, session, train).register(
        model_package_group_name=names.model_package_group(settings.use_case.name, settings.environment.name),
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=[settings.instance("transform")],
        transform_instances=[settings.instance("transform")],
        approval_status=approval,
        model_metrics=ModelMetrics(
            model_statistics=_source(model.statistics),
            model_constraints=_source(model.constraints),
            model_data_statistics=_source(data.statistics),
            model_data_constraints=_source(data.constraints),
        ),
        drift_check_baselines=DriftCheckBaselines(
            model_statistics=_source(model.used_statistics),
            model_constraints=_source(model.used_constraints),
            model_data_statistics=_source(data.used_statistics),
            model_data_constraints=_source(data.used_constraints),
        ),
        customer_metadata_properties={
            "ModelName": create.properties.ModelName,
            "FeatureSchemaUri": Join(on="/", values=[parts.output_uri(prepare, "schema"), "feature_schema.json"]),
            "EvaluationUri": evaluation,
            "TrainingDataUri": input_uri,
            "PipelineExecutionArn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        },
    )
    return ModelStep(name="RegisterModel", step_args=arguments, retry_policies=parts.step_retries())


def _source(uri: Any) -> MetricsSource:
    return MetricsSource(content_type=JSON, s3_uri=uri)
