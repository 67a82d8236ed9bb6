"""The deterministic KLL quantile sketch of the analyzer container (k = 2048, c = 0.64).

Karnin, Lang, Liberty: Optimal quantile approximation in streams (2016), without the random choice: a level that is
compacted alternates which half it promotes. Which level is compacted when depends on counts alone, never on values.
An item of level h weighs 2**h; level 0 receives the input.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from math import ceil

SKETCH_SIZE = 2048.0
SHRINKING_FACTOR = 0.64
BUCKETS = 10


@cache
def capacity(level: int) -> int:
    """Return how many items `level` holds before it may be compacted."""
    return 2 * (ceil(SKETCH_SIZE * SHRINKING_FACTOR**level / 2) + 1)


@cache
def total_capacity(levels: int) -> int:
    """Return the number of items a sketch of `levels` levels holds before it condenses."""
    return sum(capacity(level) for level in range(levels))


class Sketch:
    """A KLL sketch fed in row order.

    Attributes:
        levels: items by level, weight of level h is 2**h.
        size: number of retained items.
    """

    __slots__ = ("_compactions", "_offsets", "levels", "size")

    def __init__(self) -> None:
        self.levels: list[list[float]] = [[]]
        self.size = 0
        self._compactions = [0]
        self._offsets = [0]

    def extend(self, values: Sequence[float]) -> None:
        """Add `values` in order, as if one by one."""
        position, count = 0, len(values)
        while position < count:
            # Condensing happens at the first item too many: everything up to it can be taken at once.
            room = total_capacity(len(self.levels)) - self.size + 1
            chunk = values[position : position + room]
            self.levels[0].extend(chunk)
            self.size += len(chunk)
            position += len(chunk)
            if len(chunk) == room:
                self._condense()

    def merge(self, levels: Sequence[Sequence[float]]) -> None:
        """Add another sketch's levels: items keep their weight, and the whole is condensed to its room."""
        while len(self.levels) < len(levels):
            self._grow()
        for items, others in zip(self.levels, levels, strict=False):
            items.extend(others)
        self.size += sum(map(len, levels))
        while self.size > total_capacity(len(self.levels)):
            self._condense()

    def _grow(self) -> None:
        self.levels.append([])
        self._compactions.append(0)
        self._offsets.append(0)

    def _condense(self) -> None:
        for level, items in enumerate(self.levels):
            if len(items) >= capacity(level):
                if level == len(self.levels) - 1:
                    self._grow()
                promoted = self._compact(level)
                self.levels[level + 1].extend(promoted)
                self.size -= len(promoted)
                return

    def _compact(self, level: int) -> list[float]:
        items = self.levels[level]
        even = len(items) - len(items) % 2
        if self._compactions[level] % 2:
            self._offsets[level] = 1 - self._offsets[level]
        self._compactions[level] += 1
        promoted = sorted(items[:even])[self._offsets[level] :: 2]
        self.levels[level] = items[even:]
        return promoted


class Ranks:
    """The weighted empirical distribution that a sketch's levels stand for.

    Args:
        levels: items by level, weight 2**level each.
    """

    def __init__(self, levels: Iterable[Sequence[float]]) -> None:
        weights: dict[float, int] = {}
        for level, items in enumerate(levels):
            weight = 1 << level
            for item in items:
                weights[item] = weights.get(item, 0) + weight
        self.items = sorted(weights)
        self.cumulative = list(accumulate((weights[item] for item in self.items), initial=0))

    @property
    def total(self) -> int:
        """Number of values the sketch has seen (weights sum to it exactly)."""
        return self.cumulative[-1]

    def below(self, value: float) -> int:
        """Return the weight of items smaller than `value`."""
        return self.cumulative[bisect_left(self.items, value)]

    def up_to(self, value: float) -> int:
        """Return the weight of items not greater than `value`."""
        return self.cumulative[bisect_right(self.items, value)]


def bounds(minimum: float, maximum: float, index: int, buckets: int = BUCKETS) -> tuple[float, float]:
    """Return lower and upper bound of bucket `index` of equally wide ones; the expression is the container's."""
    return (
        minimum + (maximum - minimum) * index / buckets,
        minimum + (maximum - minimum) * (index + 1) / buckets,
    )


def buckets(levels: Sequence[Sequence[float]], minimum: float, maximum: float) -> list[tuple[float, float, int]]:
    """Return ten (lower, upper, count); counts come from the sketch, as in the container, not from the data."""
    ranks = Ranks(levels)
    result = []
    for index in range(BUCKETS):
        low, high = bounds(minimum, maximum, index)
        upper = ranks.up_to(high) if index == BUCKETS - 1 else ranks.below(high)
        result.append((low, high, upper - ranks.below(low)))
    return result
