"""Parts that the pipelines are made of: session, images, processing steps, retry policies."""
# ruff: noqa: TID251 - this folder is the one that uses the SageMaker SDK

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from sagemaker.core import image_uris
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import ProcessingStep

from include.pipelines.settings import Settings

INPUT = "/opt/ml/processing/input"
OUTPUT = "/opt/ml/processing/output"
MESSAGE = "/opt/ml/output/message"
XGBOOST_VERSION = "3.2-0"
SKLEARN_VERSION = "1.9-0"
# Limits of CreateProcessingJob.
ARGUMENT_COUNT, ARGUMENT_LENGTH = 100, 256


@dataclass(frozen=True)
class Baseline:
    """A step that makes a baseline, references to what it wrote and what drift is checked against, and steps before."""

    step: Any
    statistics: Any
    constraints: Any
    used_statistics: Any
    used_constraints: Any
    before: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Monitored:
    """The steps of a check and of the transform after it; `transform` is the transform's name."""

    steps: list[Any]
    transform: str


class OfflineSession(PipelineSession):
    """A session that believes the bucket exists: the SDK would look, and make it if it did not."""

    def default_bucket(self) -> str:
        return self._default_bucket_name_override


def session_of(settings: Settings) -> PipelineSession:
    """Return a session that records requests instead of sending them."""
    boto_session = boto3.Session(region_name=settings.environment.region)
    return OfflineSession(boto_session=boto_session, default_bucket=settings.environment.bucket)


def image(settings: Settings, framework: str) -> str:
    """URI of the image of `xgboost`, `sklearn` or `analyzer`: the environment's, or AWS's own in the region.

    Our analyzer runs in the scikit-learn image unless the environment names an image of its own for it.
    """
    versions = {"xgboost": XGBOOST_VERSION, "sklearn": SKLEARN_VERSION}
    own = getattr(settings.environment.images, framework)
    if own is None and framework == "analyzer":
        return image(settings, "sklearn")
    return own or image_uris.retrieve(
        framework,
        region=settings.environment.region,
        version=versions[framework],
        instance_type=settings.instance("training"),
        image_scope="training",
    )


def below(prefix: Any, *parts: str) -> Join:
    """Join `<prefix>/<execution id>/<parts>`: each execution writes to a place of its own."""
    return Join(on="/", values=[prefix, ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])


def file_arguments(settings: Settings) -> list[str]:
    """Return how a script is told to write the data in several files, nothing where one is enough."""
    files = settings.environment.instance_counts.files
    return [f"--files={files}"] if files > 1 else []


def output_uri(step: ProcessingStep, name: str) -> Any:
    """Reference to where a processing step wrote an output."""
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def processing_step(
    *,
    name: str,
    settings: Settings,
    session: PipelineSession,
    framework: str,
    script: str,
    instance_type: Any,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    arguments: list[Any],
    property_files: list[PropertyFile] | None = None,
    environment: dict[str, str] | None = None,
    max_runtime: int | None = None,
    instances: int = 1,
    sharded: frozenset[str] = frozenset(),
) -> ProcessingStep:
    """Return a step that runs one of our scripts.

    `inputs` map a name to a URI, mounted below /opt/ml/processing/input; `outputs` map a folder below
    /opt/ml/processing/output to the URI it goes to. Every path is an argument: the scripts assume none. Of an input
    that is `sharded` each instance gets its share of the files.
    """
    processor = Processor(
        role=settings.role,
        image_uri=image(settings, framework),
        instance_count=instances,
        instance_type=instance_type,
        entrypoint=["python3", f"{INPUT}/code/{settings.script(script)}"],
        env=environment,
        max_runtime_in_seconds=max_runtime or settings.environment.max_runtime.processing,
        sagemaker_session=session,
    )
    script_arguments = [*arguments, "--message", MESSAGE]
    _check_arguments(name, script_arguments)
    step_arguments = processor.run(
        inputs=[_input(key, uri, sharded=key in sharded) for key, uri in {"code": settings.code_uri, **inputs}.items()],
        outputs=[_output(key, uri) for key, uri in outputs.items()],
        arguments=script_arguments,
    )
    return ProcessingStep(
        name=name, step_args=step_arguments, property_files=property_files or [], retry_policies=job_retries()
    )


def step_retries() -> list[StepRetryPolicy]:
    """Return how a step is repeated when the service itself stumbles."""
    kinds = [StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING]
    return [StepRetryPolicy(exception_types=kinds, interval_seconds=5, backoff_rate=2.0, max_attempts=4)]


def job_retries() -> list[StepRetryPolicy | SageMakerJobStepRetryPolicy]:
    """Return how a job step is repeated: also when there is no machine for it; never when our code fails."""
    kinds = [SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, SageMakerJobExceptionTypeEnum.INTERNAL_ERROR]
    jobs = SageMakerJobStepRetryPolicy(exception_types=kinds, interval_seconds=60, backoff_rate=2.0, max_attempts=4)
    return [*step_retries(), jobs]


def definition_of(pipeline: Pipeline) -> dict[str, Any]:
    """Return the pipeline's definition without what only the SDK adds for itself."""
    definition = json.loads(pipeline.definition())
    # The SDK writes a null that older services do not know, and an experiment for every execution.
    definition.pop("MlflowConfig", None)
    definition.pop("PipelineExperimentConfig", None)
    for container in _containers(definition):
        # Empty settings of a script mode that is not used.
        container["Environment"] = {key: value for key, value in container["Environment"].items() if value != ""}
        if not container["Environment"]:
            del container["Environment"]
    return definition


def steps_of(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every step of a definition, those within conditions too."""
    waiting = list(definition["Steps"])
    while waiting:
        step = waiting.pop(0)
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            waiting += step["Arguments"].get(branch, [])


def _containers(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for step in steps_of(definition):
        arguments = step["Arguments"]
        found = [
            arguments.get("PrimaryContainer"),
            *arguments.get("Containers", []),
            *arguments.get("InferenceSpecification", {}).get("Containers", []),
        ]
        yield from (container for container in found if container and "Environment" in container)


def _check_arguments(name: str, arguments: list[Any]) -> None:
    long = [text for text in arguments if isinstance(text, str) and len(text) > ARGUMENT_LENGTH]
    if long or len(arguments) > ARGUMENT_COUNT:
        raise ValueError(
            f"{name}: a processing job takes {ARGUMENT_COUNT} arguments of {ARGUMENT_LENGTH} characters, the use case "
            f"needs {len(arguments)}{f', one of them {long[0]!r}' if long else ''}. Shorten its lists of columns."
        )


def _input(name: str, uri: Any, *, sharded: bool) -> ProcessingInput:
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri,
            local_path=f"{INPUT}/{name}",
            s3_data_type="S3Prefix",
            s3_input_mode="File",
            s3_data_distribution_type="ShardedByS3Key" if sharded else "FullyReplicated",
            s3_compression_type="None",
        ),
    )


def _output(name: str, uri: Any) -> ProcessingOutput:
    return ProcessingOutput(
        output_name=name,
        s3_output=ProcessingS3Output(s3_uri=uri, local_path=f"{OUTPUT}/{name}", s3_upload_mode="EndOfJob"),
    )
