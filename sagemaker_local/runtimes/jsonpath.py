"""The JSONPath that batch transform takes for CSV: ``$``, ``$[i]``, ``$[a:b]``, ``$[a,b,c:]``, with negatives."""

from __future__ import annotations

import re
from collections.abc import Callable

_PART = re.compile(r"\s*(-?\d+)?\s*(:)?\s*(-?\d+)?\s*")


class PathError(Exception):
    """The path is none of the subset, or leads outside of a record."""


def selector(path: str) -> Callable[[list[str]], list[str]]:
    """Return what picks the fields of a record.

    Raises:
        PathError: the path is malformed; what is returned raises it when a single index is out of a record's range.
    """
    if path in ("", "$"):
        return lambda fields: fields
    if not (path.startswith("$[") and path.endswith("]")):
        raise PathError(f"{path!r} is no filter for CSV; write $, $[1:], $[0,-1] or the like.")
    picks = [_pick(part, path) for part in path[2:-1].split(",")]
    if len(picks) == 1 and isinstance(picks[0], slice):
        only = picks[0]
        return lambda fields: fields[only]

    def select(fields: list[str]) -> list[str]:
        found: list[str] = []
        for pick in picks:
            if isinstance(pick, slice):
                found.extend(fields[pick])
            elif -len(fields) <= pick < len(fields):
                found.append(fields[pick])
            else:
                raise PathError(f"{path!r} asks for field {pick} of a record that has {len(fields)} fields.")
        return found

    return select


def _pick(part: str, path: str) -> int | slice:
    match = _PART.fullmatch(part)
    if match is None or (match[1] is None and match[2] is None) or (match[2] is None and match[3] is not None):
        raise PathError(f"{part!r} of the filter {path!r} is neither an index nor a range.")
    if match[2] is None:
        return int(match[1])
    return slice(*(None if bound is None else int(bound) for bound in (match[1], match[3])))
