"""The model registry: model package groups and the packages in them."""

from __future__ import annotations

from typing import Any

from sagemaker_local import arns, listing, model
from sagemaker_local.errors import ConflictError, ValidationError
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.operations.tags import drop_tags, put_tags
from sagemaker_local.store import Query

Document = dict[str, Any]

_DETAILS: Document = {"ValidationStatuses": [], "ImageScanStatuses": []}
_SORTS = {"CreationTime": "CreationTime", "Name": "ModelPackageName"}


def find_group(call: Call, name_or_arn: str) -> Document:
    """Return a group by name or ARN; ValidationError when there is none (AWS models no other error for groups)."""
    arn = arns.parse(name_or_arn) or _group_arn(call, name_or_arn)
    group = call.tx.get("model_package_group", arn.name)
    if group is None or group["ModelPackageGroupArn"] != str(arn):
        raise ValidationError(f"ModelPackageGroup {arn} does not exist.")
    return group


def find_package(call: Call, name_or_arn: str) -> Document:
    """Return a package by its ARN, by its name, or by ``<group>/<version>``."""
    arn = arns.parse(name_or_arn) or arns.Arn(call.api.region, call.api.account, "model-package", name_or_arn)
    package = call.tx.get("model_package", str(arn))
    if package is None:
        raise ValidationError(f"ModelPackage {arn} does not exist.")
    return package


def _group_arn(call: Call, name: str) -> arns.Arn:
    return arns.Arn(call.api.region, call.api.account, "model-package-group", name)


@operation("CreateModelPackageGroup")
def create_model_package_group(call: Call) -> Document:
    request, name = call.request, call.request["ModelPackageGroupName"]
    arn = str(_group_arn(call, name))
    if call.tx.get("model_package_group", name) is not None:
        raise ValidationError(f"Model Package Group already exists: {arn}")
    group = {
        **{member: value for member, value in request.items() if member != "Tags"},
        "ModelPackageGroupArn": arn,
        "CreationTime": call.now,
        "CreatedBy": {},
        "ModelPackageGroupStatus": "Completed",
        "_local": {},
    }
    call.tx.insert("model_package_group", name, group)
    put_tags(call, arn, request.get("Tags", []))
    return {"ModelPackageGroupArn": arn}


@operation("DescribeModelPackageGroup")
def describe_model_package_group(call: Call) -> Document:
    return find_group(call, call.request["ModelPackageGroupName"])


@operation("ListModelPackageGroups")
def list_model_package_groups(call: Call) -> Document:
    sorts = {"CreationTime": "CreationTime", "Name": "ModelPackageGroupName"}
    summary = listing.pick(
        "ModelPackageGroupName",
        "ModelPackageGroupArn",
        "ModelPackageGroupDescription",
        "CreationTime",
        "ModelPackageGroupStatus",
        "ManagedConfiguration",
    )
    return listing.answer(call, "model_package_group", summary, sorts, name="ModelPackageGroupName")


@operation("DeleteModelPackageGroup")
def delete_model_package_group(call: Call) -> None:
    group = find_group(call, call.request["ModelPackageGroupName"])
    arn = group["ModelPackageGroupArn"]
    held = call.tx.count("model_package", arn)
    if held:
        raise ConflictError(
            f"ModelPackageGroup {arn} still holds {held} model packages. Delete them with DeleteModelPackage first."
        )
    drop_tags(call, arn)
    call.tx.delete("model_package_group", group["ModelPackageGroupName"])


@operation("PutModelPackageGroupPolicy")
def put_model_package_group_policy(call: Call) -> Document:
    group = find_group(call, call.request["ModelPackageGroupName"])
    group["_local"]["policy"] = call.request["ResourcePolicy"]
    call.tx.put("model_package_group", group["ModelPackageGroupName"], group)
    return {"ModelPackageGroupArn": group["ModelPackageGroupArn"]}


@operation("GetModelPackageGroupPolicy")
def get_model_package_group_policy(call: Call) -> Document:
    group = find_group(call, call.request["ModelPackageGroupName"])
    policy = group["_local"].get("policy")
    if policy is None:
        raise ValidationError(f"Cannot find resource policy for: {group['ModelPackageGroupArn']}")
    return {"ResourcePolicy": policy}


@operation("DeleteModelPackageGroupPolicy")
def delete_model_package_group_policy(call: Call) -> None:
    group = find_group(call, call.request["ModelPackageGroupName"])
    group["_local"].pop("policy", None)
    call.tx.put("model_package_group", group["ModelPackageGroupName"], group)


@operation("CreateModelPackage")
def create_model_package(call: Call) -> Document:
    request = call.request
    if "ModelPackageName" in request and "ModelPackageGroupName" in request:
        raise ValidationError(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
            "Cannot determine which one to use."
        )
    if "ModelPackageName" not in request and "ModelPackageGroupName" not in request:
        raise ValidationError(
            "Missing ARN. Give ModelPackageName (an unversioned package) or ModelPackageGroupName (a new version)."
        )
    described = model.members("DescribeModelPackageOutput")
    package = {
        "CertifyForMarketplace": False,
        **{member: value for member, value in request.items() if member in described},
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        "CreatedBy": {},
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": _DETAILS,
    }
    if "ModelPackageGroupName" in request:
        arn, parent = _as_version(call, package)
    else:
        arn, parent = _as_unversioned(call, package), None
    package["ModelPackageArn"] = arn
    call.tx.insert("model_package", arn, package, parent=parent)
    put_tags(call, arn, request.get("Tags", []))
    return {"ModelPackageArn": arn}


def _as_version(call: Call, package: Document) -> tuple[str, str]:
    """Make the package the next version of its group. A number that was given once never comes back."""
    group = find_group(call, package["ModelPackageGroupName"])
    name, parent = group["ModelPackageGroupName"], group["ModelPackageGroupArn"]
    version = call.tx.next(f"model_package/{parent}")
    package.setdefault("ModelApprovalStatus", "PendingManualApproval")
    package["ModelPackageGroupName"] = name
    package["ModelPackageVersion"] = version
    package["ModelPackageName"] = f"{name}/{version}"
    return str(arns.Arn(call.api.region, call.api.account, "model-package", f"{name}/{version}")), parent


def _as_unversioned(call: Call, package: Document) -> str:
    if "ModelApprovalStatus" in package:
        raise ValidationError("ModelApprovalStatus does not apply to an unversioned model package.")
    arn = str(arns.Arn(call.api.region, call.api.account, "model-package", package["ModelPackageName"]))
    if call.tx.get("model_package", arn) is not None:
        raise ValidationError(f"ModelPackage already exists: {arn}")
    return arn


@operation("DescribeModelPackage")
def describe_model_package(call: Call) -> Document:
    return find_package(call, call.request["ModelPackageName"])


@operation("BatchDescribeModelPackage")
def batch_describe_model_package(call: Call) -> Document:
    members = model.members("BatchDescribeModelPackageSummary")
    found: Document = {}
    failed: Document = {}
    for arn in call.request["ModelPackageArnList"]:
        package = call.tx.get("model_package", arn)
        if package is None:
            failed[arn] = {"ErrorCode": "ValidationException", "ErrorResponse": f"ModelPackage {arn} does not exist."}
        else:
            found[arn] = {member: value for member, value in package.items() if member in members}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": failed}


@operation("ListModelPackages")
def list_model_packages(call: Call) -> Document:
    request = call.request
    approval = request.get("ModelApprovalStatus")
    found = [
        package for package in _of_type(call) if approval is None or package.get("ModelApprovalStatus") == approval
    ]
    keyed = _by_version(call, found)
    summary = listing.pick(
        "ModelPackageName",
        "ModelPackageGroupName",
        "ModelPackageVersion",
        "ModelPackageArn",
        "ModelPackageDescription",
        "CreationTime",
        "ModelPackageStatus",
        "ModelApprovalStatus",
        "ModelLifeCycle",
        "ModelPackageRegistrationType",
    )
    return listing.page(call, keyed, summary)


def _of_type(call: Call) -> list[Document]:
    """Return the packages of a group, or those of a type; without either, AWS lists the unversioned ones."""
    group, kind = call.request.get("ModelPackageGroupName"), call.request.get("ModelPackageType")
    parent = None if group is None else find_group(call, group)["ModelPackageGroupArn"]
    query = Query("CreationTime", parent=parent, terms=listing.terms(call, name="ModelPackageName"))
    packages = [package for _, package in call.tx.select("model_package", query)]
    if group is not None:
        return [] if kind == "Unversioned" else packages
    if kind == "Both":
        return packages
    return [package for package in packages if ("ModelPackageVersion" in package) == (kind == "Versioned")]


def _by_version(call: Call, packages: list[Document]) -> list[tuple[list[Any], Document]]:
    """Sort by time or by name; versions count as numbers (2 before 10) and decide between equal times."""
    member = _SORTS[call.request.get("SortBy", "CreationTime")]
    keyed: list[tuple[list[Any], Document]] = []
    for package in packages:
        name, version = package["ModelPackageName"], package.get("ModelPackageVersion", 0)
        base = name.rpartition("/")[0] or name
        first = base if member == "ModelPackageName" else package["CreationTime"]
        keyed.append(([first, version, name], package))
    keyed.sort(key=lambda pair: pair[0], reverse=listing.descending(call, "Ascending"))
    return keyed


@operation("UpdateModelPackage")
def update_model_package(call: Call) -> Document:
    """Change what the request names; every other member stays."""
    request = call.request
    package = find_package(call, request["ModelPackageArn"])
    if "ModelApprovalStatus" in request and "ModelPackageVersion" not in package:
        raise ValidationError("ModelApprovalStatus does not apply to an unversioned model package.")
    for member in (
        "ModelApprovalStatus",
        "ApprovalDescription",
        "ModelPackageRegistrationType",
        "InferenceSpecification",
        "SourceUri",
        "ModelLifeCycle",
    ):
        if member in request:
            package[member] = request[member]
    if "ModelCard" in request:
        package["ModelCard"] = {**package.get("ModelCard", {}), **request["ModelCard"]}
    _update_metadata(package, request)
    if "AdditionalInferenceSpecificationsToAdd" in request:
        _add_specifications(package, request["AdditionalInferenceSpecificationsToAdd"])
    package["LastModifiedTime"] = call.now
    package["LastModifiedBy"] = {}
    call.tx.put("model_package", package["ModelPackageArn"], package)
    return {"ModelPackageArn": package["ModelPackageArn"]}


def _update_metadata(package: Document, request: Document) -> None:
    if "CustomerMetadataProperties" not in request and "CustomerMetadataPropertiesToRemove" not in request:
        return
    removed = request.get("CustomerMetadataPropertiesToRemove", [])
    kept = {key: value for key, value in package.get("CustomerMetadataProperties", {}).items() if key not in removed}
    package["CustomerMetadataProperties"] = {**kept, **request.get("CustomerMetadataProperties", {})}


def _add_specifications(package: Document, added: list[Document]) -> None:
    present = package.get("AdditionalInferenceSpecifications", [])
    taken = {specification["Name"] for specification in present}
    twice = sorted({specification["Name"] for specification in added} & taken)
    if twice:
        raise ValidationError(f"AdditionalInferenceSpecifications named {', '.join(twice)} exist already.")
    package["AdditionalInferenceSpecifications"] = [*present, *added]


@operation("DeleteModelPackage")
def delete_model_package(call: Call) -> None:
    package = find_package(call, call.request["ModelPackageName"])
    drop_tags(call, package["ModelPackageArn"])
    call.tx.delete("model_package", package["ModelPackageArn"])
