"""Past days checked again, by other constraints: from the statistics that each day's monitor left, without its data.

Statistics carry sketches of numbers and counts of categories, so completeness, domains and drift are computed by the
analyzer's own rules. Two things they do not carry: how many values had the expected type, which the day's own report
tells where it was violated, and the counts of a column with very many texts. What cannot be known is named.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from include.pipeline_scripts.monitor_analyzer import checks, constraints, statistics
from include.pipeline_scripts.monitor_analyzer.inference import NUMERIC, STRING, UNKNOWN, TypeCounts
from include.pipeline_scripts.monitor_analyzer.profile import ColumnProfile, NumericSummary, Profile
from sagemaker_batch.use_case import UseCase
from sagemaker_batch.violations import BROKEN_SCHEMA

OBSERVED = re.compile(r"Observed: Only ([0-9.eE+-]+)% of data is")
TYPE_CHECK = "data_type_check"


@dataclass(frozen=True)
class PastDay:
    """A judged day: its statistics.json, and the violations that its own report named (as verdict records do)."""

    day: str
    statistics: Any
    recorded: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Checked:
    """What constraints flag on a day, as (feature, check); `unknown` names the features that could not be checked."""

    day: str
    flagged: frozenset[tuple[str, str]]
    monitored: int
    unknown: tuple[str, ...] = ()

    def verdict(self, use_case: UseCase) -> str:
        """Return what the use case's rules would make of the day: clean, warned or held."""
        if not self.flagged:
            return "clean"
        share = len({feature for feature, _ in self.flagged}) / max(self.monitored, 1)
        broken = any(check in BROKEN_SCHEMA for _, check in self.flagged)
        return "held" if broken or share >= use_case.severity.critical_share else "warned"


def recheck(days: Iterable[PastDay], limits: Any, baseline: Any) -> list[Checked]:
    """Check each day by a constraints.json and the baseline's statistics.json.

    Raises:
        AnalyzerError: a file is not what it should be; the message names it.
    """
    parsed = constraints.parse(limits, "constraints.json")
    before = statistics.parse(baseline, "the baseline's statistics.json")
    return [_checked(day, parsed, before) for day in days]


def _checked(day: PastDay, limits: constraints.Constraints, before: statistics.BaselineStatistics) -> Checked:
    today = statistics.parse(day.statistics, f"statistics.json of {day.day}")
    by_name = {item["name"]: item for item in day.statistics["features"]}
    unknown: list[str] = []
    columns = []
    for name, found in today.features.items():
        limit = limits.features.get(name)
        types = _types(found, limit, day.recorded)
        if types is None or (limit and limit.domains and found.present and found.categories is None):
            unknown.append(name)
        columns.append(_column(found, by_name[name], types))
    flagged = checks.violations(Profile(today.item_count, columns), limits, before)
    unsure = {(name, check) for name in unknown for check in (TYPE_CHECK, "categorical_values_check")}
    pairs = {(item.feature_name, item.constraint_check_type) for item in flagged}
    return Checked(day.day, frozenset(pairs - unsure), len(columns), tuple(unknown))


def _types(
    found: statistics.BaselineFeature, limit: constraints.FeatureConstraint | None, recorded: list[dict[str, str]]
) -> TypeCounts | None:
    """Return how many values are of which type; None when the day's report does not tell it."""
    expected = limit.inferred_type if limit else UNKNOWN
    if expected in {UNKNOWN, STRING} or not found.present or limit is None:
        return _all(found.inferred_type, found.present)
    said = next(
        (
            OBSERVED.search(item["description"])
            for item in recorded
            if item["feature"] == found.name and item["check"] == TYPE_CHECK
        ),
        None,
    )
    if said is not None:
        matching = round(float(said[1]) / 100 * found.present)
        counts = _all(expected, matching)
        counts.add(found.inferred_type if found.inferred_type != expected else STRING, found.present - matching)
        return counts
    fits = found.inferred_type == expected or (expected in NUMERIC and found.inferred_type == "Integral")
    return _all(found.inferred_type, found.present) if fits else None


def _all(kind: str, count: int) -> TypeCounts:
    counts = TypeCounts()
    if count:
        counts.add(STRING if kind == UNKNOWN else kind, count)
    return counts


def _column(found: statistics.BaselineFeature, document: Any, types: TypeCounts | None) -> ColumnProfile:
    body = document.get("numerical_statistics") or document.get("string_statistics") or {}
    distinct = int(body.get("approximate_num_distinct_values", body.get("distinct_count", 0)))
    numeric = None
    if found.levels is not None and found.minimum is not None and found.maximum is not None:
        numeric = NumericSummary(
            found.present, 0.0, found.mean or 0.0, found.std_dev or 0.0, found.minimum, found.maximum, found.levels
        )
    return ColumnProfile(
        found.name,
        found.missing,
        types if types is not None else _all(found.inferred_type, found.present),
        distinct,
        numeric=numeric,
        categories=found.categories or {},
        categories_complete=found.categories is not None,
    )
