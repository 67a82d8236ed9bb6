"""What a request must satisfy and what an answer may hold, both read from the service model.

botocore's own validator checks types, required members and lower bounds on the client. What it leaves to the service
(upper bounds, patterns, enumerations) is checked here, in AWS's wording:
``1 validation error detected: Value 'Nope' at 'modelApprovalStatus' failed to satisfy constraint: ...``.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from datetime import UTC, datetime
from functools import cache
from typing import Any

import regex
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from sagemaker_local import model
from sagemaker_local.errors import ApiError, HandlerError, ValidationError

_PATTERN_SECONDS = 2.0
_INTEGER_BITS = {"integer": 31, "long": 63}


def check_request(operation: OperationModel, request: Any) -> dict[str, Any]:
    """Return the request with unknown and null members left out, as the service does.

    Args:
        operation: the operation's model.
        request: the decoded JSON body.

    Raises:
        ApiError: ``SerializationException`` for a wrong JSON type, ``ValidationException`` listing everything else.
    """
    if not isinstance(request, dict):
        raise _wrong_type("request", "Structure", request)
    if operation.input_shape is None:
        return {}
    problems: list[str] = []
    try:
        clean = _check(operation.input_shape, request, "", problems)
    except RecursionError as error:
        raise ValidationError("The request is nested too deeply.") from error
    if problems:
        count = len(problems)
        noun = "error" if count == 1 else "errors"
        raise ValidationError(f"{count} validation {noun} detected: {'; '.join(problems)}")
    return clean


def check_response(operation: OperationModel, response: dict[str, Any]) -> dict[str, Any]:
    """Return a handler's answer as it goes over the wire, without members that are None and the private ``_local``.

    Raises:
        HandlerError: the service model does not know a member of it, or knows it by another type.
    """
    visible = {name: value for name, value in response.items() if name != "_local"}
    if operation.output_shape is None:
        if visible:
            raise HandlerError(f"{operation.name} has no output, its handler returned {sorted(visible)}")
        return {}
    return _render(operation.output_shape, visible, operation.name)


def _check(shape: Shape, value: Any, path: str, problems: list[str]) -> Any:
    if model.is_document(shape):
        return value
    return _CHECKS[shape.type_name](shape, value, path, problems)


def _check_structure(shape: StructureShape, value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_type(path, "Structure", value)
    given = {name: item for name, item in value.items() if item is not None and name in shape.members}
    problems.extend(
        _problem(None, _join(path, name), "Member must not be null")
        for name in shape.required_members
        if name not in given
    )
    if model.is_union(shape) and len(given) != 1:
        problems.append(
            _problem(json.dumps(value), path, f"Exactly one of these members must be set: [{', '.join(shape.members)}]")
        )
    return {name: _check(shape.members[name], item, _join(path, name), problems) for name, item in given.items()}


def _check_list(shape: ListShape, value: Any, path: str, problems: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong_type(path, "List", value)
    _check_size(shape, len(value), value, path, problems, noun="length")
    return [
        _check_item(shape.member, item, f"{path}.{number}.member", problems) for number, item in enumerate(value, 1)
    ]


def _check_item(shape: Shape, value: Any, path: str, problems: list[str]) -> Any:
    if value is None:
        problems.append(_problem(None, path, "Member must not be null"))
        return None
    return _check(shape, value, path, problems)


def _check_map(shape: MapShape, value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_type(path, "Map", value)
    _check_size(shape, len(value), value, path, problems, noun="length")
    clean = {}
    for key, item in value.items():
        _check(shape.key, key, f"{path}.key", problems)
        clean[key] = _check_item(shape.value, item, f"{path}.{key}.member", problems)
    return clean


def _check_string(shape: Shape, value: Any, path: str, problems: list[str]) -> str:
    if not isinstance(value, str):
        raise _wrong_type(path, "String", value)
    if not _is_text(value):
        raise _wrong_type(path, "String", value)
    in_size = _check_size(shape, len(value), value, path, problems, noun="length")
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        problems.append(_problem(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]"))
    pattern = shape.metadata.get("pattern")
    # A value of a wrong length is not matched: some patterns take very long over very long values.
    if pattern and in_size and not matches(pattern, value):
        problems.append(_problem(value, path, f"Member must satisfy regular expression pattern: {pattern}"))
    return value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: no text, and neither the file nor the wire can hold it
        return False
    return True


def _check_integer(shape: Shape, value: Any, path: str, problems: list[str]) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(path, shape.type_name.capitalize(), value)
    limit = 1 << _INTEGER_BITS[shape.type_name]
    if not -limit <= value < limit:
        raise _wrong_type(path, shape.type_name.capitalize(), value)
    _check_size(shape, value, value, path, problems, noun="value")
    return value


def _check_float(shape: Shape, value: Any, path: str, problems: list[str]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _wrong_type(path, shape.type_name.capitalize(), value)
    _check_size(shape, value, value, path, problems, noun="value")
    return value


def _check_boolean(_shape: Shape, value: Any, path: str, _problems: list[str]) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(path, "Boolean", value)
    return value


def _check_timestamp(_shape: Shape, value: Any, path: str, _problems: list[str]) -> float:
    try:
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            datetime.fromtimestamp(value, UTC)  # out of any calendar: OverflowError or ValueError
            return float(value)
    except (ValueError, OverflowError, OSError) as error:
        raise _wrong_type(path, "Timestamp", value) from error
    raise _wrong_type(path, "Timestamp", value)


def _check_blob(shape: Shape, value: Any, path: str, problems: list[str]) -> str:
    if not isinstance(value, str):
        raise _wrong_type(path, "Blob", value)
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong_type(path, "Blob", value) from error
    _check_size(shape, len(data), value, path, problems, noun="length")
    return value


_CHECKS: dict[str, Any] = {
    "structure": _check_structure,
    "list": _check_list,
    "map": _check_map,
    "string": _check_string,
    "integer": _check_integer,
    "long": _check_integer,
    "float": _check_float,
    "double": _check_float,
    "boolean": _check_boolean,
    "timestamp": _check_timestamp,
    "blob": _check_blob,
}


def _check_size(shape: Shape, size: float, value: Any, path: str, problems: list[str], *, noun: str) -> bool:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        problems.append(_problem(value, path, f"Member must have {noun} greater than or equal to {low}"))
        return False
    if high is not None and size > high:
        problems.append(_problem(value, path, f"Member must have {noun} less than or equal to {high}"))
        return False
    return True


def matches(pattern: str, value: str) -> bool:
    r"""Tell whether a value matches the whole of a pattern of the model.

    Nine patterns use ``\p{L}``, which the standard library's `re` refuses, hence `regex`. One names surrogate halves,
    which no Python string of valid text can hold: it cannot be compiled, and every value passes it.
    """
    compiled = _compile(pattern)
    if compiled is None:
        return True
    try:
        return compiled.fullmatch(value, timeout=_PATTERN_SECONDS) is not None
    except TimeoutError:
        return False


@cache
def _compile(pattern: str) -> regex.Pattern[str] | None:
    try:
        return regex.compile(pattern)
    except regex.error:
        return None


def _render(shape: Shape, value: Any, path: str) -> Any:
    if model.is_document(shape):
        return value
    kind = shape.type_name
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        unknown = sorted(set(value) - set(shape.members))
        if unknown:
            raise HandlerError(f"{path} has no member {', '.join(unknown)} in the service model")
        return {
            name: _render(shape.members[name], item, f"{path}.{name}")
            for name, item in value.items()
            if item is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_render(shape.member, item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _render(shape.value, item, f"{path}[{key!r}]") for key, item in value.items()}
    if isinstance(value, _RENDERED.get(kind, ())) and (kind == "boolean" or not isinstance(value, bool)):
        return value
    raise HandlerError(f"{path} should be a {kind}, its handler returned {value!r}")


_RENDERED: dict[str, Any] = {
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "timestamp": (int, float),
    "blob": str,
}


def _join(path: str, name: str) -> str:
    lowered = name[:1].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _problem(value: Any, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _wrong_type(path: str, wanted: str, value: Any) -> ApiError:
    return ApiError(
        "SerializationException", f"{type(value).__name__} at '{path}' can not be converted to {wanted}: {value!r:.200}"
    )
