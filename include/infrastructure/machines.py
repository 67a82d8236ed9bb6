"""Machines of a pipeline's steps, as its definition asks for them, and the table of their prices.

Both go into the record of what was deployed, from which Airflow estimates what a run cost without asking AWS again.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PRICES = Path(__file__).with_name("prices.yaml")
# Where each type of step says on what it runs.
PLACES = {
    "Processing": ("ProcessingResources", "ClusterConfig"),
    "QualityCheck": ("ProcessingResources", "ClusterConfig"),
    "Training": ("ResourceConfig",),
    "Transform": ("TransformResources",),
}


class PricesError(Exception):
    """The table of prices cannot be used; the message names the line's key."""


def prices(path: Path = PRICES) -> dict[str, float]:
    """Read the table: US dollars per hour by instance type.

    Raises:
        PricesError: it is no such table.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise PricesError(f"{path} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise PricesError(f"{path} must be lines such as `ml.m5.large: 0.115`.")
    for machine, price in content.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or price < 0:
            raise PricesError(f"{path}: {machine} has the price {price!r}; give US dollars per hour, such as 0.115.")
    return {str(machine): float(price) for machine, price in content.items()}


def machines(definition: str) -> dict[str, dict[str, Any]]:
    """Return type and count of the machines of every step that has some, by the step's name."""
    content = json.loads(definition)
    defaults = {item["Name"]: item.get("DefaultValue") for item in content.get("Parameters", [])}
    found = {}
    for step in _steps(content["Steps"]):
        if step["Type"] not in PLACES:
            continue
        place = step["Arguments"]
        for name in PLACES[step["Type"]]:
            place = place[name]
        found[step["Name"]] = {
            "type": _value(place["InstanceType"], defaults),
            "count": _value(place["InstanceCount"], defaults),
        }
    return found


def _steps(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from _steps(step["Arguments"].get(branch, []))


def _value(value: Any, defaults: dict[str, Any]) -> Any:
    """Return a value, or what the parameter that it refers to is by default."""
    return defaults[value["Get"].removeprefix("Parameters.")] if isinstance(value, dict) else value
