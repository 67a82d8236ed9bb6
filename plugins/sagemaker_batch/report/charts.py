"""Plots as inline SVG: no script, no library, styled by the page's own classes so that they follow its theme.

Today is a filled area, the baseline a dashed outline, the last days a band: told apart without colour. Every plot has
a sentence of its own for those who do not see it. The unit of every vertical axis is the share of rows or records.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sagemaker_batch.report.figures import number, percent
from sagemaker_batch.report.markup import Html, join, named, tag

CATEGORIES = 8


@dataclass(frozen=True)
class Box:
    """A drawing's size and margins, in its own units."""

    width: float
    height: float
    left: float = 6
    right: float = 6
    top: float = 6
    bottom: float = 20


FEATURE, SCORES, ROW = Box(340, 130), Box(640, 180), Box(96, 24, 0, 0, 1, 0)
SQUARE = Box(310, 300, 44, 10, 10, 34)


@dataclass(frozen=True)
class Steps:
    """A distribution over bins: n + 1 edges and n shares (0-1)."""

    edges: Sequence[float]
    shares: Sequence[float]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(self.shares) or len(self.edges) != len(self.shares) + 1


def shares(counts: Sequence[float]) -> list[float]:
    """Return counts as shares of their sum."""
    total = sum(counts)
    return [item / total for item in counts] if total else [0.0 for _ in counts]


def overlay(baseline: Steps, today: Steps, said: str) -> Html:
    """Draw today's distribution filled and the baseline's dashed over their common range.

    Bins of different widths are drawn by density, so that areas compare.
    """
    drawn = [item for item in (baseline, today) if not item.empty]
    if not drawn:
        return tag("p", "No distribution to draw.", class_="muted")
    low, high = min(item.edges[0] for item in drawn), max(item.edges[-1] for item in drawn)
    if high <= low:
        return tag("p", f"Every value is {number(low)}.", class_="muted")
    top = max(max(_densities(item, high - low)) for item in drawn) or 1.0
    return _figure(
        [
            None if today.empty else tag("path", d=_path(today, low, high, top, close=True), class_="today"),
            None if baseline.empty else tag("path", d=_path(baseline, low, high, top, close=False), class_="baseline"),
        ],
        [number(low), number((low + high) / 2), number(high)],
        said,
        FEATURE,
    )


def scores(today: Steps, training: Steps, band: Sequence[tuple[float, float]], said: str) -> Html:
    """Draw the distribution of scores: today filled, training dashed, and the span of the last days as a band."""
    every = [*today.shares, *training.shares, *(high for _, high in band)]
    top = max(every, default=0.0)
    if not top:
        return tag("p", "No score to draw.", class_="muted")
    low, high, box = today.edges[0], today.edges[-1], SCORES
    parts: list[Html | None] = []
    if band:
        upper = Steps(today.edges, [item for _, item in band])
        lower = Steps(today.edges, [item for item, _ in band])
        forth, back = _points(upper, low, high, top, box=box), _points(lower, low, high, top, box=box)
        parts.append(tag("path", d=_line([*forth, *reversed(back)]) + "Z", class_="band"))
    if not today.empty:
        parts.append(tag("path", d=_path(today, low, high, top, close=True, density=False, box=box), class_="today"))
    if not training.empty:
        parts.append(
            tag("path", d=_path(training, low, high, top, close=False, density=False, box=box), class_="baseline")
        )
    return _figure(parts, [number(low), number((low + high) / 2), number(high)], said, box)


def small(baseline: Steps, today: Steps) -> Html:
    """Draw both distributions in the height of a table's row; the table says the rest."""
    drawn = [item for item in (baseline, today) if not item.empty]
    if not drawn:
        return Html("")
    low, high = min(item.edges[0] for item in drawn), max(item.edges[-1] for item in drawn)
    if high <= low:
        return Html("")
    top = max(max(_densities(item, high - low)) for item in drawn) or 1.0
    box = ROW
    return tag(
        "svg",
        None if today.empty else tag("path", d=_path(today, low, high, top, close=True, box=box), class_="today"),
        None
        if baseline.empty
        else tag("path", d=_path(baseline, low, high, top, close=False, box=box), class_="baseline"),
        viewBox="0 0 96 24",
        class_="small",
        aria_hidden="true",
    )


def categories(baseline: dict[str, float], today: dict[str, float]) -> Html:
    """Return the biggest categories as bars: today filled, the baseline a line across it, with both shares as text."""
    before, now = _shares(baseline), _shares(today)
    keys = sorted({*before, *now}, key=lambda key: (-max(before.get(key, 0), now.get(key, 0)), key))
    shown, rest = keys[:CATEGORIES], keys[CATEGORIES:]
    top = max((max(before.get(key, 0), now.get(key, 0)) for key in shown), default=0) or 1.0
    rows = [_bar(named(key, 40), before.get(key), now.get(key), top) for key in shown]
    if rest:
        both = sum(before.get(key, 0) for key in rest), sum(now.get(key, 0) for key in rest)
        rows.append(_bar(tag("i", f"{len(rest):,} others"), *both, top))
    head = tag(
        "tr",
        [tag("th", item, scope="col") for item in ("Category", "Baseline and today", "Baseline", "Today", "Change")],
    )
    return tag("table", tag("thead", head), tag("tbody", rows), class_="bars")


def bar(share: float) -> Html:
    """Draw one bar of a length from 0 to 1."""
    return tag(
        "svg",
        tag("rect", x=0, y=3, width=_n(share * 100), height=10, class_="today"),
        viewBox="0 0 101 16",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )


def curve(lines: Sequence[tuple[str, Sequence[tuple[float, float]]]], across: str, up: str, said: str) -> Html:
    """Draw lines in the unit square; each has a style class (`today`, `baseline`) and points from 0 to 1."""
    box = SQUARE
    inner_w, inner_h = box.width - box.left - box.right, box.height - box.top - box.bottom

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return box.left + point[0] * inner_w, box.top + (1 - point[1]) * inner_h

    grid = []
    for step in (0.0, 0.5, 1.0):
        x, y = place((step, step))
        grid += [
            tag("line", x1=_n(x), x2=_n(x), y1=box.top, y2=box.height - box.bottom, class_="grid"),
            tag("line", y1=_n(y), y2=_n(y), x1=box.left, x2=box.width - box.right, class_="grid"),
            tag("text", number(step), x=_n(x), y=box.height - box.bottom + 13, text_anchor="middle"),
            tag("text", number(step), x=box.left - 5, y=_n(y + 4), text_anchor="end"),
        ]
    drawn = [
        tag("path", d=_line([place(point) for point in points]), class_=f"line {style}") for style, points in lines
    ]
    titles = [
        tag("text", across, x=box.width / 2, y=box.height - 4, text_anchor="middle"),
        tag("text", up, x=-box.height / 2, y=10, text_anchor="middle", transform="rotate(-90)"),
    ]
    return tag(
        "svg",
        grid,
        drawn,
        titles,
        viewBox=f"0 0 {box.width} {box.height}",
        class_="chart square",
        role="img",
        aria_label=said,
    )


def _figure(parts: list[Html | None], labels: list[str], said: str, box: Box) -> Html:
    ground = box.height - box.bottom
    axis = tag("line", x1=box.left, x2=box.width - box.right, y1=ground, y2=ground, class_="axis")
    places = zip((box.left, box.width / 2, box.width - box.right), ("start", "middle", "end"), labels, strict=True)
    ticks = [tag("text", label, x=_n(x), y=box.height - 5, text_anchor=anchor) for x, anchor, label in places]
    return tag(
        "svg",
        parts,
        axis,
        ticks,
        viewBox=f"0 0 {box.width} {box.height}",
        class_="chart" if box is FEATURE else "chart wide",
        role="img",
        aria_label=said,
    )


def _densities(steps: Steps, span: float) -> list[float]:
    # A bin without width has all of its weight in one place: it counts as a hundredth of the plot.
    return [
        share / max((high - low) / span, 0.01)
        for share, low, high in zip(steps.shares, steps.edges, steps.edges[1:], strict=False)
    ]


def _points(
    steps: Steps, low: float, high: float, top: float, *, density: bool = False, box: Box = FEATURE
) -> list[tuple[float, float]]:
    inner_w, inner_h = box.width - box.left - box.right, box.height - box.top - box.bottom
    heights = _densities(steps, high - low) if density else steps.shares
    points = []
    for value, first, last in zip(heights, steps.edges, steps.edges[1:], strict=False):
        y = box.top + inner_h * (1 - value / top)
        left, right = (box.left + inner_w * (edge - low) / (high - low) for edge in (first, last))
        right = max(right, min(left + inner_w / 100, box.width - box.right))
        points += [(left, y), (right, y)]
    return points


def _path(
    steps: Steps,
    low: float,
    high: float,
    top: float,
    *,
    close: bool,
    density: bool = True,
    box: Box = FEATURE,
) -> str:
    points = _points(steps, low, high, top, density=density, box=box)
    ground = box.height - box.bottom
    framed = [(points[0][0], ground), *points, (points[-1][0], ground)]
    return _line(framed) + ("Z" if close else "")


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _shares(counts: dict[str, float]) -> dict[str, float]:
    total = sum(counts.values())
    return {key: value / total for key, value in counts.items()} if total else {}


def _bar(name: Html, before: float | None, now: float | None, top: float) -> Html:
    wide, line = (now or 0) / top * 100, (before or 0) / top * 100
    note = "new" if not before and now else "gone" if before and not now else ""
    svg = tag(
        "svg",
        tag("rect", x=0, y=3, width=_n(wide), height=10, class_="today"),
        None if not before else tag("rect", x=_n(max(line - 1, 0)), y=0, width="1.4", height=16, class_="before"),
        viewBox="0 0 101 16",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )
    cells = join([tag("td", percent(before or 0), class_="n"), tag("td", percent(now or 0), class_="n")])
    return tag("tr", tag("th", name, scope="row"), tag("td", svg), cells, tag("td", note, class_="muted"))
