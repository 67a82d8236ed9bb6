# ruff: noqa: S311 - seeded data
"""Seeded files that the analyzer's benchmark reads."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SEED = 1729
# Rows beyond this repeat: generating millions in Python would take longer than every measurement.
DISTINCT_ROWS = 100_000


def churn_like(generator: random.Random, row: int) -> list[str]:
    """One row of the telephone carrier's shape: 21 columns, whole numbers and one or two decimals."""
    usage: list[str] = []
    for _ in range(4):
        usage += [
            f"{generator.gammavariate(9, 20):.1f}",
            str(int(generator.gauss(100, 10))),
            f"{generator.gammavariate(9, 3.4):.2f}",
        ]
    return [
        f"S{generator.randrange(51)}",
        str(generator.randrange(1, 244)),
        generator.choice(("408", "415", "510")),
        str(1_000_000 + row),
        generator.choice(("no", "yes")),
        generator.choice(("no", "yes")),
        str(generator.randrange(52)),
        *usage,
        str(generator.randrange(10)),
        generator.choice(("False.", "True.")),
    ]


def raw_floats(generator: random.Random, row: int) -> list[str]:
    """Twelve 17-digit floats and two wide whole numbers."""
    return [*(repr(generator.gauss(0, 1)) for _ in range(12)), str(2**59 + row), str(generator.getrandbits(60))]


def dirty(generator: random.Random, row: int) -> list[str]:
    """Text in numbers, late floats, quoted fields, nulls, on the churn-like shape."""
    fields = churn_like(generator, row)
    if row % 97 == 0:
        fields[1] = "n/a"
    if row % 1000 == 999:
        fields[6] = "1.5"
    fields[4] = f'"{fields[4]}, said ""so"""'
    for index in (8, 12):
        if generator.random() < 0.05:
            fields[index] = ""
    return fields


def wide(generator: random.Random, row: int) -> list[str]:
    """200 columns: flags, counts and floats."""
    del row
    return [
        *(str(generator.randrange(2)) for _ in range(120)),
        *(str(generator.randrange(100)) for _ in range(40)),
        *(f"{generator.random():.4f}" for _ in range(40)),
    ]


@dataclass(frozen=True)
class Case:
    """One file, and what is asked of the analyzer on it.

    Attributes:
        aim: ratio to a Polars pass of the same file that is aimed at; `limit` is never to be exceeded. None: no ratio.
        peers: whether the peers read it too.
        most_rounds: fewer rounds than asked for, for a file that only shows memory.
    """

    name: str
    make: Callable[[random.Random, int], list[str]]
    columns: int
    rows: int
    aim: float | None = None
    limit: float | None = None
    peers: bool = False
    most_rounds: int | None = None

    def write(self, folder: Path) -> Path:
        """Write the file once and return it."""
        path = folder / f"{self.name.replace(' ', '-')}.csv"
        if path.exists():
            return path
        generator = random.Random(SEED)
        lines = [",".join(self.make(generator, row)) + "\n" for row in range(min(self.rows, DISTINCT_ROWS))]
        staging = path.with_suffix(".part")
        with staging.open("w", encoding="utf-8") as file:
            file.write(",".join(f"c{index}" for index in range(self.columns)) + "\n")
            left = self.rows
            while left > 0:
                file.writelines(lines[:left])
                left -= len(lines)
        staging.replace(path)
        return path


def cases(scale: float) -> list[Case]:
    """Return the cases of the issue; a scale below 1 makes the files smaller, for a quick look."""

    def rows(number: int) -> int:
        return max(1000, int(number * scale))

    return [
        Case("churn-like 1M", churn_like, 21, rows(1_000_000), 1.5, 1.75, peers=True),
        Case("churn-like 5M", churn_like, 21, rows(5_000_000), 1.5, 1.75),
        Case("raw floats 1M", raw_floats, 14, rows(1_000_000), 2.0, 2.5),
        Case("dirty 1M", dirty, 21, rows(1_000_000), 4.0, 5.0),
        Case("200 columns 100k", wide, 200, rows(100_000)),
        Case("start-up 10k", churn_like, 21, 10_000),
        Case("memory 15M", churn_like, 21, rows(15_000_000), most_rounds=1),
    ]
