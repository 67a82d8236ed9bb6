"""Selective execution: some steps run again, on what the others left in an earlier execution. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sagemaker_local.engine.expressions import references
from sagemaker_local.engine.graph import Step


def reused(steps: Mapping[str, Step], selected: list[str]) -> list[str]:
    """Return the steps that are not selected and whose outputs selected ones refer to.

    Raises:
        ValueError: the selection is none that the pipeline allows.
    """
    chosen = set(selected)
    unknown = [name for name in selected if name not in steps]
    if unknown:
        raise ValueError(f"SelectedSteps names {unknown}, which the pipeline does not have. It has {', '.join(steps)}.")
    between = sorted((_reached(_forward(steps), chosen) & _reached(_backward(steps), chosen)) - chosen)
    if between:
        raise ValueError(f"All steps on the paths between selected steps must be selected too: {', '.join(between)}.")
    if not _connected(steps, chosen):
        raise ValueError("The selected steps must be connected in the graph of the pipeline.")
    return [
        name
        for name in steps
        if name not in chosen
        and any(
            reference.root == "Steps" and reference.name == name
            for selected_name in selected
            for reference in references(steps[selected_name].body)
        )
    ]


def narrow(steps: Mapping[str, Step], selected: list[str], kept: list[str]) -> dict[str, Step]:
    """Return the selected steps alone, waiting for what is selected or kept; a condition that does not run binds none.

    Args:
        steps: all of the definition.
        selected: names of those that run.
        kept: names of those whose results are taken over.
    """
    there = {*selected, *kept}
    return {
        name: replace(
            step,
            condition=step.condition if step.condition in there else None,
            branch=step.branch if step.condition in there else None,
            waits_for={other: wanted for other, wanted in step.waits_for.items() if other in there},
        )
        for name, step in steps.items()
        if name in set(selected)
    }


def _backward(steps: Mapping[str, Step]) -> dict[str, set[str]]:
    return {name: set(step.waits_for) for name, step in steps.items()}


def _forward(steps: Mapping[str, Step]) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {name: set() for name in steps}
    for name, step in steps.items():
        for other in step.waits_for:
            edges[other].add(name)
    return edges


def _reached(edges: Mapping[str, set[str]], start: set[str]) -> set[str]:
    """Return what can be reached from any of `start` in one step or more."""
    found: set[str] = set()
    open_ends = [name for first in start for name in edges[first]]
    while open_ends:
        name = open_ends.pop()
        if name not in found:
            found.add(name)
            open_ends.extend(edges[name])
    return found


def _connected(steps: Mapping[str, Step], chosen: set[str]) -> bool:
    edges: dict[str, set[str]] = {name: set() for name in chosen}
    for name in chosen:
        for other in set(steps[name].waits_for) & chosen:
            edges[name].add(other)
            edges[other].add(name)
    first = next(iter(chosen))
    return _reached(edges, {first}) | {first} == chosen
