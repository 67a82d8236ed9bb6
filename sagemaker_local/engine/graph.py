"""The steps of a definition and what each waits for: DependsOn united with every reference, anywhere in the step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagemaker_local.engine.expressions import references

TRIGGERS = {
    "Completed": ("Succeeded",),
    "Failed": ("Failed",),
    "Stopped": ("Stopped",),
    "Any": ("Succeeded", "Failed", "Stopped"),
}


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        body: the step as it stands, without nested steps.
        condition: the Condition step in whose branch it stands, None at the top.
        branch: the outcome (``"True"`` or ``"False"``) that makes the branch run.
        waits_for: for each step it waits for, the final statuses that let it start.
    """

    name: str
    type: str
    body: dict[str, Any]
    condition: str | None
    branch: str | None
    waits_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def arguments(self) -> Any:
        """What the step is given, unresolved."""
        return self.body.get("Arguments", {})


def flatten(steps: list[Any], condition: str | None = None, branch: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield ``{"body", "condition", "branch"}`` of every step, nested ones after the Condition step that holds them."""
    for body in steps:
        yield {"body": body, "condition": condition, "branch": branch}
        if isinstance(body, dict) and body.get("Type") == "Condition" and isinstance(body.get("Arguments"), dict):
            for member, outcome in (("IfSteps", "True"), ("ElseSteps", "False")):
                nested = body["Arguments"].get(member)
                if isinstance(nested, list):
                    yield from flatten(nested, body.get("Name"), outcome)


def own(body: dict[str, Any]) -> dict[str, Any]:
    """Return a step without the steps nested in it: their references are theirs."""
    if body.get("Type") != "Condition" or not isinstance(body.get("Arguments"), dict):
        return body
    kept = {key: value for key, value in body["Arguments"].items() if key not in {"IfSteps", "ElseSteps"}}
    return {**body, "Arguments": kept}


def depends_on(body: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return what DependsOn asks for; an entry is a name or ``{"Step", "Trigger"}``."""
    wanted: dict[str, tuple[str, ...]] = {}
    for entry in body.get("DependsOn") or []:
        if isinstance(entry, dict):
            wanted[entry["Step"]] = TRIGGERS[entry.get("Trigger", "Completed")]
        else:
            wanted[entry] = TRIGGERS["Completed"]
    return wanted


def build(definition: dict[str, Any]) -> dict[str, Step]:
    """Return all steps of a definition that has no problems, by name, in the order in which they stand."""
    steps: dict[str, Step] = {}
    for entry in flatten(definition["Steps"]):
        body = own(entry["body"])
        name = body["Name"]
        waits_for = depends_on(body)
        for reference in references(body):
            if reference.root == "Steps":
                waits_for.setdefault(reference.name, TRIGGERS["Completed"])
        if entry["condition"] is not None:
            waits_for.setdefault(entry["condition"], TRIGGERS["Completed"])
        steps[name] = Step(name, body["Type"], body, entry["condition"], entry["branch"], waits_for)
    return steps


def cycle(waits_for: Mapping[str, set[str]]) -> list[str]:
    """Return the names along one cycle, or an empty list when there is none."""
    done: set[str] = set()
    for start in waits_for:
        path: list[str] = []
        stack: list[tuple[str, Iterator[str]]] = []
        if start not in done:
            path.append(start)
            stack.append((start, iter(sorted(waits_for[start]))))
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                done.add(name)
                path.pop()
                stack.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            elif following not in done and following in waits_for:
                path.append(following)
                stack.append((following, iter(sorted(waits_for[following]))))
    return []
