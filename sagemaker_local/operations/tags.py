"""Tags of any resource that has an ARN."""

from __future__ import annotations

from typing import Any

from sagemaker_local import arns, listing
from sagemaker_local.errors import ValidationError
from sagemaker_local.operations.registry import Call, operation

Document = dict[str, Any]

# Kind in an ARN -> (kind in the store, whether the key is the whole ARN).
RESOURCES: dict[str, tuple[str, bool]] = {
    "pipeline": ("pipeline", False),
    "processing-job": ("processing_job", False),
    "training-job": ("training_job", False),
    "transform-job": ("transform_job", False),
    "hyper-parameter-tuning-job": ("tuning_job", False),
    "model": ("model", False),
    "model-package-group": ("model_package_group", False),
    "model-package": ("model_package", True),
    "endpoint-config": ("endpoint_config", False),
    "experiment": ("experiment", False),
    "experiment-trial": ("trial", False),
    "experiment-trial-component": ("trial_component", False),
}


def tags_of(call: Call, arn: str) -> list[Document]:
    """Return a resource's tags in the order in which they were added."""
    return call.tx.list("tag", arn)


def put_tags(call: Call, arn: str, tags: list[Document]) -> None:
    """Add tags to a resource, replacing those of the same key.

    Raises:
        ValidationError: more tags than a resource may have, or one key twice.
    """
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise ValidationError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    for tag in tags:
        call.tx.put("tag", f"{arn}\n{tag['Key']}", {"Key": tag["Key"], "Value": tag["Value"]}, parent=arn)
    limit = call.api.quotas.tags_per_resource
    if limit is not None and call.tx.count("tag", arn) > limit:
        raise ValidationError(f"{arn} would have more than {limit} tags, the most that a resource may have.")


def drop_tags(call: Call, arn: str) -> None:
    """Forget all tags of a resource that goes away."""
    for tag in tags_of(call, arn):
        call.tx.delete("tag", f"{arn}\n{tag['Key']}")


@operation("AddTags")
def add_tags(call: Call) -> Document:
    arn = _existing(call)
    put_tags(call, arn, call.request["Tags"])
    return {"Tags": tags_of(call, arn)}


@operation("ListTags")
def list_tags(call: Call) -> Document:
    tags = tags_of(call, _existing(call))
    return listing.page(call, [([index], tag) for index, tag in enumerate(tags)], listing.pick("Key", "Value"), size=50)


@operation("DeleteTags")
def delete_tags(call: Call) -> Document:
    arn = _existing(call)
    for key in call.request["TagKeys"]:
        call.tx.delete("tag", f"{arn}\n{key}")
    return {}


def _existing(call: Call) -> str:
    text = call.request["ResourceArn"]
    arn = arns.parse(text)
    kind, by_arn = RESOURCES.get(arn.kind, (None, False)) if arn else (None, False)
    if arn is None or kind is None:
        raise ValidationError(
            f"{text!r} is not the ARN of a resource that can have tags here. Tags are kept for: {', '.join(RESOURCES)}."
        )
    document = call.tx.get(kind, text if by_arn else arn.name)
    if document is None or (arn.region, arn.account) != (call.api.region, call.api.account):
        raise ValidationError(f"Could not find resource {text!r}; list what there is, or check region and account.")
    return text
