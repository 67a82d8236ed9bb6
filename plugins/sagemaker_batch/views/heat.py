"""Drift by feature over days: a table whose numbers can be read and whose shades can be seen."""

from datetime import date
from typing import Any

from sagemaker_batch.report.markup import Html, named, tag

FEATURES = 30
# Lower bounds of the shades: below the first is nothing to see.
SHADES = (0.05, 0.1, 0.2, 0.35, 0.5)


def section(days: list[dict[str, Any]], shown: int = FEATURES) -> Html:
    """Return the map of report records (docs/contracts/report.schema.json), oldest first."""
    head = tag("h2", "Drift by feature")
    found = [item for item in days if item["features"]]
    if not found:
        return tag("section", head, tag("p", "No report has been written in this time."))
    worst: dict[str, float] = {}
    for item in found:
        for name, figure in item["features"].items():
            weight = (figure["distance"] or 0.0) + (1.0 if figure["violated"] else 0.0)
            worst[name] = max(worst.get(name, 0.0), weight)
    names = sorted(worst, key=lambda name: (-worst[name], name))
    dates = [date.fromisoformat(item["batch_day"]) for item in found]
    columns = [tag("th", tag("span", f"{day:%b} "), f"{day.day}", scope="col") for day in dates]
    rows = [
        tag("tr", tag("th", named(name, 40), scope="row"), [_cell(item["features"].get(name)) for item in found])
        for name in names[:shown]
    ]
    more = f" The {shown} most drifted of {len(names):,} features are shown." if len(names) > shown else ""
    said = (
        "Corrected distance from the baseline in hundredths (0 equal, 100 disjoint); \u25cf marks a violated "
        f"constraint, \u00b7 a distance below {SHADES[0] * 100:.0f}.{more}"
    )
    caption = f"Drift of {min(shown, len(names))} features over {len(found)} days"
    table = tag(
        "table",
        tag("caption", caption, class_="hidden"),
        tag("thead", tag("tr", tag("th", "Feature", scope="col"), columns)),
        tag("tbody", rows),
        class_="heat",
    )
    return tag(
        "section",
        head,
        tag("p", said, class_="muted"),
        tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption),
    )


def _cell(figure: dict[str, Any] | None) -> Html:
    if figure is None:
        return tag("td", "\u2013")
    distance = figure["distance"]
    shade = sum(distance >= bound for bound in SHADES) if distance is not None else 0
    shown = "\u00b7" if not shade else f"{distance * 100:.0f}"
    if figure["violated"]:
        shown = f"\u25cf{shown}" if shade else "\u25cf"
    return tag("td", shown, class_=f"h{shade}")
