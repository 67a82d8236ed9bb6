"""Building HTML and SVG so that nothing unescaped can get in: text is escaped unless it is `Html` already."""

import html
import re
from collections.abc import Iterable
from typing import Any

VOID = {"meta", "link", "br", "hr", "input", "line", "rect", "circle", "path"}
PLAIN = re.compile(r"[\w .,:;/()#%+=?*@-]*", re.ASCII)
# Characters that could hide or reorder what stands beside them, or that HTML does not know.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


class Html(str):
    """Markup that was built here."""

    __slots__ = ()


def text(value: Any) -> Html:
    """Escape a value; control and direction characters become the replacement character."""
    if isinstance(value, Html):
        return value
    said = str(value)
    # Most texts are plain, and a page has tens of thousands of them.
    return Html(said) if PLAIN.fullmatch(said) else Html(html.escape(UNSEEN.sub("\ufffd", said), quote=True))


def join(parts: Iterable[Any]) -> Html:
    """Join children: nested lists are flattened, None and False left out."""
    return Html("".join(_flat(parts)))


def tag(name: str, /, *children: Any, **attributes: Any) -> Html:
    """Return an element. `class_` is class, other underscores become hyphens; None and False leave one out."""
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{given}>" if name in {"meta", "link", "br", "hr", "input"} else f"<{name}{given}/>")
    return Html(f"<{name}{given}>{join(children)}</{name}>")


def named(value: Any, limit: int = 120) -> Html:
    """Return a name that came with the data, isolated from the direction of the text around it and cut to length."""
    shown = str(value)
    cut = shown if len(shown) <= limit else shown[: limit - 1] + "\u2026"
    return tag("bdi", cut, title=shown[:2000] if cut != shown else None)


def _flat(parts: Iterable[Any]) -> Iterable[str]:
    for part in parts:
        if part is None or part is False:
            continue
        if isinstance(part, (list, tuple)):
            yield from _flat(part)
        else:
            yield text(part)
