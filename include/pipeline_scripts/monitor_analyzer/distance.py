"""How far two distributions are apart, by the container's own formulas (Deequ's Distance), quirks included."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

# Deequ's c(alpha) of the two-sample Kolmogorov-Smirnov correction.
ROBUST_CONSTANT = 1.8
CHI_SQUARED_MINIMUM = 5
CHI_SQUARED_MINIMUM_TWO = 10
CHI_SQUARED_SHARE = 0.2


def collapsed_ranks(levels: Sequence[Sequence[float]]) -> tuple[list[float], list[int]]:
    """Return sorted items and their running weights as the container computes them.

    Equal items collapse to one entry and the last written weight wins, that of the highest level: a column without
    compaction weighs its distinct values, not its rows. Interchangeability asks for exactly this; `drift_report.json`
    uses the true weights.
    """
    weights: dict[float, int] = {}
    for level, items in enumerate(levels):
        weight = 1 << level
        for item in items:
            weights[item] = weight
    ordered = sorted(weights)
    return ordered, list(accumulate(weights[item] for item in ordered))


def _largest_gap(first: tuple[list[float], list[int]], second: tuple[list[float], list[int]]) -> float:
    (items_1, ranks_1), (items_2, ranks_2) = first, second
    n, m = ranks_1[-1], ranks_2[-1]
    i = j = 0
    rank_1 = rank_2 = 0
    gap = 0.0
    while i < len(items_1) or j < len(items_2):
        key = min(items_1[i] if i < len(items_1) else math.inf, items_2[j] if j < len(items_2) else math.inf)
        if i < len(items_1) and items_1[i] == key:
            rank_1, i = ranks_1[i], i + 1
        if j < len(items_2) and items_2[j] == key:
            rank_2, j = ranks_2[j], j + 1
        gap = max(gap, abs(rank_1 / n - rank_2 / m))
    return gap


def robust(gap: float, n: float, m: float) -> float:
    """Return the gap less what chance explains for samples of n and m."""
    return max(0.0, gap - ROBUST_CONSTANT * math.sqrt((n + m) / (n * m)))


def numerical(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], method: str) -> float:
    """Return the distance of two KLL sketches; `method` is Robust or Simple. Neither may be empty."""
    ranks_1, ranks_2 = collapsed_ranks(first), collapsed_ranks(second)
    gap = _largest_gap(ranks_1, ranks_2)
    return gap if method == "Simple" else robust(gap, ranks_1[1][-1], ranks_2[1][-1])


def categorical(first: Mapping[str, int], second: Mapping[str, int], method: str) -> float:
    """Return the L-infinity distance of two tables of counts; `method` is Robust or Simple."""
    n, m = sum(first.values()), sum(second.values())
    gap = max(abs(first.get(key, 0) / n - second.get(key, 0) / m) for key in first.keys() | second.keys())
    return gap if method == "Simple" else robust(gap, n, m)


def _regrouped(observed: list[int], expected: list[float]) -> list[tuple[int, float]]:
    """Merge the two smallest expected counts until the chi-squared approximation holds (Cochran's rule)."""
    groups = sorted(zip(observed, expected, strict=True), key=lambda pair: pair[1])
    while len(groups) >= 2:
        small = sum(1 for _, count in groups if count < CHI_SQUARED_MINIMUM)
        if len(groups) > 2 and small / len(groups) <= CHI_SQUARED_SHARE:
            break
        if len(groups) == 2 and all(count >= CHI_SQUARED_MINIMUM_TWO for _, count in groups):
            break
        (seen_1, count_1), (seen_2, count_2), *rest = groups
        groups = sorted([(seen_1 + seen_2, count_1 + count_2), *rest], key=lambda pair: pair[1])
    return groups


def chi_squared(sample: Mapping[str, int], expected: Mapping[str, int]) -> tuple[float, float] | None:
    """Return statistic and p-value of a sample against the expected counts scaled to its size.

    None when fewer than two groups remain or when a value was never expected in any group.
    """
    n, m = sum(sample.values()), sum(expected.values())
    keys = sorted(sample.keys() | expected.keys())
    groups = _regrouped([sample.get(key, 0) for key in keys], [expected.get(key, 0) * n / m for key in keys])
    if len(groups) < 2 or any(count == 0 for _, count in groups):
        return None
    statistic = math.fsum((seen - count) ** 2 / count for seen, count in groups)
    return statistic, chi_squared_tail(statistic, len(groups) - 1)


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """Return P(X >= statistic) for a chi-squared variable: the regularized upper incomplete gamma Q(k/2, x/2).

    Series below a + 1 and Lentz's continued fraction above (Abramowitz and Stegun 6.5.29, 6.5.31).
    """
    a, x = degrees / 2, statistic / 2
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        step = a
        while term > total * 1e-17:
            step += 1
            term *= x / step
            total += term
        return max(0.0, 1 - total * scale)
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    fraction = d
    for index in range(1, 100_000):
        factor = -index * (index - a)
        b += 2
        d = 1 / (factor * d + b or tiny)
        c = b + factor / c or tiny
        delta = d * c
        fraction *= delta
        if abs(delta - 1) < 1e-16:
            break
    return min(1.0, scale * fraction)
