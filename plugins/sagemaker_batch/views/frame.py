"""The frame of a page: title, where one is, style and script from files of our own, nothing inline."""

from collections.abc import Callable, Iterator
from typing import Any

from sagemaker_batch.report.markup import Html, join, tag

REST = Html("<!-- what has to be read first -->")

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def page(root: str, title: str, trail: list[tuple[str, str]], body: Any, kind: str = "page") -> str:
    """Return a page; `root` is the path that the pages are mounted at, `trail` leads to it (words, address)."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="stylesheet", href=f"{root}/static/style.css"),
        tag("script", src=f"{root}/static/page.js"),
    )
    crumbs = [tag("li", tag("a", words, href=address)) for words, address in trail]
    shown = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag("nav", tag("ol", crumbs), aria_label="Where you are", class_="trail") if crumbs else None,
        tag("main", body, id="content", class_=kind, tabindex="-1"),
    )
    return "<!doctype html>\n" + tag("html", head, shown, lang="en") + "\n"


def in_two(root: str, title: str, first: Any, rest: Callable[[], Any]) -> Iterator[str]:
    """Yield a page as it comes to be: what can be said at once, then what `rest` returns once it has read it."""
    before, after = page(root, title, [], [first, REST]).split(REST)
    yield before
    yield join([rest()]) + after


def message(root: str, title: str, said: str, trail: list[tuple[str, str]], link: tuple[str, str] | None = None) -> str:
    """Return a page that says one thing."""
    followed = tag("p", tag("a", link[0], href=link[1], class_="up")) if link else None
    return page(root, title, trail, [tag("h1", title), tag("p", said, class_="lead"), followed])
