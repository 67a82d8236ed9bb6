"""The page of a use case: calendar, held and missing days with what to do, models, drift."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sagemaker_batch.names import batch_dag, held_dag
from sagemaker_batch.report import figures, marks
from sagemaker_batch.report.markup import Html, join, named, tag
from sagemaker_batch.views.calendar import Day, Gap
from sagemaker_batch.views.reading import Deployed

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LISTED = 20


def head(deployed: Deployed, days: Mapping[date, Day]) -> Html:
    """Return name, purpose and the newest day."""
    newest = days[max(days)] if days else None
    owners = f"Owners: {', '.join(deployed.owners)}. " if deployed.owners else ""
    return tag(
        "header",
        tag("h1", named(deployed.name), marks.badge(newest.mark) if newest else None),
        tag("p", deployed.description, class_="lead") if deployed.description else None,
        tag("p", f"{owners}Days are those of {deployed.timezone}.", class_="muted"),
        None
        if deployed.known
        else tag(
            "p",
            "This use case was never deployed: `make deploy ACTION=apply` writes what is missing here.",
            class_="note",
        ),
    )


def todo(root: str, use_case: str, days: Mapping[date, Day], found: list[Gap]) -> Html | None:
    """Return held, failed and missing days, each with what to do; None where there is none."""
    wanted = [day for day in reversed(list(days.values())) if day.mark in {marks.HELD, marks.FAILED}]
    if not wanted and not found:
        return None
    parts: list[Html | None] = [tag("h2", "What needs someone")]
    if wanted:
        rows = [_wanted(root, use_case, day) for day in wanted[:LISTED]]
        more = len(wanted) - LISTED
        parts.append(tag("ul", rows, class_="wanted"))
        parts.append(tag("p", f"and {more:,} older days; the calendar has them.", class_="muted") if more > 0 else None)
    if found:
        scored = sum(gap.count for gap in found)
        parts.append(tag("h3", f"Never scored: {figures.count(scored, 'day' if scored == 1 else 'days')}"))
        parts.append(
            tag("p", "Type this, or choose Trigger, Backfill in the DAG and give the same days.", class_="muted")
        )
        parts += [_gap(use_case, gap) for gap in found[-LISTED:][::-1]]
    return tag("section", parts, class_="todo")


def calendar(root: str, use_case: str, days: Mapping[date, Day], months: int) -> Html:
    """Return months as calendars, each day a sign and a link to its report; those before the newest are folded away."""
    if not days:
        return tag("section", tag("h2", "Calendar"), tag("p", "No day has been scored yet."))
    first, oldest, drawn = _month(max(days), 0), _month(min(days), 0), []
    while first >= oldest:
        drawn.append(_month_table(root, use_case, first, days))
        first = _month(first, 1)
    older = drawn[months:]
    folded = tag(
        "details",
        tag("summary", "One older month" if len(older) == 1 else f"{len(older)} older months"),
        tag("div", older, class_="months"),
    )
    return tag(
        "section",
        tag("h2", "Calendar"),
        tag("div", drawn[:months], class_="months"),
        folded if older else None,
        marks.legend(),
    )


def _wanted(root: str, use_case: str, day: Day) -> Html:
    title = figures.day(day.day)
    if day.entry is None:
        run = day.run.run_id if day.run else ""
        dag_path = f"{root.removesuffix('/sagemaker-batch')}/dags/{batch_dag(use_case)}"
        from urllib.parse import quote

        link = tag("a", title, href=f"{dag_path}/runs/{quote(run, safe='')}", class_="up")
        said = "The run ended without a verdict: its failed task says why. Clear that task when the cause is gone."
        return tag("li", marks.badge(day.mark), " ", link, " ", said)
    link = tag("a", title, href=_address(root, use_case, day))
    if day.mark is marks.HELD:
        said = (
            f"{day.entry.violated:,} of {day.entry.monitored:,} features violated. Look at the report: send the data "
            "again and rerun the day, or train on newer data; or release or discard it as it is, by triggering "
            f"{held_dag(use_case)}."
        )
    else:
        said = (day.note.capitalize() + ". " if day.note else "") + "The report names the reasons and what to type."
    return tag("li", marks.badge(day.mark), " ", link, " ", said)


def _gap(use_case: str, gap: Gap) -> Html:
    words = figures.day(gap.first)
    if gap.last != gap.first:
        words += f" to {figures.day(gap.last)} ({gap.count:,} days)"
    return join([tag("h4", words), tag("pre", gap.command(use_case), tabindex="0")])


def _month(day: date, back: int) -> date:
    first = day.replace(day=1)
    for _ in range(back):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def _month_table(root: str, use_case: str, first: date, days: Mapping[date, Day]) -> Html:
    name = f"{first:%B %Y}"
    start = first - timedelta(days=first.weekday())
    weeks: list[Html] = []
    day = start
    while day < first or day.month == first.month:
        cells = []
        for _ in range(7):
            cells.append(_cell(root, use_case, day, days.get(day)) if day.month == first.month else tag("td"))
            day += timedelta(days=1)
        weeks.append(tag("tr", cells))
    heads = [tag("th", tag("abbr", word[0], title=word), scope="col") for word in WEEKDAYS]
    return tag("table", tag("caption", name), tag("thead", tag("tr", heads)), tag("tbody", weeks), class_="month")


def _cell(root: str, use_case: str, day: date, known: Day | None) -> Html:
    number = tag("span", str(day.day), class_="number")
    if known is None:
        return tag("td", tag("span", number, class_="cell v-none"))
    said = f"{known.mark.word}" + (f", {known.note}" if known.note else "")
    inside = [
        number,
        tag("span", known.mark.sign, aria_hidden="true"),
        tag("span", f" {day:%b}: {said}", class_="hidden"),
    ]
    style = f"cell v-{known.mark.style}"
    if known.entry is None:
        return tag("td", tag("span", inside, class_=style, title=said))
    return tag("td", tag("a", inside, class_=style, title=said, href=_address(root, use_case, known)))


def _address(root: str, use_case: str, day: Day) -> str:
    execution: Any = day.entry.execution if day.entry else ""
    return f"{root}/use-cases/{use_case}/days/{day.day}/{execution}"
