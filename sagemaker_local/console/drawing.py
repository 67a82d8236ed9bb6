"""The graph of a pipeline as an SVG: layers from above to below, each step a box with its state."""

from __future__ import annotations

from collections.abc import Mapping

from sagemaker_local.console.markup import Html, join, style_of, tag
from sagemaker_local.engine.graph import Step

WIDTH, HEIGHT = 168, 46
GAP_X, GAP_Y, MARGIN = 18, 34, 8
_SHOWN = 22


def drawing(steps: Mapping[str, Step], statuses: Mapping[str, str], links: Mapping[str, str]) -> Html:
    """Return the graph.

    Args:
        steps: of the definition.
        statuses: of the steps that have begun.
        links: address of a page for each step that has one.
    """
    layers = _layers(steps)
    widest = max(map(len, layers))
    width = MARGIN * 2 + widest * WIDTH + (widest - 1) * GAP_X
    height = MARGIN * 2 + len(layers) * HEIGHT + (len(layers) - 1) * GAP_Y
    places: dict[str, tuple[float, float]] = {}
    for row, names in enumerate(layers):
        left = (width - len(names) * WIDTH - (len(names) - 1) * GAP_X) / 2
        for column, name in enumerate(names):
            places[name] = (left + column * (WIDTH + GAP_X), MARGIN + row * (HEIGHT + GAP_Y))
    edges = [
        _edge(places[before], places[name], _label(step, before))
        for name, step in steps.items()
        for before in step.waits_for
    ]
    boxes = [
        _box(step, places[name], statuses.get(name, "not started"), links.get(name)) for name, step in steps.items()
    ]
    said = "; ".join(f"{name}: {statuses.get(name, 'not started')}" for name in steps)
    graph = tag(
        "svg",
        tag("title", "Graph of the pipeline", id="graph-title"),
        tag("desc", said, id="graph-desc"),
        *edges,
        *boxes,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        role="group",
        aria_labelledby="graph-title graph-desc",
        class_="graph",
    )
    return tag("div", graph, class_="scroll", tabindex="0", role="region", aria_label="Graph of the pipeline")


def _layers(steps: Mapping[str, Step]) -> list[list[str]]:
    """Return the steps by the longest way to them; a definition that was accepted has no circles."""
    depth: dict[str, int] = {}
    left = dict(steps)
    while left:
        for name, step in list(left.items()):
            if all(before in depth for before in step.waits_for):
                depth[name] = 1 + max((depth[before] for before in step.waits_for), default=-1)
                del left[name]
    found: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in steps:
        found[depth[name]].append(name)
    return found


def _label(step: Step, before: str) -> str:
    if step.condition != before:
        return ""
    return "yes" if step.branch == "True" else "no"


def _edge(start: tuple[float, float], end: tuple[float, float], label: str) -> Html:
    x1, y1, x2, y2 = start[0] + WIDTH / 2, start[1] + HEIGHT, end[0] + WIDTH / 2, end[1]
    half = (y1 + y2) / 2
    line = tag("path", d=f"M{x1:g} {y1:g} C{x1:g} {half:g} {x2:g} {half:g} {x2:g} {y2:g}", class_="edge")
    if not label:
        return line
    return join(line, tag("text", label, x=f"{x2 + 6:g}", y=f"{y2 - 7:g}", class_="label"))


def _box(step: Step, place: tuple[float, float], status: str, href: str | None) -> Html:
    x, y = place
    shown = step.name if len(step.name) <= _SHOWN else f"{step.name[: _SHOWN - 1]}…"
    inner = join(
        tag("title", f"{step.name} ({step.type}): {status}"),
        tag("rect", x=f"{x:g}", y=f"{y:g}", width=WIDTH, height=HEIGHT, rx=6, class_=f"box {style_of(status)}"),
        tag("text", shown, x=f"{x + WIDTH / 2:g}", y=f"{y + 19:g}", class_="name"),
        tag("text", f"{step.type}, {status}", x=f"{x + WIDTH / 2:g}", y=f"{y + 35:g}", class_="state"),
    )
    return tag("a", inner, href=href) if href else tag("g", inner)
