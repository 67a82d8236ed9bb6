"""The versions of a use case's model: when each was trained and approved, by whom, and which one scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sagemaker_batch import registry
from sagemaker_batch.names import execution_id
from sagemaker_batch.registry import ModelVersion
from sagemaker_batch.report import figures, page
from sagemaker_batch.report.markup import Html, named, tag
from sagemaker_batch.views.calendar import Day
from sagemaker_batch.views.reading import Reader

SHOWN = 12
# What is shown of an evaluation, by its section: the figure's name, its head, how it is written.
FIGURES: dict[str, tuple[tuple[str, str, Callable[[Any], str]], ...]] = {
    "binary_classification_metrics": (
        ("accuracy", "Accuracy", figures.percent),
        ("auc", "AUC", lambda value: figures.number(value, 3)),
    ),
    "regression_metrics": (
        ("r2", "R\u00b2", lambda value: figures.number(value, 3)),
        ("rmse", "RMSE", lambda value: figures.number(value, 4)),
    ),
}


@dataclass(frozen=True)
class Version:
    """A version with its evaluation's figures, by section and name; none where there is no evaluation."""

    model: ModelVersion
    metrics: Mapping[str, Mapping[str, float]]


def read_versions(reader: Reader, group: str) -> list[Version]:
    """Return the newest versions of a group, newest first; none where the group does not exist."""
    client = reader.sagemaker
    try:
        answer = client.list_model_packages(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=SHOWN
        )
    except client.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return []
        raise
    arns = [item["ModelPackageArn"] for item in answer["ModelPackageSummaryList"]]

    def one(arn: str) -> Version:
        found = registry.describe(client, arn)
        return Version(found, figures_of(reader, found))

    return reader.each(one, arns)


def section(root: str, use_case: str, versions: list[Version], days: Mapping[date, Day], zone: str) -> Html:
    """Return the timeline and its table."""
    if not versions:
        return tag("section", tag("h2", "Model versions"), tag("p", "No version is registered yet."))
    used: dict[int, list[date]] = {}
    for day in days.values():
        if day.entry is not None:
            used.setdefault(day.entry.version, []).append(day.day)
    kind = next((name for item in versions for name in FIGURES if name in item.metrics), next(iter(FIGURES)))
    rows = [_row(root, use_case, item, kind, used.get(item.model.version, []), zone) for item in versions]
    measures = [head for _, head, _ in FIGURES[kind]]
    heads = ["Version", "Trained", "Status", "Approved", "By", *measures, "Scored the days", "Report"]
    styles = ["", "", "", "", "", *["n"] * len(measures), "", ""]
    return tag(
        "section",
        tag("h2", "Model versions"),
        _timeline(versions, used),
        page.table(heads, rows, f"The newest {len(versions)} model versions", styles),
    )


def _row(  # noqa: PLR0917 - a cell each
    root: str, use_case: str, item: Version, kind: str, used: list[date], zone: str
) -> list[Any]:
    model, metrics = item.model, item.metrics.get(kind, {})
    report = (
        tag("a", "report", href=f"{root}/use-cases/{use_case}/trainings/{execution_id(model.execution_arn)}")
        if model.execution_arn
        else figures.NONE
    )
    scored = (
        f"{min(used).day} {min(used):%b} \u2013 {max(used).day} {max(used):%b} ({len(used)})" if used else figures.NONE
    )
    return [
        f"version {model.version}",
        figures.moment(model.created, zone),
        model.status,
        figures.moment(model.approved_at, zone),
        named(model.approved_by or figures.NONE, 40),
        *(write(metrics.get(name)) for name, _, write in FIGURES[kind]),
        scored,
        report,
    ]


def _timeline(versions: list[Version], used: dict[int, list[date]]) -> Html:
    """Draw training, approval and days of use of each version on one axis of days."""
    moments = [moment.date() for item in versions for moment in (item.model.created, item.model.approved_at) if moment]
    every = [*moments, *(day for days in used.values() for day in days)]
    first, last = min(every), max(every)
    span = max((last - first).days, 1)
    left, width, height = 76, 760, 24

    def x(day: date) -> float:
        return round(left + 8 + (day - first).days / span * (width - left - 24), 1)

    parts = []
    for place, item in enumerate(versions):
        y = 14 + place * height
        parts.append(tag("text", f"version {item.model.version}", x=0, y=y + 4))
        parts.append(tag("line", x1=left, x2=width, y1=y, y2=y, class_="grid"))
        days = used.get(item.model.version, [])
        if days:
            start, wide = x(min(days)), max(x(max(days)) - x(min(days)), 6)
            parts.append(tag("rect", x=start, y=y - 5, width=wide, height=10, rx=3, class_="today"))
        parts.append(tag("circle", cx=x(item.model.created.date()), cy=y, r=5, class_="trained"))
        if item.model.approved_at:
            at = x(item.model.approved_at.date())
            parts.append(tag("path", d=f"M{at - 4} {y}l3 4l6 -8", class_="approved"))
    base = 14 + len(versions) * height
    ends = ((first, left + 8, "start"), (last, width - 16, "end"))
    parts += [tag("text", figures.day(day), x=at, y=base + 4, text_anchor=anchor) for day, at, anchor in ends]
    said = f"Timeline of {len(versions)} model versions from {first} to {last}; the table below has the same."
    key = tag(
        "ul",
        tag("li", tag("span", "\u25cb ", aria_hidden="true"), "trained"),
        tag("li", tag("span", "\u2713 ", aria_hidden="true"), "approved"),
        tag("li", tag("i", class_="key today"), "scored days"),
        class_="keys",
    )
    drawing = tag(
        "svg", parts, viewBox=f"0 0 {width} {base + 10}", class_="chart timeline", role="img", aria_label=said
    )
    # Wider than a phone, so it scrolls within itself, which a keyboard must be able to do as well.
    framed = tag("div", drawing, class_="scroll", tabindex="0", role="region", aria_label="Timeline")
    return tag("div", framed, key)


def figures_of(reader: Reader, model: ModelVersion) -> dict[str, dict[str, float]]:
    """Return the figures of a version's evaluation, by section and name."""
    prefix = f"s3://{reader.here.bucket}/"
    if not model.evaluation_uri.startswith(prefix):
        return {}
    content = reader.json(model.evaluation_uri.removeprefix(prefix)) or {}
    return {
        kind: {
            name: item["value"]
            for name, item in content[kind].items()
            if isinstance(item, dict) and isinstance(item.get("value"), (int, float))
        }
        for kind in FIGURES
        if isinstance(content.get(kind), dict)
    }
