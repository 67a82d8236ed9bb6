"""drift_report.json: baseline and today side by side by feature, with true weights, beside the contract files."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from . import distance
from .inference import NUMERIC
from .kll import BUCKETS, Ranks, bounds
from .profile import ColumnProfile, Profile
from .statistics import CATEGORY_MAXIMUM, BaselineFeature, BaselineStatistics

VERSION = 1
# Keeps the logarithms of PSI finite for a bin that one side does not have.
PSI_FLOOR = 1e-4
CATEGORIES_SHOWN = 50


def ks_distance(first: Ranks, second: Ranks) -> float:
    """Return the two-sample Kolmogorov-Smirnov distance of two weighted distributions."""
    keys = sorted({*first.items, *second.items})
    gap = 0.0
    for key in keys:
        gap = max(gap, abs(first.up_to(key) / first.total - second.up_to(key) / second.total))
    return gap


def ks_p_value(gap: float, n: int, m: int) -> float:
    """Return the asymptotic probability of a gap at least this large by chance.

    Kolmogorov's distribution with Stephens' small-sample correction (Stephens 1970); n and m are numbers of values.
    """
    effective = math.sqrt(n * m / (n + m))
    scaled = (effective + 0.12 + 0.11 / effective) * gap
    if scaled < 0.2:
        return 1.0
    total, sign = 0.0, 1.0
    for index in range(1, 101):
        term = math.exp(-2 * index * index * scaled * scaled)
        total += sign * term
        if term < 1e-16:
            break
        sign = -sign
    return min(1.0, max(0.0, 2 * total))


def psi(baseline: Sequence[float], today: Sequence[float]) -> float:
    """Return the population stability index of two lists of shares over the same bins."""
    return math.fsum(
        (max(q, PSI_FLOOR) - max(p, PSI_FLOOR)) * math.log(max(q, PSI_FLOOR) / max(p, PSI_FLOOR))
        for p, q in zip(baseline, today, strict=True)
    )


def jensen_shannon(baseline: Sequence[float], today: Sequence[float]) -> float:
    """Return the Jensen-Shannon distance (square root of the divergence to base 2): 0 equal, 1 disjoint."""
    total = 0.0
    for p, q in zip(baseline, today, strict=True):
        middle = (p + q) / 2
        total += (p * math.log2(p / middle) if p else 0.0) / 2 + (q * math.log2(q / middle) if q else 0.0) / 2
    return min(1.0, math.sqrt(max(0.0, total)))


def _shares(counts: Sequence[int], total: int) -> list[float]:
    return [count / total for count in counts]


def _quantile_edges(ranks: Ranks, bins: int) -> list[float]:
    """Return inner edges that cut the baseline into bins of about equal weight.

    A value that alone fills a bin gets one of its own, and a column of few distinct values one for each: otherwise
    a flipped flag would share its bin with the other value.
    """
    items, cumulative = ranks.items, ranks.cumulative
    if len(items) <= 2 * bins:
        return items[1:]
    edges = set()
    for index in range(1, bins):
        position = min(bisect_right(cumulative, index * ranks.total / bins) - 1, len(items) - 1)
        edges.add(items[position])
        heavy = cumulative[position + 1] - cumulative[position] >= ranks.total / bins
        if heavy and position + 1 < len(items):
            edges.add(items[position + 1])
    return sorted(edges)


def _binned(ranks: Ranks, edges: Sequence[float]) -> list[int]:
    """Return the weight of each bin (-inf, e0), [e0, e1), ... [last, inf)."""
    below = [0, *(ranks.below(edge) for edge in edges), ranks.total]
    return [high - low for low, high in itertools.pairwise(below)]


def _histogram(first: Ranks, second: Ranks, low: float, high: float) -> dict[str, Any]:
    """Return both sides in equally wide bins over their common range, for a plot."""
    edges = [low, *(bounds(low, high, index)[1] for index in range(BUCKETS))] if high > low else [low, high]

    def counts(ranks: Ranks) -> list[int]:
        inner = [0, *(ranks.below(edge) for edge in edges[1:-1]), ranks.total]
        return [upper - lower for lower, upper in itertools.pairwise(inner)]

    return {"edges": edges, "baseline": counts(first), "today": counts(second)}


def _numeric(column: ColumnProfile, baseline: BaselineFeature, *, sensitive: bool) -> dict[str, Any]:
    if not column.numeric or not baseline.levels or baseline.minimum is None or baseline.maximum is None:
        return {}
    before, now = Ranks(baseline.levels), Ranks(column.numeric.levels)
    if not before.total:
        return {}
    gap = ks_distance(before, now)
    edges = _quantile_edges(before, BUCKETS)
    shares = (_shares(_binned(before, edges), before.total), _shares(_binned(now, edges), now.total))
    inside = now.up_to(baseline.maximum) - now.below(baseline.minimum)
    result: dict[str, Any] = {
        "ks": {"distance": gap, "p_value": ks_p_value(gap, before.total, now.total)},
        "psi": psi(*shares),
        "jensen_shannon": jensen_shannon(*shares),
        "out_of_range_share": (now.total - inside) / now.total,
    }
    if not sensitive:
        result["range"] = {
            "baseline": [baseline.minimum, baseline.maximum],
            "today": [column.numeric.minimum, column.numeric.maximum],
        }
        result["mean"] = {"baseline": baseline.mean, "today": column.numeric.mean}
        result["std_dev"] = {"baseline": baseline.std_dev, "today": column.numeric.std_dev}
        result["histogram"] = _histogram(
            before,
            now,
            min(baseline.minimum, column.numeric.minimum),
            max(baseline.maximum, column.numeric.maximum),
        )
    return result


def _categorical(column: ColumnProfile, baseline: BaselineFeature, *, sensitive: bool) -> dict[str, Any]:
    if baseline.categories is None or not column.categories or not column.categories_complete:
        return {}
    before, now = baseline.categories, column.categories
    total_before, total_now = sum(before.values()), sum(now.values())
    if not total_before:
        return {}
    keys = sorted(before.keys() | now.keys(), key=lambda key: (-before.get(key, 0), -now.get(key, 0), key))
    shares = ([before.get(key, 0) / total_before for key in keys], [now.get(key, 0) / total_now for key in keys])
    new = [key for key in keys if key not in before]
    vanished = [key for key in keys if key not in now]
    chi = distance.chi_squared(now, before)
    result: dict[str, Any] = {
        "l_infinity": distance.categorical(now, before, "Simple"),
        "chi_squared": {"statistic": chi[0], "p_value": chi[1]} if chi else None,
        "psi": psi(*shares),
        "jensen_shannon": jensen_shannon(*shares),
        "out_of_range_share": sum(now[key] for key in new) / total_now,
        "new_category_count": len(new),
        "vanished_category_count": len(vanished),
    }
    if not sensitive:
        shown = keys[:CATEGORIES_SHOWN]
        result["new_categories"] = new[:CATEGORIES_SHOWN]
        result["vanished_categories"] = vanished[:CATEGORIES_SHOWN]
        result["histogram"] = {
            "categories": shown,
            "baseline": [before.get(key, 0) for key in shown],
            "today": [now.get(key, 0) for key in shown],
        }
    return result


def _null_share(present: int, missing: int) -> float | None:
    return missing / (present + missing) if present + missing else None


def feature_document(column: ColumnProfile, baseline: BaselineFeature, *, sensitive: bool) -> dict[str, Any]:
    """Return one feature of the report; a sensitive one shows distances and shares, never a value."""
    document: dict[str, Any] = {
        "name": column.name,
        "sensitive": sensitive,
        "type": {"baseline": baseline.inferred_type, "today": column.inferred_type},
        "null_share": {
            "baseline": _null_share(baseline.present, baseline.missing),
            "today": _null_share(column.present, column.missing),
        },
    }
    if baseline.inferred_type in NUMERIC:
        document |= _numeric(column, baseline, sensitive=sensitive)
    elif column.distinct <= CATEGORY_MAXIMUM or baseline.categories:
        document |= _categorical(column, baseline, sensitive=sensitive)
    return document


def document(profile: Profile, baseline: BaselineStatistics, sensitive: frozenset[str]) -> dict[str, Any]:
    """Return drift_report.json of today's profile against a baseline's statistics."""
    known: Mapping[str, BaselineFeature] = baseline.features
    names = {column.name for column in profile.columns}
    return {
        "version": VERSION,
        "rows": {"baseline": baseline.item_count, "today": profile.item_count},
        "columns": {
            "missing": [name for name in known if name not in names],
            "extra": [column.name for column in profile.columns if column.name not in known],
        },
        "features": [
            feature_document(column, known[column.name], sensitive=column.name in sensitive)
            for column in profile.columns
            if column.name in known
        ],
    }
