"""How two documents differ, in lines that a person reads: policies by statement, definitions by step."""

import json
from collections.abc import Iterator
from typing import Any

SHOWN = 100


def between(present: Any, wanted: Any) -> list[str]:
    """Return a line for each place at which two JSON documents differ; none when they are equal."""
    return [_line(path, old, new) for path, old, new in _walk(present, wanted, "")]


def between_definitions(present: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return the differences of two pipeline definitions: parameters by name, then steps by name, then the rest."""
    lines = []
    for kind, part in (("parameter", "Parameters"), ("step", "Steps")):
        old, new = _named(present, part), _named(wanted, part)
        lines += [f"{kind} {name}: removed" for name in old if name not in new]
        for name, item in new.items():
            if name not in old:
                lines.append(f"{kind} {name}: added")
            else:
                lines += [f"{kind} {name}: {line}" for line in between(old[name], item)]
    rest = {"Parameters", "Steps"}
    lines += between(
        {key: value for key, value in present.items() if key not in rest},
        {key: value for key, value in wanted.items() if key not in rest},
    )
    return lines


def _named(definition: dict[str, Any], part: str) -> dict[str, Any]:
    """Return parameters or steps by name; the steps within a condition stand beside it, and it keeps their names."""
    found: dict[str, Any] = {}
    for item in definition.get(part, []):
        step = json.loads(json.dumps(item))
        arguments = step.get("Arguments", {})
        for branch in ("IfSteps", "ElseSteps"):
            if branch in arguments:
                found |= _named({part: arguments[branch]}, part)
                arguments[branch] = [inner["Name"] for inner in arguments[branch]]
        found[step["Name"]] = step
    return found


def _walk(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _walk(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        before, after = _keyed(old), _keyed(new)
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _walk(before.get(key), after.get(key), f"{path}[{key}]")
    elif old != new:
        yield path, old, new


def _keyed(items: list[Any]) -> dict[Any, Any]:
    """Return the items of a list by what tells them apart: a name of their own, the text that they are, or a place."""
    found: dict[Any, Any] = {}
    for place, item in enumerate(items):
        name: Any = place
        if isinstance(item, dict):
            name = next((item[key] for key in ("Sid", "Name", "InputName", "OutputName", "ID") if key in item), place)
        elif isinstance(item, str):
            name = item
        found[place if name in found else name] = item
    return found


def _line(path: str, old: Any, new: Any) -> str:
    where = f"{path}: " if path else ""
    if old is None:
        return f"{where}+ {_short(new)}"
    if new is None:
        return f"{where}- {_short(old)}"
    return f"{where}{_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
