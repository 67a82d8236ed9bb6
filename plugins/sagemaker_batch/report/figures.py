"""Numbers and moments as a person reads them: with units, in the use case's time zone."""

import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sagemaker_batch.report.markup import Html, tag

NONE = "\u2013"
FEW = 0.001


def count(value: Any, unit: str = "") -> str:
    """Return a whole number with thousands apart, and its unit."""
    if not _finite(value):
        return NONE
    return f"{int(value):,}" + (f" {unit}" if unit else "")


def percent(value: Any, digits: int = 1) -> str:
    """Return a share (0-1) as a percentage; a tiny share is not shown as nothing."""
    if not _finite(value):
        return NONE
    if 0 < value < FEW / 2:
        return "< 0.1 %"
    return f"{value * 100:.{digits}f} %"


def number(value: Any, digits: int = 4) -> str:
    """Return a number with a few significant digits."""
    if not _finite(value):
        return NONE
    if value == int(value) and abs(value) < 10**9:
        return f"{int(value):,}"
    return f"{value:.{digits}g}"


def distance(value: Any) -> str:
    """Return a distance between 0 and 1."""
    return f"{value:.3f}" if _finite(value) else NONE


def probability(value: Any) -> str:
    """Return a p-value."""
    if not _finite(value):
        return NONE
    return "p < 0.001" if value < FEW else f"p = {value:.3f}"


def moment(value: str | datetime | None, zone: str = "UTC") -> Html | str:
    """Return a moment as a `time` element in the zone, which the page's script turns into the reader's own."""
    if not value:
        return NONE
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        return NONE
    local = when.astimezone(ZoneInfo(zone))
    shown = f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"
    return tag("time", shown, datetime=when.isoformat(timespec="seconds"), data_moment=True)


def day(value: Any) -> str:
    """Return a date, such as Tue 3 Mar 2026."""
    return f"{value:%a} {value.day} {value:%b %Y}"


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
