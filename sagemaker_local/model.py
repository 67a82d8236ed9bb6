"""botocore's description of the SageMaker API: operations, shapes, errors, paginators. Nothing is typed by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

TARGET_PREFIX = "SageMaker."


@cache
def service() -> ServiceModel:
    """Return the service model (sagemaker 2017-07-24)."""
    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"))


@cache
def paginators() -> dict[str, dict[str, Any]]:
    """Return the paginator of each operation that has one: ``{"result_key", "limit_key", "input_token", ...}``."""
    return Loader().load_service_model("sagemaker", "paginators-1")["pagination"]


@cache
def operation_names() -> frozenset[str]:
    """Return the names of all operations that AWS has."""
    return frozenset(service().operation_names)


@cache
def operation(name: str) -> OperationModel:
    """Return the model of an operation; raise botocore's OperationNotFoundError when AWS has none of that name."""
    return service().operation_model(name)


@cache
def members(shape_name: str) -> frozenset[str]:
    """Return the names of the members of a structure."""
    shape = service().shape_for(shape_name)
    if not isinstance(shape, StructureShape):
        raise TypeError(f"{shape_name} is a {shape.type_name}, no structure")
    return frozenset(shape.members)


@cache
def token_members(name: str) -> tuple[str, ...]:
    """Return the members of an operation's input that are idempotency tokens.

    UpdateModelPackage has one that the model does not mark as such (a client does not fill it in), hence the names.
    """
    model = operation(name)
    if model.input_shape is None:
        return ()
    named = [member for member in ("ClientToken", "ClientRequestToken") if member in model.input_shape.members]
    return tuple(dict.fromkeys([*model.idempotent_members, *named]))


@cache
def error_codes(name: str) -> frozenset[str]:
    """Return the modelled errors of an operation."""
    return frozenset(shape.name for shape in operation(name).error_shapes)


def is_union(shape: Shape) -> bool:
    """Tell whether exactly one member of a structure may be set."""
    return bool(getattr(shape, "is_tagged_union", False))


def is_document(shape: Shape) -> bool:
    """Tell whether a structure is free-form JSON."""
    return bool(getattr(shape, "is_document_type", False))
