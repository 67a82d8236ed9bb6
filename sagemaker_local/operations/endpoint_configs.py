"""Endpoint configurations: kept as they are given. There are no endpoints here; creating one answers 501."""

from __future__ import annotations

from typing import Any

from sagemaker_local import arns, listing
from sagemaker_local.errors import ValidationError
from sagemaker_local.operations.models import model_arn
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.operations.tags import drop_tags, put_tags

Document = dict[str, Any]

# Documented with ServerlessConfig; the service model knows the bounds only.
_SERVERLESS_MEGABYTES = (1024, 2048, 3072, 4096, 5120, 6144)


def _arn(call: Call, name: str) -> str:
    return str(arns.Arn(call.api.region, call.api.account, "endpoint-config", name))


@operation("CreateEndpointConfig")
def create_endpoint_config(call: Call) -> Document:
    request, name = call.request, call.request["EndpointConfigName"]
    arn = _arn(call, name)
    if call.tx.get("endpoint_config", name) is not None:
        raise ValidationError(f'Cannot create already existing endpoint configuration "{arn}".')
    variants = [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) != len(names):
        raise ValidationError("Variant names must be unique within an endpoint configuration.")
    for number, variant in enumerate(variants, 1):
        memory = variant.get("ServerlessConfig", {}).get("MemorySizeInMB", _SERVERLESS_MEGABYTES[0])
        if memory not in _SERVERLESS_MEGABYTES:
            allowed = ", ".join(map(str, _SERVERLESS_MEGABYTES))
            raise ValidationError(
                f"1 validation error detected: Value '{memory}' at "
                f"'productionVariants.{number}.member.serverlessConfig.memorySizeInMB' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{allowed}]"
            )
        model = variant.get("ModelName")
        if model is not None and call.tx.get("model", model) is None:
            raise ValidationError(f'Could not find model "{model_arn(call, model)}".')
    document = {
        **{member: value for member, value in request.items() if member != "Tags"},
        "EndpointConfigArn": arn,
        "CreationTime": call.now,
    }
    call.tx.insert("endpoint_config", name, document)
    put_tags(call, arn, request.get("Tags", []))
    return {"EndpointConfigArn": arn}


@operation("DescribeEndpointConfig")
def describe_endpoint_config(call: Call) -> Document:
    return _find(call)


@operation("ListEndpointConfigs")
def list_endpoint_configs(call: Call) -> Document:
    sorts = {"CreationTime": "CreationTime", "Name": "EndpointConfigName"}
    summary = listing.pick("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    return listing.answer(
        call, "endpoint_config", summary, sorts, name="EndpointConfigName", default="Descending", size=10
    )


@operation("DeleteEndpointConfig")
def delete_endpoint_config(call: Call) -> None:
    document = _find(call)
    drop_tags(call, document["EndpointConfigArn"])
    call.tx.delete("endpoint_config", document["EndpointConfigName"])


def _find(call: Call) -> Document:
    name = call.request["EndpointConfigName"]
    document = call.tx.get("endpoint_config", name)
    if document is None:
        raise ValidationError(f'Could not find endpoint configuration "{_arn(call, name)}".')
    return document
