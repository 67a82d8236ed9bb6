"""Pipelines and their versions."""

from __future__ import annotations

import hashlib
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_local import arns, listing
from sagemaker_local.errors import ConflictError, NotImplementedHereError, ResourceNotFoundError, ValidationError
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.operations.tags import drop_tags, put_tags

Document = dict[str, Any]

RUNNING = ("Executing", "Stopping")
_DESCRIBED = (
    "PipelineArn",
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDescription",
    "RoleArn",
    "PipelineStatus",
    "CreationTime",
    "LastModifiedTime",
    "LastRunTime",
    "CreatedBy",
    "LastModifiedBy",
    "ParallelismConfiguration",
)
_SETTINGS = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


def find_pipeline(call: Call, name_or_arn: str) -> Document:
    """Return a pipeline by name or ARN; raise ResourceNotFoundError when there is none."""
    arn = arns.parse(name_or_arn)
    name = name_or_arn if arn is None else arn.name
    pipeline = call.tx.get("pipeline", name)
    if pipeline is None or (arn is not None and str(arn) != pipeline["PipelineArn"]):
        raise ResourceNotFoundError(f"Pipeline {name_or_arn} does not exist.")
    return pipeline


def find_version(call: Call, pipeline: Document, number: int | None) -> Document:
    """Return one version of a pipeline, its latest when no number is given."""
    wanted = pipeline["_local"]["version"] if number is None else number
    version = call.tx.get("pipeline_version", f"{pipeline['PipelineArn']}/{wanted}")
    if version is None:
        raise ResourceNotFoundError(f"Pipeline {pipeline['PipelineName']} has no version {wanted}.")
    return version


def definition_text(call: Call, digest: str) -> str:
    """Return the text of a definition by its digest."""
    document = call.tx.get("definition", digest)
    if document is None:
        raise RuntimeError(f"The definition {digest} is missing from {call.api.store.path}")
    return document["text"]


def _checked_definition(api: Any, request: Document) -> str | None:
    """Return the definition that a request carries or points at, once it has been found free of problems."""
    inline, location = request.get("PipelineDefinition"), request.get("PipelineDefinitionS3Location")
    if inline is not None and location is not None:
        raise ValidationError("Give either PipelineDefinition or PipelineDefinitionS3Location, not both.")
    text = inline if location is None else _read_definition(api, location)
    if text is not None:
        from sagemaker_local import definition

        beyond = definition.beyond_us(text)
        if beyond:
            raise NotImplementedHereError(f"pipelines with steps of Type {', '.join(beyond)}")
        problems = definition.problems(text)
        if problems:
            raise ValidationError(f"Unable to parse pipeline definition: {'; '.join(problems)}")
    return text


def _read_definition(api: Any, location: Document) -> str:
    where = f"s3://{location['Bucket']}/{location['ObjectKey']}"
    extra = {"VersionId": location["VersionId"]} if "VersionId" in location else {}
    s3 = boto3.client(
        "s3",
        endpoint_url=api.endpoint_url,
        region_name=api.region,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the local AWS takes any key
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
    )
    try:
        return s3.get_object(Bucket=location["Bucket"], Key=location["ObjectKey"], **extra)["Body"].read().decode()
    except ClientError as error:
        reason = error.response["Error"].get("Message", error.response["Error"]["Code"])
        raise ValidationError(f"Unable to read the pipeline definition from {where}: {reason}") from error
    except (BotoCoreError, UnicodeDecodeError) as error:
        raise ValidationError(f"Unable to read the pipeline definition from {where}: {error}") from error
    finally:
        s3.close()


@operation("CreatePipeline", prepare=_checked_definition)
def create_pipeline(call: Call) -> Document:
    request, name = call.request, call.request["PipelineName"]
    if call.prepared is None:
        raise ValidationError("A pipeline needs PipelineDefinition or PipelineDefinitionS3Location.")
    if call.tx.get("pipeline", name) is not None:
        raise ValidationError(
            "Pipeline names must be unique within an AWS account and region. "
            f"Pipeline with name ({name}) already exists."
        )
    arn = str(arns.Arn(call.api.region, call.api.account, "pipeline", name))
    pipeline = {
        "PipelineArn": arn,
        "PipelineName": name,
        "PipelineDisplayName": name,
        **{member: request[member] for member in _SETTINGS if member in request},
        "PipelineStatus": "Active",
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "_local": {"version": 0},
    }
    _add_version(call, pipeline, call.prepared)
    put_tags(call, arn, request.get("Tags", []))
    return {"PipelineArn": arn}


@operation("UpdatePipeline", prepare=_checked_definition)
def update_pipeline(call: Call) -> Document:
    pipeline = find_pipeline(call, call.request["PipelineName"])
    pipeline.update({member: call.request[member] for member in _SETTINGS if member in call.request})
    pipeline["LastModifiedTime"] = call.now
    if call.prepared is not None:
        _add_version(call, pipeline, call.prepared)
    else:
        call.tx.put("pipeline", pipeline["PipelineName"], pipeline)
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": pipeline["_local"]["version"]}


def _add_version(call: Call, pipeline: Document, text: str) -> None:
    """Keep a definition as the pipeline's next version; equal texts are kept once."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    call.tx.put("definition", digest, {"text": text})
    number = pipeline["_local"]["version"] + 1
    pipeline["_local"] = {"version": number, "definition": digest}
    version = {
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineVersionId": number,
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "_local": {"definition": digest},
    }
    arn = pipeline["PipelineArn"]
    call.tx.put("pipeline_version", f"{arn}/{number}", version, parent=arn)
    call.tx.put("pipeline", pipeline["PipelineName"], pipeline)


@operation("DescribePipeline")
def describe_pipeline(call: Call) -> Document:
    pipeline = find_pipeline(call, call.request["PipelineName"])
    version = find_version(call, pipeline, call.request.get("PipelineVersionId"))
    return {
        **{member: pipeline[member] for member in _DESCRIBED if member in pipeline},
        "PipelineDefinition": definition_text(call, version["_local"]["definition"]),
        "PipelineVersionDisplayName": version.get("PipelineVersionDisplayName"),
        "PipelineVersionDescription": version.get("PipelineVersionDescription"),
    }


@operation("ListPipelines")
def list_pipelines(call: Call) -> Document:
    sorts = {"CreationTime": "CreationTime", "Name": "PipelineName"}
    summary = listing.pick(
        "PipelineArn",
        "PipelineName",
        "PipelineDisplayName",
        "PipelineDescription",
        "RoleArn",
        "CreationTime",
        "LastModifiedTime",
        LastExecutionTime="LastRunTime",
    )
    return listing.answer(call, "pipeline", summary, sorts, name="PipelineName", default="Descending")


@operation("DeletePipeline")
def delete_pipeline(call: Call) -> Document:
    pipeline = find_pipeline(call, call.request["PipelineName"])
    arn = pipeline["PipelineArn"]
    for status in RUNNING:
        if call.tx.count_where("pipeline_execution", "PipelineExecutionStatus", status, arn):
            raise ConflictError(
                f"Pipeline {pipeline['PipelineName']} has executions that are {status}. "
                "Stop them with StopPipelineExecution, wait until they are Stopped, then delete the pipeline."
            )
    for version in call.tx.list("pipeline_version", arn):
        call.tx.delete("pipeline_version", f"{arn}/{version['PipelineVersionId']}")
    # An execution stays describable by its ARN; a new pipeline of the same name does not list it.
    call.tx.move("pipeline_execution", arn, f"{arn}#deleted/{call.now}")
    drop_tags(call, arn)
    call.tx.delete("pipeline", pipeline["PipelineName"])
    return {"PipelineArn": arn}


@operation("ListPipelineVersions")
def list_pipeline_versions(call: Call) -> Document:
    pipeline = find_pipeline(call, call.request["PipelineName"])
    summary = listing.pick(
        "PipelineArn",
        "PipelineVersionId",
        "CreationTime",
        "PipelineVersionDescription",
        "PipelineVersionDisplayName",
        LastExecutionPipelineExecutionArn="LastExecutedPipelineExecutionArn",
    )
    sorts = {"PipelineVersionId": "PipelineVersionId"}
    arn = pipeline["PipelineArn"]
    return listing.answer(call, "pipeline_version", summary, sorts, parent=arn, default="Descending")


@operation("UpdatePipelineVersion")
def update_pipeline_version(call: Call) -> Document:
    pipeline = find_pipeline(call, call.request["PipelineArn"])
    version = find_version(call, pipeline, call.request["PipelineVersionId"])
    for member in ("PipelineVersionDisplayName", "PipelineVersionDescription"):
        if member in call.request:
            version[member] = call.request[member]
    version["LastModifiedTime"] = call.now
    arn, number = pipeline["PipelineArn"], version["PipelineVersionId"]
    call.tx.put("pipeline_version", f"{arn}/{number}", version)
    return {"PipelineArn": arn, "PipelineVersionId": number}
