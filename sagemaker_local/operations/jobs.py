"""Processing, training and transform jobs: what the three have in common, then each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sagemaker_local import arns, listing, model
from sagemaker_local.errors import (
    LimitExceededError,
    NotImplementedHereError,
    ResourceInUseError,
    ValidationError,
)
from sagemaker_local.operations.experiments import component_of_job
from sagemaker_local.operations.models import model_arn
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.operations.tags import drop_tags, put_tags
from sagemaker_local.quotas import exceeded

Document = dict[str, Any]

_DAY_SECONDS = 86400


@dataclass(frozen=True)
class JobKind:
    """One of the three kinds of job."""

    kind: str  # in the store
    title: str  # in AWS's members: ProcessingJobName, DescribeProcessingJob
    arn_kind: str
    defaults: Callable[[Call], Document]
    summary: tuple[str, ...]
    modified: str = "LastModifiedTime"
    # What would bring data in or take it out, or divide the work, in ways that do not exist here: never ignored.
    refused: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Member that holds the name."""
        return f"{self.title}Name"

    @property
    def status(self) -> str:
        """Member that holds the status."""
        return f"{self.title}Status"

    @property
    def words(self) -> str:
        """The kind in a sentence."""
        return self.kind.replace("_", " ")

    def arn(self, call: Call, name: str) -> str:
        """Return the ARN of a job of that name."""
        return str(arns.Arn(call.api.region, call.api.account, self.arn_kind, name))


def _processing_defaults(call: Call) -> Document:
    return {"StoppingCondition": {"MaxRuntimeInSeconds": _DAY_SECONDS}, "LastModifiedTime": call.now}


def _training_defaults(call: Call) -> Document:
    request = call.request
    output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return {
        "StoppingCondition": {"MaxRuntimeInSeconds": _DAY_SECONDS},
        "LastModifiedTime": call.now,
        "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{request['TrainingJobName']}/output/model.tar.gz"},
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": call.now, "StatusMessage": "Starting the training job"}
        ],
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
    }


def _transform_defaults(_call: Call) -> Document:
    return {}


PROCESSING = JobKind(
    "processing_job",
    "ProcessingJob",
    "processing-job",
    _processing_defaults,
    (
        "ProcessingJobName",
        "ProcessingJobArn",
        "CreationTime",
        "ProcessingEndTime",
        "LastModifiedTime",
        "ProcessingJobStatus",
        "FailureReason",
        "ExitMessage",
    ),
    refused=("ProcessingInputs.DatasetDefinition", "ProcessingOutputConfig.Outputs.FeatureStoreOutput"),
)
TRAINING = JobKind(
    "training_job",
    "TrainingJob",
    "training-job",
    _training_defaults,
    (
        "TrainingJobName",
        "TrainingJobArn",
        "CreationTime",
        "TrainingEndTime",
        "LastModifiedTime",
        "TrainingJobStatus",
        "SecondaryStatus",
    ),
    refused=(
        "AlgorithmSpecification.AlgorithmName",
        "InputDataConfig.DataSource.FileSystemDataSource",
        "InputDataConfig.DataSource.DatasetSource",
        "InputDataConfig.DataSource.S3DataSource.AttributeNames",
        "InputDataConfig.DataSource.S3DataSource.HubAccessConfig",
        "InputDataConfig.DataSource.S3DataSource.InstanceGroupNames",
        "ResourceConfig.InstanceGroups",
        "ServerlessJobConfig",
    ),
)
TRANSFORM = JobKind(
    "transform_job",
    "TransformJob",
    "transform-job",
    _transform_defaults,
    (
        "TransformJobName",
        "TransformJobArn",
        "CreationTime",
        "TransformEndTime",
        "TransformJobStatus",
        "FailureReason",
    ),
    modified="TransformEndTime|TransformStartTime|CreationTime",  # DescribeTransformJob shows no LastModifiedTime
)


def create_job(call: Call, job: JobKind) -> Document:
    """Put a job on record, to be run after the commit."""
    name = call.request[job.name]
    arn = job.arn(call, name)
    if call.tx.get(job.kind, name) is not None:
        raise ResourceInUseError(
            f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
        )
    for path in job.refused:
        if _holds(call.request, path.split(".")):
            raise NotImplementedHereError(f"Create{job.title} with {path}")
    _check_quota(call, job)
    described = model.members(f"Describe{job.title}Response")
    document = {
        **job.defaults(call),
        **{member: value for member, value in call.request.items() if member in described},
        f"{job.title}Arn": arn,
        job.status: "InProgress",
        "CreationTime": call.now,
        "_local": {},
    }
    call.tx.insert(job.kind, name, document)
    if call.request.get("ExperimentConfig"):
        component_of_job(call, arn, call.request["ExperimentConfig"])
    put_tags(call, arn, call.request.get("Tags", []))
    call.after_commit(lambda: call.api.runner.job_created(job.kind, name))
    return {f"{job.title}Arn": arn}


def _holds(value: Any, path: list[str]) -> bool:
    """Tell whether a value has a member at a path; lists on the way are searched."""
    if isinstance(value, list):
        return any(_holds(item, path) for item in value)
    if not path:
        return True
    return isinstance(value, dict) and path[0] in value and _holds(value[path[0]], path[1:])


def _check_quota(call: Call, job: JobKind) -> None:
    limit = getattr(call.api.quotas, f"concurrent_{job.kind}s")
    if limit is None:
        return
    running = sum(call.tx.count_where(job.kind, job.status, status) for status in ("InProgress", "Stopping"))
    if running >= limit:
        raise LimitExceededError(exceeded(f"Maximum number of concurrent {job.words}s", limit, running))


def find_job(call: Call, job: JobKind) -> Document:
    """Return the job that a request names."""
    # AWS models ResourceNotFound for these and answers ValidationException; Airflow's operators rely on the latter when
    # they look whether a job of their name exists.
    name = call.request[job.name]
    document = call.tx.get(job.kind, name)
    if document is None and job is TRAINING:
        raise ValidationError("Requested resource not found.")
    if document is None:
        raise ValidationError(f"Could not find requested job with name: {name}")
    return document


def list_jobs(
    call: Call,
    job: JobKind,
    *,
    default: str,
    size: int = listing.MAX_RESULTS,
    more: Callable[[Document], Document] = lambda _: {},
) -> Document:
    """Return a page of the jobs of a kind; `more` adds to the summary of each."""
    sorts = {"CreationTime": "CreationTime", "Name": job.name, "Status": job.status}
    pick = listing.pick(*job.summary)
    times = job.modified.split("|")

    def summary(document: Document) -> Document:
        return {
            **pick(document),
            **more(document),
            "LastModifiedTime": next(document[time] for time in times if time in document),
        }

    return listing.answer(
        call,
        job.kind,
        summary,
        sorts,
        name=job.name,
        status=job.status,
        modified=job.modified,
        default=default,
        size=size,
    )


def stop_job(call: Call, job: JobKind) -> None:
    """Have a job stopped after the commit."""
    document = find_job(call, job)
    name, status = document[job.name], document[job.status]
    if status == "Stopping":
        return
    if status != "InProgress":
        raise ValidationError(f"The request was rejected because the {job.words} is in status {status}.")
    document[job.status] = "Stopping"
    if job is TRAINING:
        document["SecondaryStatus"] = "Stopping"
        document["SecondaryStatusTransitions"][-1]["EndTime"] = call.now
        document["SecondaryStatusTransitions"].append(
            {"Status": "Stopping", "StartTime": call.now, "StatusMessage": "Stopping the training job"}
        )
    if job is not TRANSFORM:
        document["LastModifiedTime"] = call.now
    call.tx.put(job.kind, name, document)
    call.after_commit(lambda: call.api.runner.job_stop(job.kind, name))


def delete_job(call: Call, job: JobKind) -> None:
    """Remove a job that has ended."""
    document = find_job(call, job)
    name, status = document[job.name], document[job.status]
    if status in {"InProgress", "Stopping"}:
        raise ResourceInUseError(
            f"The {job.words} {name} is in status {status}; only one that has ended can be deleted. "
            f"Stop it with Stop{job.title} first."
        )
    drop_tags(call, document[f"{job.title}Arn"])
    call.tx.delete(job.kind, name)


@operation("CreateProcessingJob")
def create_processing_job(call: Call) -> Document:
    return create_job(call, PROCESSING)


@operation("DescribeProcessingJob")
def describe_processing_job(call: Call) -> Document:
    return find_job(call, PROCESSING)


@operation("ListProcessingJobs")
def list_processing_jobs(call: Call) -> Document:
    return list_jobs(call, PROCESSING, default="Ascending")


@operation("StopProcessingJob")
def stop_processing_job(call: Call) -> None:
    stop_job(call, PROCESSING)


@operation("DeleteProcessingJob")
def delete_processing_job(call: Call) -> None:
    delete_job(call, PROCESSING)


@operation("CreateTrainingJob")
def create_training_job(call: Call) -> Document:
    missing = [member for member in ("AlgorithmSpecification", "ResourceConfig") if member not in call.request]
    if missing:
        raise ValidationError(f"A training job needs {' and '.join(missing)}.")
    algorithm = call.request["AlgorithmSpecification"]
    if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
        raise ValidationError("Give exactly one of TrainingImage and AlgorithmName in AlgorithmSpecification.")
    limits = call.request.get("StoppingCondition", {})
    spot, wait = call.request.get("EnableManagedSpotTraining", False), limits.get("MaxWaitTimeInSeconds")
    if spot and (wait is None or wait < limits.get("MaxRuntimeInSeconds", _DAY_SECONDS)):
        raise ValidationError(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds."
        )
    if wait is not None and not spot:
        raise ValidationError("MaxWaitTimeInSeconds goes with EnableManagedSpotTraining only.")
    return create_job(call, TRAINING)


@operation("DescribeTrainingJob")
def describe_training_job(call: Call) -> Document:
    return find_job(call, TRAINING)


@operation("ListTrainingJobs")
def list_training_jobs(call: Call) -> Document:
    return list_jobs(call, TRAINING, default="Ascending")


@operation("StopTrainingJob")
def stop_training_job(call: Call) -> None:
    stop_job(call, TRAINING)


@operation("DeleteTrainingJob")
def delete_training_job(call: Call) -> None:
    delete_job(call, TRAINING)


@operation("CreateTransformJob")
def create_transform_job(call: Call) -> Document:
    name = call.request["ModelName"]
    if call.tx.get("model", name) is None:
        raise ValidationError(f'Could not find model "{model_arn(call, name)}".')
    return create_job(call, TRANSFORM)


@operation("DescribeTransformJob")
def describe_transform_job(call: Call) -> Document:
    return find_job(call, TRANSFORM)


@operation("ListTransformJobs")
def list_transform_jobs(call: Call) -> Document:
    return list_jobs(call, TRANSFORM, default="Descending", size=10)


@operation("StopTransformJob")
def stop_transform_job(call: Call) -> None:
    stop_job(call, TRANSFORM)
