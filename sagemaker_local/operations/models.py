"""Models: containers with their artifacts, as transform jobs use them."""

from __future__ import annotations

from typing import Any

from sagemaker_local import arns, listing
from sagemaker_local.errors import ValidationError
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.operations.tags import drop_tags, put_tags

Document = dict[str, Any]


def model_arn(call: Call, name: str) -> str:
    """Return the ARN of a model of that name."""
    return str(arns.Arn(call.api.region, call.api.account, "model", name))


@operation("CreateModel")
def create_model(call: Call) -> Document:
    request, name = call.request, call.request["ModelName"]
    if ("PrimaryContainer" in request) == ("Containers" in request):
        raise ValidationError("A model needs exactly one of PrimaryContainer and Containers.")
    for container in request.get("Containers", [request.get("PrimaryContainer")]):
        _check_container(call, container)
    arn = model_arn(call, name)
    if call.tx.get("model", name) is not None:
        raise ValidationError(f'Cannot create already existing model "{arn}".')
    document = {
        "EnableNetworkIsolation": False,
        **{member: value for member, value in request.items() if member != "Tags"},
        "ModelArn": arn,
        "CreationTime": call.now,
    }
    call.tx.insert("model", name, document)
    put_tags(call, arn, request.get("Tags", []))
    return {"ModelArn": arn}


def _check_container(call: Call, container: Document) -> None:
    package = container.get("ModelPackageName")
    if ("Image" in container) == (package is not None):
        raise ValidationError("A container needs exactly one of Image and ModelPackageName.")
    if package is None:
        return
    document = call.tx.get("model_package", package)
    if document is None:
        arn = str(arns.Arn(call.api.region, call.api.account, "model-package", package))
        document = call.tx.get("model_package", arn)
    if document is None:
        raise ValidationError(f"ModelPackage {package} does not exist.")
    approval = document.get("ModelApprovalStatus", "Approved")
    if approval != "Approved":
        raise ValidationError(
            f"Model package {package} has the approval status {approval}; only an Approved one can become a model. "
            "Approve it with UpdateModelPackage(ModelApprovalStatus='Approved')."
        )


@operation("DescribeModel")
def describe_model(call: Call) -> Document:
    return _find(call)


@operation("ListModels")
def list_models(call: Call) -> Document:
    sorts = {"CreationTime": "CreationTime", "Name": "ModelName"}
    summary = listing.pick("ModelName", "ModelArn", "CreationTime")
    return listing.answer(call, "model", summary, sorts, name="ModelName", default="Descending")


@operation("DeleteModel")
def delete_model(call: Call) -> None:
    document = _find(call)
    drop_tags(call, document["ModelArn"])
    call.tx.delete("model", document["ModelName"])


def _find(call: Call) -> Document:
    name = call.request["ModelName"]
    document = call.tx.get("model", name)
    if document is None:
        raise ValidationError(f'Could not find model "{model_arn(call, name)}".')
    return document
