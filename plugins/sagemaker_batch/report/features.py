"""The features of a day beside their baselines, from the reports of either engine. Pure.

Plots come from the drift report's common bins where there is one, else from the two statistics files, whose bins
differ. AWS's rule is what the violations file says; the corrected distance is the drift report's.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sagemaker_batch.report.charts import Steps, shares
from sagemaker_batch.violations import ORDER, WITHHELD

# Model Monitor's own default, where the constraints name none.
THRESHOLD = 0.1


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
    """One feature: both sides, what violates it, and the corrected distances (0-1; `psi` from 0)."""

    name: str
    sensitive: bool
    baseline: Side
    today: Side
    violations: list[tuple[str, str]] = field(default_factory=list)
    measure: str = ""
    distance: float | None = None
    p_value: float | None = None
    psi: float | None = None
    threshold: float = THRESHOLD

    @property
    def drifts(self) -> bool | None:
        """Whether the corrected distance reaches the threshold; None where there is none."""
        return None if self.distance is None else self.distance >= self.threshold

    @property
    def drift_violated(self) -> bool:
        """Whether AWS's rule for drift is violated."""
        return any(check == "baseline_drift_check" for check, _ in self.violations)


def gather(  # noqa: PLR0917 - the documents of one run
    baseline: Any, today: Any, violations: Collection[dict[str, str]], drift: Any, constraints: Any, sensitive: set[str]
) -> list[Feature]:
    """Return every feature, violated ones first and worst first, then by corrected distance.

    Arguments are the documents (or None): two statistics.json, the verdict record's violations, drift_report.json and
    constraints.json. A sensitive feature keeps distances and null shares and loses everything that is a value.
    """
    before, now, apart = _by_name(baseline), _by_name(today), _by_name(drift)
    broken: dict[str, list[tuple[str, str]]] = {}
    for item in violations:
        broken.setdefault(item["feature"], []).append((item["check"], item["description"]))
    limit = threshold(constraints)
    names = list(dict.fromkeys([*broken, *now, *before]))
    found = [
        _feature(name, before.get(name), now.get(name), broken.get(name, []), apart.get(name), limit, sensitive)
        for name in names
    ]
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
    name: str, before: Any, now: Any, broken: list[tuple[str, str]], apart: Any, limit: float, sensitive: set[str]
) -> Feature:
    first, second, apart = side(before), side(now), apart or {}
    hidden = name in sensitive or bool(apart.get("sensitive"))
    histogram = apart.get("histogram") or {}
    if "edges" in histogram:
        first = _replaced(first, steps=Steps(histogram["edges"], shares(histogram["baseline"])))
        second = _replaced(second, steps=Steps(histogram["edges"], shares(histogram["today"])))
    if hidden:
        first, second = (Side(kind=item.kind, rows=item.rows, null_share=item.null_share) for item in (first, second))
        broken = [(check, WITHHELD) for check, _ in broken]
    ks, chi = apart.get("ks") or {}, apart.get("chi_squared") or {}
    return Feature(
        name=name,
        sensitive=hidden,
        baseline=first,
        today=second,
        violations=sorted(broken, key=lambda item: ORDER.index(item[0])),
        measure="Kolmogorov-Smirnov" if ks else "largest difference of a category" if "l_infinity" in apart else "",
        distance=ks.get("distance", apart.get("l_infinity")),
        p_value=ks.get("p_value", chi.get("p_value")),
        psi=apart.get("psi"),
        threshold=limit,
    )


def _replaced(given: Side, *, steps: Steps) -> Side:
    from dataclasses import replace

    return given if steps.empty else replace(given, steps=steps)


def _rank(item: Feature) -> tuple[int, float, str]:
    worst = ORDER.index(item.violations[0][0]) if item.violations else len(ORDER)
    return worst, -(item.distance or 0.0), item.name


def _by_name(document: Any) -> dict[str, Any]:
    return {str(item["name"]): item for item in (document or {}).get("features", [])}
