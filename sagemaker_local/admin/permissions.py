"""Which permissions of IAM a request needs: ``("s3:GetObject", "arn:aws:s3:::bucket/key")``.

Names and resources follow AWS's Service Authorization Reference. Where the resource is in a body that is not read, it
is ``*``. What needs no permission (sts:GetCallerIdentity) needs none here.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

Permission = tuple[str, str]

_ANY = "*"
# Operations that IAM calls otherwise.
_S3 = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "UploadPart": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
}
_OF_A_VERSION = {"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion"}
_NEED_NONE = {"sts:GetCallerIdentity"}
# Members of SageMaker's requests that name a resource, and its type in an ARN; the first one present is meant.
_NAMES = (
    ("PipelineExecutionArn", ""),
    ("PipelineName", "pipeline"),
    ("ProcessingJobName", "processing-job"),
    ("TrainingJobName", "training-job"),
    ("TransformJobName", "transform-job"),
    ("HyperParameterTuningJobName", "hyper-parameter-tuning-job"),
    ("ModelName", "model"),
    ("ModelPackageArn", ""),
    ("ModelPackageName", "model-package"),
    ("ModelPackageGroupName", "model-package-group"),
    ("ExperimentName", "experiment"),
    ("TrialName", "experiment-trial"),
    ("TrialComponentName", "experiment-trial-component"),
    ("ResourceArn", ""),
)
# A transform job names a model, and the model is not what is asked for.
_BY_OPERATION = {"CreateTransformJob": ("TransformJobName", "transform-job")}
_ROLES = ("RoleArn", "ExecutionRoleArn")
_QUEUE = re.compile(r"^https?://[^/]+/(\d{12})/([^/?]+)")


def of_sagemaker(operation: str, request: dict[str, Any], region: str, account: str) -> list[Permission]:
    """Return what a request of SageMaker needs: the operation, and what it hands on (a role, tags).

    Args:
        operation: ``CreateProcessingJob``.
        request: its members; may hold anything, for it is not validated yet.
        region: of the service.
        account: twelve digits.
    """
    resource = _sagemaker_resource(operation, request, f"arn:aws:sagemaker:{region}:{account}")
    found = [(f"sagemaker:{operation}", resource)]
    if not operation.startswith(("Create", "Update")):
        return found
    # A search hands the role on within the definition of its training jobs.
    nested = request.get("TrainingJobDefinition")
    for holder in (request, nested if isinstance(nested, dict) else {}):
        found += [("iam:PassRole", role) for member in _ROLES if isinstance(role := holder.get(member), str)]
    if request.get("Tags"):
        found.append(("sagemaker:AddTags", resource))
    return found


def of_rest(
    operation: str, path: str, *, query: str, headers: Any, form: bytes, region: str, account: str
) -> list[Permission]:
    """Return what a request of the rest of AWS needs.

    Args:
        operation: as `aws_request.name` returns it.
        path: still percent-encoded.
        query: the query string.
        headers: case-insensitive.
        form: the body, when it was read.
        region: of the service.
        account: twelve digits.
    """
    service, _, name = operation.partition(":")
    if operation in _NEED_NONE:
        return []
    if service == "s3":
        return _of_s3(name, path, query, headers, form)
    if service == "lambda":
        action = "lambda:InvokeFunction" if name == "Invoke" else operation
        found = re.search(r"/functions/([^/]+)", path)
        at = f"arn:aws:lambda:{region}:{account}:function"
        function = unquote(found.group(1)).rpartition(":function:")[2] if found else ""
        return [(action, f"{at}:{function}" if function else _ANY)]
    return [(operation, _in_form(form, account))]


def _sagemaker_resource(operation: str, request: dict[str, Any], prefix: str) -> str:
    for member, kind in (_BY_OPERATION[operation],) if operation in _BY_OPERATION else _NAMES:
        value = request.get(member)
        if isinstance(value, str) and value:
            if value.startswith("arn:"):
                return value
            # A package without a version is named by its group.
            return f"{prefix}:{kind}/{value}"
    return _ANY


def _of_s3(name: str, path: str, query: str, headers: Any, form: bytes) -> list[Permission]:
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    host = headers.get("host", "").partition(":")[0]
    if host.endswith(".localhost"):
        bucket, key = host.removesuffix(".localhost"), unquote(path).lstrip("/")
    if name == "ListBuckets":
        return [("s3:ListAllMyBuckets", _ANY)]
    resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    if name == "CopyObject":
        source = unquote(headers["x-amz-copy-source"])
        place, _, version = source.lstrip("/").partition("?versionId=")
        read = "GetObjectVersion" if version else "GetObject"
        return [(f"s3:{read}", f"arn:aws:s3:::{place}"), ("s3:PutObject", resource)]
    if name == "DeleteObjects":
        action = "DeleteObjectVersion" if b"<VersionId>" in form else "DeleteObject"
        return [(f"s3:{action}", f"arn:aws:s3:::{bucket}/{_ANY}")]
    action = _S3.get(name, name)
    if "versionId" in parse_qs(query):
        action = _OF_A_VERSION.get(action, action)
    return [(f"s3:{action}", resource)]


def _in_form(form: bytes, account: str) -> str:
    """Return the ARN of what a form of the Query protocol names."""
    members = parse_qs(form.decode("utf-8", "replace"))
    if "TopicArn" in members:
        return members["TopicArn"][0]
    if "RoleName" in members:
        return f"arn:aws:iam::{account}:role/{members['RoleName'][0]}"
    queue = _QUEUE.match(members.get("QueueUrl", [""])[0])
    return f"arn:aws:sqs:*:{queue.group(1)}:{queue.group(2)}" if queue else _ANY
