"""The features of a day beside their baselines, from the reports of either engine. Pure.

Plots come from the drift report's common bins where there is one, else from the two statistics files, whose bins
differ. AWS's rule is what the violations file says; the corrected distance is the drift report's.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sagemaker_batch.report.charts import Steps, shares
from sagemaker_batch.violations import BROKEN_SCHEMA, DRIFT, ORDER, WITHHELD

# Model Monitor's own default, where the constraints name none.
THRESHOLD = 0.1
Found = list[tuple[str, str]]


@dataclass(frozen=True)
class Side:
    """A feature on one side: how it was typed, what is null, its moments, its distribution or categories."""

    kind: str = ""
    rows: int = 0
    null_share: float | None = None
    mean: float | None = None
    std_dev: float | None = None
    low: float | None = None
    high: float | None = None
    distinct: float | None = None
    steps: Steps = field(default_factory=lambda: Steps([], []))
    categories: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Feature:
    """One feature: both sides, what is held against it, and the corrected distances (0-1; `psi` from 0).

    `violations` decided; `rule` is what AWS's rule says, the same unless the drift report judged: then `flagged` is
    what that found (None otherwise). Each is a list of check and description.
    """

    name: str
    sensitive: bool
    baseline: Side
    today: Side
    violations: Found = field(default_factory=list)
    rule: Found = field(default_factory=list)
    flagged: Found | None = None
    measure: str = ""
    distance: float | None = None
    p_value: float | None = None
    psi: float | None = None
    threshold: float = THRESHOLD

    @property
    def drifts(self) -> bool | None:
        """Whether the corrected distance says drift: by the use case's rule, else AWS's threshold; None: unmeasured."""
        if self.flagged is not None:
            return any(check == DRIFT for check, _ in self.flagged)
        return None if self.distance is None else self.distance >= self.threshold

    @property
    def drift_violated(self) -> bool:
        """Whether AWS's rule for drift is violated."""
        return any(check == DRIFT for check, _ in self.rule)


def gather(  # noqa: PLR0917 - the documents of one run
    baseline: Any,
    today: Any,
    violations: Collection[dict[str, str]],
    drift: Any,
    constraints: Any,
    sensitive: set[str],
    rule: Collection[dict[str, str]] | None = None,
) -> list[Feature]:
    """Return every feature, violated ones first and worst first, then by corrected distance.

    Arguments are the documents (or None): two statistics.json, the verdict record's violations, drift_report.json and
    constraints.json; `rule` is what AWS's rule violates where the drift report judged, else None. A sensitive feature
    keeps distances and null shares and loses everything that is a value.
    """
    before, now, apart = _by_name(baseline), _by_name(today), _by_name(drift)
    decided, ruled = _by_feature(violations), None if rule is None else _by_feature(rule)
    limit = threshold(constraints)
    found = []
    for name in dict.fromkeys([*decided, *(ruled or {}), *now, *before]):
        held = decided.get(name, []), None if ruled is None else ruled.get(name, [])
        found.append(_feature(name, before.get(name), now.get(name), held, apart.get(name), limit, sensitive))
    return sorted(found, key=_rank)


def threshold(constraints: Any) -> float:
    """Return the distance from which AWS's rule calls a feature drifted."""
    config = ((constraints or {}).get("monitoring_config") or {}).get("distribution_constraints") or {}
    value = config.get("comparison_threshold")
    return float(value) if isinstance(value, (int, float)) else THRESHOLD


def side(feature: Any) -> Side:
    """Return one feature of statistics.json."""
    if not feature:
        return Side()
    numbers, texts = feature.get("numerical_statistics") or {}, feature.get("string_statistics") or {}
    common = (numbers or texts).get("common", {})
    present, missing = int(common.get("num_present", 0)), int(common.get("num_missing", 0))
    buckets = ((numbers.get("distribution") or {}).get("kll") or {}).get("buckets") or []
    steps = Steps([], [])
    if buckets:
        edges = [float(buckets[0]["lower_bound"]), *(float(item["upper_bound"]) for item in buckets)]
        steps = Steps(edges, shares([float(item["count"]) for item in buckets]))
    named = ((texts.get("distribution") or {}).get("categorical") or {}).get("buckets") or []
    return Side(
        kind=str(feature.get("inferred_type", "")),
        rows=present + missing,
        null_share=missing / (present + missing) if present + missing else None,
        mean=numbers.get("mean"),
        std_dev=numbers.get("std_dev"),
        low=numbers.get("min"),
        high=numbers.get("max"),
        distinct=texts.get("distinct_count", numbers.get("approximate_num_distinct_values")),
        steps=steps,
        categories={str(item["value"]): float(item["count"]) for item in named},
    )


def _feature(  # noqa: PLR0917 - one line of a table
    name: str, before: Any, now: Any, held: tuple[Found, Found | None], apart: Any, limit: float, sensitive: set[str]
) -> Feature:
    first, second, apart = side(before), side(now), apart or {}
    hidden = name in sensitive or bool(apart.get("sensitive"))
    histogram = apart.get("histogram") or {}
    if "edges" in histogram:
        first = _replaced(first, steps=Steps(histogram["edges"], shares(histogram["baseline"])))
        second = _replaced(second, steps=Steps(histogram["edges"], shares(histogram["today"])))
    if hidden:
        first, second = (Side(kind=item.kind, rows=item.rows, null_share=item.null_share) for item in (first, second))
        held = _withheld(held[0]), None if held[1] is None else _withheld(held[1])
    decided, ruled = held
    ks, chi = apart.get("ks") or {}, apart.get("chi_squared") or {}
    return Feature(
        name=name,
        sensitive=hidden,
        baseline=first,
        today=second,
        violations=_ordered(decided),
        rule=_ordered(decided if ruled is None else ruled),
        flagged=None if ruled is None else [item for item in _ordered(decided) if item[0] not in BROKEN_SCHEMA],
        measure="Kolmogorov-Smirnov" if ks else "largest difference of a category" if "l_infinity" in apart else "",
        distance=ks.get("distance", apart.get("l_infinity")),
        p_value=ks.get("p_value", chi.get("p_value")),
        psi=apart.get("psi"),
        threshold=limit,
    )


def _by_feature(violations: Collection[dict[str, str]]) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for item in violations:
        found.setdefault(item["feature"], []).append((item["check"], item["description"]))
    return found


def _withheld(found: Found) -> Found:
    return [(check, WITHHELD) for check, _ in found]


def _ordered(found: Found) -> Found:
    return sorted(found, key=lambda item: ORDER.index(item[0]))


def _replaced(given: Side, *, steps: Steps) -> Side:
    from dataclasses import replace

    return given if steps.empty else replace(given, steps=steps)


def _rank(item: Feature) -> tuple[int, float, str]:
    worst = ORDER.index(item.violations[0][0]) if item.violations else len(ORDER)
    return worst, -(item.distance or 0.0), item.name


def _by_name(document: Any) -> dict[str, Any]:
    return {str(item["name"]): item for item in (document or {}).get("features", [])}
