"""Conditions of a Condition step, over values that have been resolved already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sagemaker_local.engine.expressions import ExpressionError

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: left == right,
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "LessThan": lambda left, right: left < right,
    "LessThanOrEqualTo": lambda left, right: left <= right,
}
TYPES = (*_COMPARISONS, "In", "Not", "Or")


def holds(condition: dict[str, Any]) -> bool:
    """Tell whether a resolved condition holds.

    Raises:
        ExpressionError: its values cannot be compared.
    """
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Condition"] if "Condition" in condition else condition["Expression"])
    if kind == "Or":
        return any(holds(item) for item in condition["Conditions"])
    if kind == "In":
        query = condition["QueryValue"] if "QueryValue" in condition else condition["Value"]
        return query in (condition["Values"] if "Values" in condition else condition["In"])
    left, right = _comparable(condition["LeftValue"], condition["RightValue"])
    try:
        return _COMPARISONS[kind](left, right)
    except TypeError as error:
        raise ExpressionError(f"{kind} cannot compare {left!r} with {right!r}.") from error


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Read text as a number when the other side is one: numbers of a Lambda function or a join arrive as text."""
    for number, text in ((left, right), (right, left)):
        if isinstance(number, (int, float)) and not isinstance(number, bool) and isinstance(text, str):
            try:
                converted = float(text)
            except ValueError:
                return left, right
            return (left, converted) if number is left else (converted, right)
    return left, right


def problems(condition: Any) -> list[str]:
    """Return what is malformed in a condition as it stands in a definition."""
    if not isinstance(condition, dict) or condition.get("Type") not in TYPES:
        return [f"a condition has a Type of {', '.join(TYPES)}; got {condition!r:.120}"]
    kind = condition["Type"]
    if kind == "Not":
        return problems(condition.get("Condition", condition.get("Expression")))
    if kind == "Or":
        inner = condition.get("Conditions")
        if not isinstance(inner, list) or not inner:
            return ["an Or condition needs a list Conditions"]
        return [problem for item in inner for problem in problems(item)]
    if kind == "In":
        has_values = isinstance(condition.get("Values", condition.get("In")), list)
        return (
            []
            if has_values and ("QueryValue" in condition or "Value" in condition)
            else ["an In condition needs QueryValue and a list Values"]
        )
    missing = [side for side in ("LeftValue", "RightValue") if side not in condition]
    return [f"a {kind} condition needs {' and '.join(missing)}"] if missing else []
