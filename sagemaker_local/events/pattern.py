"""Event patterns of EventBridge: does an event match a rule?

Values in lists (any of them), nested members, ``prefix``, ``suffix``, ``equals-ignore-case``, ``wildcard``,
``anything-but`` (values, prefix, suffix, wildcard), ``numeric``, ``exists`` and ``$or``, as the user guide has them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

_MISSING = object()
_NUMERIC: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class PatternError(ValueError):
    """A pattern that EventBridge knows otherwise, or not at all."""


def matches(pattern: Any, event: Any) -> bool:
    """Tell whether an event matches a pattern (both decoded JSON objects).

    Raises:
        PatternError: the pattern is wrong, or uses a comparison that is not known here.
    """
    if not isinstance(pattern, dict):
        raise PatternError("A pattern is a JSON object.")
    if isinstance(event, list):  # an object in a list matches when one of them does
        return any(isinstance(item, dict) and matches(pattern, item) for item in event)
    fields = event if isinstance(event, dict) else {}
    return all(_member(name, wanted, fields) for name, wanted in pattern.items())


def _member(name: str, wanted: Any, fields: dict[str, Any]) -> bool:
    if name == "$or":
        if not isinstance(wanted, list):
            raise PatternError("$or takes a list of patterns.")
        return any(matches(each, fields) for each in wanted)
    value = fields.get(name, _MISSING)
    if isinstance(wanted, dict):
        return matches(wanted, value)
    if not isinstance(wanted, list):
        raise PatternError(f"The values of {name} must stand in a list.")
    values = value if isinstance(value, list) else [value]
    return any(_value(each, item) for each in wanted for item in (values or [_MISSING]))


def _value(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict):
        if len(wanted) != 1:
            raise PatternError(f"A comparison has one name: {wanted!r}.")
        name, bound = next(iter(wanted.items()))
        if name not in _COMPARISONS:
            raise PatternError(f"The comparison {name!r} is not known here.")
        return _COMPARISONS[name](bound, value)
    if value is _MISSING or isinstance(value, dict):
        return False
    return type(wanted) is type(value) and wanted == value if isinstance(wanted, bool) else wanted == value


def _exists(bound: Any, value: Any) -> bool:
    return (value is not _MISSING) is bool(bound)


def _affix(starts: bool) -> Callable[[Any, Any], bool]:  # noqa: FBT001 - which end is the whole difference
    def compare(bound: Any, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(bound, dict):
            bound, value = bound["equals-ignore-case"].lower(), value.lower()
        return value.startswith(bound) if starts else value.endswith(bound)

    return compare


def _ignore_case(bound: Any, value: Any) -> bool:
    return isinstance(value, str) and value.lower() == bound.lower()


def _wildcard(bound: Any, value: Any) -> bool:
    expression = ".*".join(re.escape(part) for part in bound.split("*"))
    return isinstance(value, str) and re.fullmatch(expression, value, re.DOTALL) is not None


def _anything_but(bound: Any, value: Any) -> bool:
    if value is _MISSING:
        return False
    if isinstance(bound, dict):
        name, inner = next(iter(bound.items()))
        inner = inner if isinstance(inner, list) else [inner]
        return not any(_value({name: each}, value) for each in inner)
    return value not in (bound if isinstance(bound, list) else [bound])


def _numeric(bound: Any, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if not isinstance(bound, list) or len(bound) % 2 or any(sign not in _NUMERIC for sign in bound[::2]):
        raise PatternError(f"numeric takes pairs of {', '.join(_NUMERIC)} and a number, not {bound!r}.")
    return all(_NUMERIC[sign](value, number) for sign, number in zip(bound[::2], bound[1::2], strict=True))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "exists": _exists,
    "prefix": _affix(starts=True),
    "suffix": _affix(starts=False),
    "equals-ignore-case": _ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
}
