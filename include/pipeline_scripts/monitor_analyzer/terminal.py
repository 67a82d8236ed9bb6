"""What a person reads: a summary table of a profile, the violations, and how far a long read has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from .checks import Violation
from .profile import ColumnProfile, Profile

BAR_WIDTH = 30
WAIT_SECONDS = 1.0


class Progress:
    """A progress bar on a terminal once work lasts longer than a second; silent elsewhere."""

    def __init__(self, files: Sequence[Path], stream: TextIO = sys.stderr) -> None:
        self.total = sum(path.stat().st_size for path in files) or 1
        self.stream, self.enabled = stream, stream.isatty()
        self.started = self.shown = time.monotonic()
        self.visible = False

    def at(self, position: int) -> None:
        """Show that `position` bytes are read, at most five times a second."""
        now = time.monotonic()
        if not self.enabled or now - self.started < WAIT_SECONDS or now - self.shown < 0.2:
            return
        share = min(1.0, position / self.total)
        done = round(share * BAR_WIDTH)
        left = (now - self.started) * (1 - share) / share if share else 0
        bar = "#" * done + "." * (BAR_WIDTH - done)
        self.stream.write(f"\r[{bar}] {share:4.0%}, about {left:.0f} s left ")
        self.stream.flush()
        self.shown, self.visible = now, True

    def close(self) -> None:
        """Take the bar away."""
        if self.visible:
            self.stream.write("\r" + " " * (BAR_WIDTH + 32) + "\r")
            self.stream.flush()


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s unless there is one."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def figure(value: float) -> str:
    """Return a number for the eye: six significant digits."""
    return f"{value:.6g}"


def delimiter_hints(profile: Profile) -> Iterator[str]:
    """Yield a hint when a whole row seems to have been read as one field."""
    if len(profile.columns) == 1:
        name = profile.columns[0].name
        for mark, called in ((";", "a semicolon"), ("\t", "a tab"), ("|", "a bar")):
            if mark in name:
                yield (
                    f"Hint: there is one column, and its name holds {called}. Fields are told apart by commas here, as "
                    "in the container: is this another kind of CSV?\n"
                )


def _cells(column: ColumnProfile, *, hidden: bool) -> list[str]:
    numeric = column.numeric
    figures = [figure(v) for v in (numeric.mean, numeric.std_dev, numeric.minimum, numeric.maximum)] if numeric else []
    if hidden:
        figures = ["withheld"] * len(figures)
    return [
        column.name,
        column.inferred_type,
        f"{1 - column.completeness:.1%}",
        f"{column.distinct}",
        *(figures or [""] * 4),
    ]


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows as aligned lines; the first column to the left, the others to the right."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        first, *rest = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *rest]).rstrip()


def profile_lines(profile: Profile, sensitive: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the summary of a profile; figures of sensitive columns are withheld."""
    yield f"{counted(profile.item_count, 'row')}, {counted(len(profile.columns), 'column')}"
    yield ""
    header = ["column", "type", "missing", "distinct~", "mean", "std dev", "min", "max"]
    yield from table([header, *(_cells(column, hidden=column.name in sensitive) for column in profile.columns)])


def violation_lines(found: Sequence[Violation]) -> Iterator[str]:
    """Yield the violations, one a line."""
    if not found:
        yield "No violations."
        return
    yield f"{counted(len(found), 'violation')}:"
    for violation in found:
        yield f"  {violation.feature_name}: {violation.description}"


def drift_lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield the most drifted features of a drift report."""
    rows = []
    for feature in report["features"]:
        apart = feature.get("ks", {}).get("distance", feature.get("l_infinity"))
        if apart is None:
            continue
        test = feature.get("ks") or feature.get("chi_squared") or {}
        rows.append((apart, feature, test.get("p_value")))
    if not rows:
        return
    rows.sort(key=lambda row: -row[0])
    header = ["feature", "distance", "p-value", "PSI", "JS", "out of range"]
    cells = [
        [
            feature["name"],
            f"{apart:.3f}",
            "" if p_value is None else f"{p_value:.2g}",
            f"{feature['psi']:.3f}",
            f"{feature['jensen_shannon']:.3f}",
            f"{feature['out_of_range_share']:.1%}",
        ]
        for apart, feature, p_value in rows[:15]
    ]
    yield from table([header, *cells])
