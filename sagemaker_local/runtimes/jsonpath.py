"""The subset of JSONPath that batch transform takes in InputFilter and OutputFilter.

Of a CSV record ``$``, ``$[i]``, ``$[a:b]``, ``$[a,b,c:]``, with negatives; of a JSON record also ``$.name``,
``$['name']``, ``$['a','b']`` and any chain of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

_PART = re.compile(r"\s*(?:(?P<start>-?\d+)?\s*(?P<colon>:)\s*(?P<stop>-?\d+)?|(?P<index>-?\d+))\s*")
_NAME = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\")\s*")
_SEGMENT = re.compile(r"\.(?P<name>[A-Za-z_][\w-]*)|\[(?P<inner>(?:'[^']*'|\"[^\"]*\"|[^\]'\"])*)\]")

Pick: TypeAlias = int | slice | str


class PathError(Exception):
    """The path is none of the subset, or leads outside of a record."""


def csv_picks(path: str) -> list[Pick] | None:
    """Return what a path picks of a CSV record; None is all of it.

    Raises:
        PathError: it is no path for CSV.
    """
    segments = _segments(path)
    if not segments:
        return None
    if len(segments) > 1 or any(isinstance(pick, str) for pick in segments[0]):
        raise PathError(
            f"{path!r} is no filter for CSV, whose fields have no names; write $, $[1:], $[0,-1] or the like."
        )
    return segments[0]


def csv_indices(path: str, width: int) -> list[int]:
    """Return which fields a path picks of a CSV record of `width` fields.

    Raises:
        PathError: the path is malformed, or asks for a field that the record does not have.
    """
    picks = csv_picks(path)
    if picks is None:
        return list(range(width))
    found: list[int] = []
    for pick in picks:
        if isinstance(pick, slice):
            found.extend(range(width)[pick])
        elif isinstance(pick, int):
            if not -width <= pick < width:
                raise PathError(f"{path!r} asks for field {pick} of a record that has {width} fields.")
            found.append(pick % width)
    return found


def json_selector(path: str) -> Callable[[Any], Any]:
    """Return what picks the value of a path from a JSON record.

    One name or index picks the value itself; several names pick an object, several indices or a range a list.

    Raises:
        PathError: the path is malformed; what is returned raises it when a record has no such place.
    """
    segments = _segments(path)

    def select(record: Any) -> Any:
        value = record
        for picks in segments:
            value = _picked(value, picks, path)
        return value

    return select


def _picked(value: Any, picks: list[Pick], path: str) -> Any:
    if len(picks) == 1 and not isinstance(picks[0], slice):
        return _one(value, picks[0], path)
    if all(isinstance(pick, str) for pick in picks):
        return {pick: _one(value, pick, path) for pick in picks}
    found: list[Any] = []
    for pick in picks:
        if isinstance(pick, slice):
            if not isinstance(value, list):
                raise PathError(f"{path!r} asks for a range of what is no list.")
            found.extend(value[pick])
        else:
            found.append(_one(value, pick, path))
    return found


def _one(value: Any, pick: int | str | slice, path: str) -> Any:
    if isinstance(pick, str) and isinstance(value, dict) and pick in value:
        return value[pick]
    if isinstance(pick, int) and isinstance(value, list) and -len(value) <= pick < len(value):
        return value[pick]
    raise PathError(f"{path!r} asks for {pick!r}, which the record does not have.")


def _segments(path: str) -> list[list[Pick]]:
    if not path:
        return []
    if not path.startswith("$"):
        raise PathError(f"The filter {path!r} does not begin with $.")
    segments: list[list[Pick]] = []
    at = 1
    while at < len(path):
        match = _SEGMENT.match(path, at)
        if match is None:
            raise PathError(f"{path[at:]!r} of the filter {path!r} is neither .name nor [index] nor ['name'].")
        at = match.end()
        inner = match["inner"]
        segments.append([match["name"]] if inner is None else [_pick(part, path) for part in _parts(inner)])
    return segments


def _parts(inner: str) -> list[str]:
    return re.findall(r"(?:'[^']*'|\"[^\"]*\"|[^,'\"])+", inner) or [""]


def _pick(part: str, path: str) -> Pick:
    if name := _NAME.fullmatch(part):
        return name[1] if name[1] is not None else name[2]
    match = _PART.fullmatch(part)
    if match is None:
        raise PathError(f"{part!r} of the filter {path!r} is neither an index, nor a range, nor a quoted name.")
    if match["colon"] is None:
        return int(match["index"])
    return slice(*(None if bound is None else int(bound) for bound in (match["start"], match["stop"])))
