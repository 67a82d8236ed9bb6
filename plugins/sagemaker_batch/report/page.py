"""The frame around a report: one file with its style inside, so that it reads anywhere, also printed or by mail."""

from functools import cache
from pathlib import Path
from typing import Any

from sagemaker_batch.report.markup import Html, tag

# The part that Airflow's pages show within their own frame stands between these.
OPENING, CLOSING = "<!--report-->", "<!--/report-->"
# A file opened from a disk runs nothing and loads nothing, whatever its data said.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def style() -> str:
    """Return the style sheet that reports and pages share."""
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def document(title: str, body: Html) -> str:
    """Return a self-contained HTML file."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", title),
        Html(f"<style>{style()}</style>"),
    )
    main = Html(f'<main class="report">{OPENING}{body}{CLOSING}</main>')
    return "<!doctype html>\n" + tag("html", head, tag("body", main), lang="en") + "\n"


def inner(stored: str) -> Html | None:
    """Return what stands within the frame of a stored report; None where it is no report of ours."""
    _, found, rest = stored.partition(OPENING)
    body, closed, _ = rest.rpartition(CLOSING)
    return Html(body) if found and closed else None


def facts(pairs: list[tuple[str, Any, str]]) -> Html:
    """Return key figures: label, value, and a smaller line below."""
    return tag(
        "dl",
        [
            tag("div", tag("dt", label), tag("dd", value, tag("small", below) if below else None))
            for label, value, below in pairs
        ],
        class_="facts",
    )


def table(heads: list[Any], rows: list[list[Any]], caption: str, classes: list[str] | None = None) -> Html:
    """Return a table that scrolls within itself on a narrow screen; the first cell of a row is its head."""
    styles = classes or [""] * len(heads)
    head = tag(
        "tr", [tag("th", item, scope="col", class_=kind or None) for item, kind in zip(heads, styles, strict=True)]
    )
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            [tag("td", item, class_=kind or None) for item, kind in zip(row[1:], styles[1:], strict=True)],
        )
        for row in rows
    ]
    return tag(
        "div",
        tag("table", tag("caption", caption, class_="hidden"), tag("thead", head), tag("tbody", body)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )
