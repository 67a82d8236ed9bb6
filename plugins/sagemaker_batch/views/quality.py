"""Model quality over time, once labels have arrived: a drawing for each metric, and a table that says the same."""

from collections.abc import Mapping, Sequence
from datetime import date

from sagemaker_batch.quality_index import SHOWN, Figure, QualityEntry
from sagemaker_batch.report import figures, marks, page
from sagemaker_batch.report.marks import Mark
from sagemaker_batch.report.markup import Html, tag

# Judged days in the drawings, and in the table.
DRAWN, LISTED = 180, 30
WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 24
TITLES = {
    "accuracy": "Accuracy",
    "auc": "AUC",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "brier": "Brier score (less is better)",
    "calibration_error": "Calibration error (less is better)",
    "mae": "Mean absolute error (less is better)",
    "rmse": "Root mean squared error (less is better)",
    "r2": "R\u00b2",
}
GOOD = Mark("clean", "\u2713", "good", "No metric is worse than its bound.")
DROPPED = Mark("held", "\u25a0", "dropped", "A metric is worse than its bound.")
UNKNOWN = Mark("missing", "?", "unknown", "Too few labels to judge by, or they changed under the run.")
BY_VERDICT = {"good": GOOD, "dropped": DROPPED, "unknown": UNKNOWN}


def section(root: str, use_case: str, days: Mapping[date, QualityEntry]) -> Html | None:
    """Return the history of the judged days; None where no labels have ever been judged."""
    if not days:
        return None
    entries = [days[day] for day in sorted(days)][-DRAWN:]
    names = [name for name in SHOWN if any(_known(entry, name) for entry in entries)]
    newest = entries[-1]
    said = f"{figures.count(len(days), 'day' if len(days) == 1 else 'days')} judged by labels, "
    said += f"the newest {figures.day(newest.day)}. In the table the version's baseline stands in brackets."
    return tag(
        "section",
        tag("h2", "Model quality"),
        tag("p", said, class_="muted"),
        tag("div", [_figure(name, entries) for name in names], class_="figures"),
        _key() if names else None,
        _table(root, use_case, entries[-LISTED:][::-1], names),
    )


def _figure(name: str, entries: Sequence[QualityEntry]) -> Html:
    told = [(entry, entry.figures[name]) for entry in entries if _known(entry, name)]
    newest, item = told[-1]
    caption = f"{TITLES[name]}: {figures.number(item.value, 3)} on {newest.day.day} {newest.day:%b}"
    values = [
        value for _, figure in told for value in (figure.value, figure.rolling, figure.baseline) if value is not None
    ]
    low, high = min(values), max(values)
    room = (high - low) * 0.1 or abs(high) * 0.1 or 0.1
    axis = _Axis(entries[0].day, entries[-1].day, low - room, high + room)
    lowest, highest, last = (figures.number(value, 3) for value in (low, high, item.value))
    sentence = f"{TITLES[name]} over {len(told)} judged days, from {lowest} to {highest}, newest {last}; see the table."
    drawn = tag(
        "svg",
        axis.grid(low, high),
        _line(axis, told, "baseline", "line baseline"),
        _line(axis, told, "rolling", "line"),
        [_point(axis, entry, figure) for entry, figure in told],
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="chart",
        role="img",
        aria_label=sentence,
    )
    return tag("figure", tag("figcaption", caption), drawn)


class _Axis:
    """Days across, values up."""

    def __init__(self, first: date, last: date, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, day: date) -> float:
        span = (self.last - self.first).days
        share = (day - self.first).days / span if span else 0.5
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)

    def grid(self, *values: float) -> list[Html]:
        """Return a line and a number at each value, and first and last day below."""
        parts = []
        for value in dict.fromkeys(values):
            y = self.y(value)
            parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
            parts.append(tag("text", figures.number(value, 3), x=LEFT - 5, y=y + 4, text_anchor="end"))
        ends = [(self.first, LEFT, "start"), (self.last, WIDTH - RIGHT, "end")]
        if self.first == self.last:
            ends = [(self.first, (LEFT + WIDTH - RIGHT) // 2, "middle")]
        parts += [
            tag("text", f"{day.day} {day:%b %Y}", x=at, y=HEIGHT - 6, text_anchor=anchor) for day, at, anchor in ends
        ]
        return parts


def _line(axis: _Axis, told: Sequence[tuple[QualityEntry, Figure]], part: str, style: str) -> Html | None:
    points = [
        f"{axis.x(entry.day)} {axis.y(value)}" for entry, figure in told if (value := getattr(figure, part)) is not None
    ]
    if len(points) == 1:
        y = points[0].split(" ")[1]
        points = [f"{LEFT} {y}", f"{WIDTH - RIGHT} {y}"]
    return tag("path", d="M" + "L".join(points), class_=style) if points else None


def _point(axis: _Axis, entry: QualityEntry, figure: Figure) -> Html | None:
    if figure.value is None:
        return None
    x, y = axis.x(entry.day), axis.y(figure.value)
    if entry.verdict == "dropped":
        return tag("rect", x=x - 4, y=y - 4, width=8, height=8, class_="before")
    return tag("circle", cx=x, cy=y, r=3.5, class_="trained" if entry.verdict == "unknown" else "today")


def _key() -> Html:
    return tag(
        "ul",
        tag("li", tag("span", "\u25cf ", aria_hidden="true"), "a day"),
        tag("li", tag("span", "\u25a0 ", aria_hidden="true"), "a day on which quality dropped"),
        tag("li", tag("span", "\u25cb ", aria_hidden="true"), "a day with too few labels"),
        tag("li", tag("span", "\u2014 ", aria_hidden="true"), "rolling, of the days of the same version"),
        tag("li", tag("i", class_="key baseline"), "baseline of the version"),
        class_="keys",
    )


def _table(root: str, use_case: str, entries: Sequence[QualityEntry], names: Sequence[str]) -> Html:
    rows = [
        [
            tag("a", figures.day(entry.day), href=f"{root}/use-cases/{use_case}/quality/{entry.day}/{entry.execution}"),
            marks.badge(BY_VERDICT[entry.verdict]),
            f"version {entry.version}",
            f"{figures.count(entry.matched)} of {figures.count(entry.predictions)}",
            *(_cell(entry, name) for name in names),
        ]
        for entry in entries
    ]
    heads = ["Day", "Quality", "Model", "Labels used", *(TITLES[name].split(" (")[0] for name in names)]
    styles = ["", "", "", "n", *("n" for _ in names)]
    return page.table(heads, rows, f"Model quality on the newest {len(rows)} judged days, and its baseline", styles)


def _cell(entry: QualityEntry, name: str) -> Html | str:
    figure = entry.figures.get(name)
    if figure is None or figure.value is None:
        return figures.NONE
    shown = figures.number(figure.value, 3)
    if figure.baseline is None:
        return shown
    return tag("span", shown, tag("span", f" ({figures.number(figure.baseline, 3)})", class_="muted"))


def _known(entry: QualityEntry, name: str) -> bool:
    return name in entry.figures and entry.figures[name].value is not None
