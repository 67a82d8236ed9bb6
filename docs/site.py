"""Hook of the site: what a page links outside docs/ is shown as the path that it is, for the site does not hold it."""

import re
from pathlib import Path
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)")
ROOT = Path(__file__).resolve().parents[1]


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replace links that leave docs/ by their text and the path within the repository.

    Raises:
        FileNotFoundError: there is no such file, so that a stale link fails the build.
    """

    def told(found: re.Match[str]) -> str:
        text, target = found.groups()
        place = (ROOT / "docs" / Path(page.file.src_uri).parent / target.split("#")[0]).resolve()
        if not place.exists():
            raise FileNotFoundError(f"docs/{page.file.src_uri} links {target}, and there is no such file.")
        return f"{text} (`{place.relative_to(ROOT)}`)"

    return OUTSIDE.sub(told, markdown)
