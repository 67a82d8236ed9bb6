"""What is known of a dataset after one pass over it: counts, moments, sketch and categories by column."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from . import hll
from .errors import AnalyzerError, ValueBeyondDoubleError
from .inference import NUMERIC, TypeCounts, classify
from .kll import Sketch

# Categories are reported up to 120 distinct values; counting stops well above, so that memory stays bounded.
CATEGORY_LIMIT = 4096
CATEGORY_BYTES = 1 << 20
# How many texts, and how many characters of them, are remembered with their type and number: over all columns.
MEMORY_OF_TEXTS = 1 << 20
MEMORY_PER_COLUMN = 1 << 16
MEMORY_OF_CHARACTERS = 1 << 25


@dataclass
class NumericSummary:
    """Moments and sketch of the non-missing values of a numeric column."""

    count: int
    total: float
    mean: float
    std_dev: float
    minimum: float
    maximum: float
    levels: list[list[float]]


@dataclass
class ColumnProfile:
    """One column after the pass.

    Attributes:
        name: the column's name, `_c0` and so on without a header.
        missing: number of rows without a value.
        types: how many values are of which type.
        distinct: HyperLogLog++ estimate of the number of distinct raw texts.
        registers: what the estimate comes from; parts of a dataset merge by their maximum.
        numeric: only when the inferred type is Integral or Fractional.
        categories: exact counts of raw texts: of all of them when `categories_complete`, otherwise of those that a
            constraint names.
    """

    name: str
    missing: int
    types: TypeCounts
    distinct: int
    registers: bytes = bytes(hll.REGISTERS)
    numeric: NumericSummary | None = None
    categories: dict[str, int] = field(default_factory=dict)
    categories_complete: bool = True

    @property
    def present(self) -> int:
        """Number of rows with a value."""
        return self.types.present

    @property
    def inferred_type(self) -> str:
        """Integral, Fractional, String or Unknown."""
        return self.types.inferred()

    @property
    def completeness(self) -> float:
        """Share of rows with a value; an empty dataset is refused earlier."""
        return self.present / (self.present + self.missing)


@dataclass
class Profile:
    """A dataset after the pass: number of rows and its columns in file order."""

    item_count: int
    columns: list[ColumnProfile] = field(default_factory=list)


class ColumnBuilder:
    """Builds a `ColumnProfile` from blocks of raw texts in row order; an empty text is a missing value.

    Args:
        name: the column's name.
        watched: texts whose counts are wanted whatever the number of distinct values (a constraint's domain).
        columns: how many columns share the memory of texts.
    """

    def __init__(self, name: str, watched: Iterable[str] = (), columns: int = 1) -> None:
        self.name = name
        self._texts_kept = min(MEMORY_PER_COLUMN, max(256, MEMORY_OF_TEXTS // columns))
        self._characters_kept = max(1 << 14, MEMORY_OF_CHARACTERS // columns)
        self._characters = 0
        self.types = TypeCounts()
        self.missing = 0
        self.registers = bytearray(hll.REGISTERS)
        self.watched = frozenset(watched)
        self.categories: dict[str, int] = dict.fromkeys(self.watched, 0)
        self._category_room = CATEGORY_BYTES
        self.categories_complete = True
        self._known: dict[str, str] = {}
        self._numbers: dict[str, float] = {}
        self.sketch = Sketch()
        self.count, self.total, self.mean, self.m2 = 0, 0.0, 0.0, 0.0
        self.minimum, self.maximum = math.inf, -math.inf

    def update(self, texts: Sequence[str]) -> None:
        """Add the texts of a block of rows, in row order.

        Raises:
            ValueBeyondDoubleError: a number that a double cannot hold.
        """
        counts = Counter(texts)
        self.missing += counts.pop("", 0)
        for text, count in counts.items():
            kind = self._known.get(text)
            if kind is None:
                kind = self._meet(text)
            self.types.add(kind, count)
        self._count_categories(counts)
        if counts and self.types.numeric:
            numbers = self._numbers
            self._add_numbers([numbers[text] for text in texts if text])
        if len(self._known) > self._texts_kept or self._characters > self._characters_kept:
            self._known.clear()
            self._numbers.clear()
            self._characters = 0

    def _count_categories(self, counts: Counter[str]) -> None:
        categories = self.categories
        for text, count in counts.items():
            if text in categories:
                categories[text] += count
            elif self.categories_complete:
                self._category_room -= len(text.encode())
                if len(categories) < CATEGORY_LIMIT and self._category_room >= 0:
                    categories[text] = count
                else:
                    self.categories_complete = False

    def _meet(self, text: str) -> str:
        kind = self._known[text] = classify(text)
        self._characters += len(text)
        hll.add(self.registers, text.encode())
        if kind in NUMERIC:
            number = self._numbers[text] = float(text)
            if math.isinf(number):
                raise ValueBeyondDoubleError(self.name, text)
        return kind

    def _add_numbers(self, values: list[float]) -> None:
        # Sequential sums in row order: any other order, and Python's own compensated sum(), differ in the last bits.
        count, total, mean, m2 = self.count, self.total, self.mean, self.m2
        for value in values:
            count += 1
            total += value
            delta = value - mean
            step = delta / count
            mean += step
            m2 += delta * (delta - step)
        self.count, self.total, self.mean, self.m2 = count, total, mean, m2
        lowest, highest = min(values), max(values)
        self.minimum, self.maximum = min(self.minimum, lowest), max(self.maximum, highest)
        self.sketch.extend(values)

    def finish(self) -> ColumnProfile:
        """Return the column's profile.

        Raises:
            AnalyzerError: the column's sum or variance overflows a double.
        """
        profile = ColumnProfile(
            self.name,
            self.missing,
            self.types,
            hll.estimate(self.registers),
            registers=bytes(self.registers),
            categories={
                text: count
                for text, count in self.categories.items()
                if count and (self.categories_complete or text in self.watched)
            },
            categories_complete=self.categories_complete,
        )
        if profile.inferred_type in NUMERIC:
            profile.numeric = summary(
                self.name,
                count=self.count,
                total=self.total,
                m2=self.m2,
                extremes=(self.minimum, self.maximum),
                levels=self.sketch.levels,
            )
        return profile


def summary(
    name: str,
    *,
    count: int,
    total: float,
    m2: float,
    extremes: tuple[float, float],
    levels: list[list[float]],
) -> NumericSummary:
    """Return the moments as the container prints them: mean = sum / n, population standard deviation.

    Raises:
        AnalyzerError: sum or variance overflows a double.
    """
    if not (math.isfinite(total) and math.isfinite(m2)):
        raise AnalyzerError(
            f"the sum or variance of column {name!r} is beyond what a double can carry.",
            hint="Scale the column down, or exclude it from the monitored columns.",
        )
    return NumericSummary(count, total, total / count, math.sqrt(m2 / count), *extremes, levels)


def profile_blocks(
    names: Sequence[str],
    blocks: Iterable[Sequence[Sequence[str]]],
    watched: Mapping[str, Iterable[str]] | None = None,
) -> Profile:
    """Return the profile of rows that come as blocks of columns (one sequence of texts by column).

    Args:
        names: column names.
        blocks: the rows, block by block, as columns of raw texts.
        watched: by column, the texts whose counts a constraint needs.
    """
    builders = [ColumnBuilder(name, (watched or {}).get(name, ()), len(names)) for name in names]
    rows = 0
    for block in blocks:
        rows += len(block[0])
        for builder, texts in zip(builders, block, strict=True):
            builder.update(texts)
    return Profile(rows, [builder.finish() for builder in builders])
