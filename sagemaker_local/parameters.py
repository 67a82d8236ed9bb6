"""The parameters of a pipeline: what a definition may declare, and the values that an execution gets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

TYPES = ("String", "Integer", "Float", "Boolean")
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")


def problems(definition: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the declared parameters."""
    seen: set[str] = set()
    for parameter in definition.get("Parameters") or []:
        name = parameter.get("Name") if isinstance(parameter, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield f"A parameter needs a Name of letters, digits, hyphens and underscores, got {parameter!r:.120}."
            continue
        if name in seen:
            yield f"Parameter [{name}] is declared more than once."
        seen.add(name)
        if parameter.get("Type") not in TYPES:
            yield f"Parameter [{name}] has Type {parameter.get('Type')!r}; there are {', '.join(TYPES)}."
            continue
        default = parameter.get("DefaultValue")
        if default is not None:
            try:
                _check_value(parameter, _typed(parameter, default))
            except ValueError as error:
                yield f"The DefaultValue is wrong: {error}"


def check(definition: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the typed value of every declared parameter.

    Args:
        definition: a parsed definition.
        given: values by name, as text (as StartPipelineExecution carries them) or typed.

    Raises:
        ValueError: a parameter is undeclared, missing, of another type, or none of its EnumValues.
    """
    declared = {parameter["Name"]: parameter for parameter in definition.get("Parameters") or []}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        known = ", ".join(declared) or "none"
        raise ValueError(
            f"Parameters [{', '.join(unknown)}] are not declared in the pipeline definition. Declared: {known}."
        )
    missing = [
        name for name, parameter in declared.items() if name not in given and parameter.get("DefaultValue") is None
    ]
    if missing:
        raise ValueError(
            f"Parameters [{', '.join(missing)}] are undefined: the pipeline definition has no default value for them, "
            "so give them in PipelineParameters."
        )
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        values[name] = _typed(parameter, given[name] if name in given else parameter["DefaultValue"])
        _check_value(parameter, values[name])
    return values


def _typed(parameter: dict[str, Any], value: Any) -> Any:
    kind = parameter["Type"]
    wrong = ValueError(f"Cannot assign property [{parameter['Name']}] with value [{value}] to type [{kind}].")
    if kind == "String":
        if not isinstance(value, str):
            raise wrong
        return value
    if kind == "Boolean":
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        raise wrong
    if isinstance(value, bool):
        raise wrong
    try:
        number = int(value) if kind == "Integer" else float(value)
    except (ValueError, TypeError, OverflowError):
        raise wrong from None
    if not math.isfinite(number) or (kind == "Integer" and isinstance(value, float) and value != number):
        raise wrong
    return number


def _check_value(parameter: dict[str, Any], value: Any) -> None:
    allowed = parameter.get("EnumValues")
    if allowed and value not in allowed:
        raise ValueError(f"Value [{value}] of parameter [{parameter['Name']}] is none of {list(allowed)}.")
