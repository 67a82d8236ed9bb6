"""All use cases at a glance: how the last days went, what needs a person first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sagemaker_batch.report import figures, marks
from sagemaker_batch.report.markup import Html, named, tag
from sagemaker_batch.views.calendar import Day
from sagemaker_batch.views.reading import Deployed

DAYS = 14
# States that wait for a person, the most urgent first; they do so until the day is another one.
WAITING = (marks.FAILED, marks.HELD, marks.MISSING)
# Which state of the newest day wants to be seen first where none waits.
URGENCY = (
    *WAITING,
    marks.DISCARDED,
    marks.RELEASED,
    marks.WARNED,
    marks.RUNNING,
    marks.PUBLISHED,
)


@dataclass(frozen=True)
class Line:
    """One use case with its last days."""

    deployed: Deployed
    days: Mapping[date, Day]

    @property
    def newest(self) -> Day | None:
        """The last day that is known."""
        return self.days[max(self.days)] if self.days else None

    @property
    def waiting(self) -> list[tuple[marks.Mark, int]]:
        """How many of the days wait for a person, by state."""
        known = [day.mark for day in self.days.values()]
        return [(mark, known.count(mark)) for mark in WAITING if mark in known]

    @property
    def urgency(self) -> tuple[int, int]:
        """Its place in the list, lower first: by what waits, then by its newest day."""
        newest, waiting = self.newest, self.waiting
        return (
            WAITING.index(waiting[0][0]) if waiting else len(WAITING),
            URGENCY.index(newest.mark) if newest else len(URGENCY),
        )


def head(number: int) -> list[Html]:
    """Return how the page of that many use cases begins."""
    if not number:
        said = (
            "There is no use case whose daily DAG you may read. A use case is a file in dags/use_cases; its DAG is "
            "called <name>_batch_monitor."
        )
        return [tag("h1", "Batch days"), tag("p", said)]
    said = f"The last {DAYS} days of each use case you may see ({number:,}), those that need someone first."
    return [tag("h1", "Batch days"), tag("p", said, class_="lead")]


def body(root: str, lines: list[Line], today: date) -> list[Html | None]:
    """Return what follows on it: at least one use case."""
    ordered = sorted(lines, key=lambda line: (line.urgency, line.deployed.name))
    return [
        _counts(ordered),
        tag("ul", [_card(root, line, today) for line in ordered], class_="cases"),
        tag("h2", "What the signs mean"),
        marks.legend(),
    ]


def _counts(lines: list[Line]) -> Html | None:
    newest = [line.newest.mark for line in lines if line.newest]
    if not newest:
        return None
    parts = [(mark, newest.count(mark)) for mark in URGENCY if mark in newest]
    return tag(
        "p",
        "Newest days: ",
        [[tag("strong", f"{number:,} "), marks.badge(mark), " "] for mark, number in parts],
        class_="counts",
    )


def _card(root: str, line: Line, today: date) -> Html:
    deployed, newest = line.deployed, line.newest
    last = [today - timedelta(days=back) for back in range(DAYS, 0, -1)]
    strip = [_cell(root, deployed.name, day, line.days.get(day)) for day in last]
    entry = newest.entry if newest else None
    about = f"{newest.day.day} {newest.day:%b}: {_sentence(newest)}" if newest else "No day was scored in this time."
    return tag(
        "li",
        tag(
            "div",
            tag("h2", tag("a", named(deployed.name), href=f"{root}/use-cases/{deployed.name}")),
            tag("p", deployed.description or ("" if deployed.known else "Not deployed."), class_="muted"),
            class_="about-case",
        ),
        tag("ol", strip, class_="strip"),
        tag(
            "div",
            tag(
                "p",
                marks.badge(newest.mark) if newest else None,
                " ",
                about,
                f" Model version {entry.version}." if entry else None,
            ),
            tag("p", f"Needs someone: {_waiting(line)}.", class_="muted") if line.waiting else None,
            class_="newest",
        ),
        class_="case",
    )


def _waiting(line: Line) -> str:
    told = [f"{figures.count(number, 'day' if number == 1 else 'days')} {mark.word}" for mark, number in line.waiting]
    return ", ".join(told)


def _sentence(day: Day) -> str:
    entry = day.entry
    if entry is None:
        return day.mark.word + "."
    rows = figures.count(entry.rows, "rows") if entry.rows is not None else "no rows read"
    said = f"{entry.violated:,} of {entry.monitored:,} features violated, {rows}."
    return f"{said} {day.note.capitalize()}." if day.note else said


def _cell(root: str, use_case: str, day: date, known: Day | None) -> Html:
    if known is None:
        said = f"{day.day} {day:%b}: nothing was to be scored"
        return tag(
            "li", tag("span", "\u00b7", class_="cell v-none", aria_hidden="true"), tag("span", said, class_="hidden")
        )
    said = f"{day.day} {day:%b}: {known.mark.word}"
    inside = [tag("span", known.mark.sign, aria_hidden="true"), tag("span", said, class_="hidden")]
    style = f"cell v-{known.mark.style}"
    if known.entry is None:
        return tag("li", tag("span", inside, class_=style, title=said))
    address = f"{root}/use-cases/{use_case}/days/{day}/{known.entry.execution}"
    return tag("li", tag("a", inside, class_=style, href=address, title=said))
