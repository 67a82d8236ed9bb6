"""HTML that cannot be injected into: text is escaped unless it was made here."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

ROOT = "/_local/console"


class Html(str):
    """Markup; what is no Html is text."""

    __slots__ = ()


def tag(name: str, *children: Any, **attributes: Any) -> Html:
    """Return an element. Attributes of None or False are left out; ``class_`` is ``class``, ``a_b`` is ``a-b``."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{shown}>{join(*children)}</{name}>")


def join(*children: Any) -> Html:
    """Return children one after the other, each escaped if it is text; None is nothing."""
    return Html(
        "".join(
            child if isinstance(child, Html) else html.escape(str(child)) for child in children if child is not None
        )
    )


def link(text: Any, *path: str) -> Html:
    """Return a link to a page of the console; each part of its path is one segment."""
    return tag("a", text, href=address(*path))


def address(*path: str) -> str:
    """Return the address of a page."""
    return "/".join([ROOT, *(quote(part, safe="") for part in path)])


def badge(status: str, of: str | None = None) -> Html:
    """Return a status as a word in its colour: the word alone says it all. Changes of what has a name are told."""
    return tag("span", status, class_=f"status {style_of(status)}", data_of=of, data_state=status if of else None)


def style_of(status: str) -> str:
    """Return which of five looks a status has."""
    if status in {"Succeeded", "Completed", "Approved"}:
        return "good"
    if status in {"Failed", "Rejected"}:
        return "bad"
    if status in {"Executing", "InProgress", "Starting", "Stopping"}:
        return "busy"
    return "odd" if status in {"Stopped", "CompletedWithFailures", "PendingManualApproval"} else "idle"


def moment(seconds: float | None) -> Html:
    """Return a time as a person reads it and as a machine does."""
    if seconds is None:
        return tag("span", "-")
    when = datetime.fromtimestamp(seconds, UTC)
    return tag("time", f"{when:%Y-%m-%d %H:%M:%S} UTC", datetime=when.isoformat())


def span(begin: float | None, end: float | None) -> str:
    """Return how long something took."""
    return "-" if begin is None or end is None else f"{max(end - begin, 0):.1f} s"


def table(caption: str, head: list[str], rows: list[list[Any]], empty: str) -> Html:
    """Return a table that a narrow screen scrolls by itself, or a sentence when it has no rows."""
    if not rows:
        return join(tag("h2", caption), tag("p", empty))
    header = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))
    body = tag("tbody", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows))
    inner = tag("table", tag("caption", caption), header, body)
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def facts(pairs: list[tuple[str, Any]]) -> Html:
    """Return names and what they are."""
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in pairs if value not in {None, ""}))


def page(title: str, *children: Any, refresh: int = 0) -> Html:
    """Return a whole page.

    Args:
        title: also its heading.
        children: what it shows.
        refresh: seconds after which the browser asks again and puts in what changed (`live.js`), 0 for never. A browser
            without scripts loads the whole page again.
    """
    again = Html(f'<noscript><meta http-equiv="refresh" content="{refresh}"></noscript>') if refresh else None
    head = tag(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        again,
        tag("title", f"{title} - local SageMaker"),
        Html(f'<link rel="stylesheet" href="{ROOT}/style.css"><link rel="icon" href="data:,">'),
        Html(f'<script src="{ROOT}/live.js" defer></script>'),
    )
    top = tag(
        "header",
        tag("a", "Skip to content", href="#content", class_="skip"),
        tag("nav", link("Local SageMaker"), aria_label="Console"),
        tag("p", id="said", role="status"),
    )
    main = tag("main", tag("h1", title), *children, id="content", tabindex="-1", data_refresh=refresh)
    body = tag("body", top, main)
    return join(Html("<!doctype html>"), tag("html", head, body, lang="en"))
