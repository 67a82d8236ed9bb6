"""Reading Model Monitor's reports: what is violated, how broadly, and what the figures were before and are today."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from sagemaker_batch.errors import MonitorError

# A report with one of these says that the columns are not those that the model knows.
BROKEN_SCHEMA = {"missing_column_check", "extra_column_check", "data_type_check"}
DRIFT = "baseline_drift_check"
KNOWN = BROKEN_SCHEMA | {DRIFT, "completeness_check", "categorical_values_check"}
# Which kind is worst to a reader, first.
ORDER = (
    "missing_column_check",
    "extra_column_check",
    "data_type_check",
    DRIFT,
    "completeness_check",
    "categorical_values_check",
)
WITHHELD = "withheld: sensitive"


@dataclass(frozen=True)
class Violation:
    """One line of constraint_violations.json."""

    feature: str
    check: str
    description: str

    @property
    def breaks_schema(self) -> bool:
        """Whether columns or their types are not the baseline's."""
        return self.check in BROKEN_SCHEMA

    def as_dict(self) -> dict[str, str]:
        """Return it as records carry it."""
        return asdict(self)


@dataclass(frozen=True)
class TopFeature:
    """A violated feature as a person wants to see it: which checks, the baseline's figure and today's."""

    feature: str
    checks: list[str]
    baseline: str
    today: str
    description: str


def parse(report: Any, where: str) -> list[Violation]:
    """Return the violations of a report, worst kind first, then by feature.

    Raises:
        MonitorError: it is no violations report, or has a kind of check that this version does not know.
    """
    try:
        found = [
            Violation(str(item["feature_name"]), str(item["constraint_check_type"]), str(item["description"]))
            for item in report["violations"]
        ]
    except (KeyError, TypeError) as error:
        raise MonitorError(f"{where} is no violations report ({error!r}). Did the monitor finish writing?") from error
    unknown = sorted({item.check for item in found} - KNOWN)
    if unknown:
        raise MonitorError(
            f"{where} has the check {unknown[0]!r}, which this version does not know; known: {', '.join(ORDER)}. "
            "Judging it could publish a bad day: update the package."
        )
    return sorted(found, key=lambda item: (ORDER.index(item.check), item.feature))


def share(violations: Collection[Violation], monitored: int) -> float:
    """Return the share of monitored features that are violated (0-1).

    Raises:
        MonitorError: nothing was monitored.
    """
    if monitored < 1:
        raise MonitorError("The monitor's statistics name no feature, so nothing was monitored.")
    return min(1.0, len({item.feature for item in violations}) / monitored)


def top_features(
    violations: list[Violation], baseline: Any, today: Any, sensitive: Collection[str] = (), limit: int = 5
) -> list[TopFeature]:
    """Return the first violated features with both figures (of statistics.json's `features`).

    A sensitive feature keeps its name and loses its figures and values.
    """
    before, now = _by_name(baseline), _by_name(today)
    checks: dict[str, list[Violation]] = {}
    for item in violations:
        checks.setdefault(item.feature, []).append(item)
    found = []
    for feature, items in list(checks.items())[:limit]:
        hidden = feature in sensitive
        kinds = [item.check for item in items]
        found.append(
            TopFeature(
                feature=feature,
                checks=kinds,
                baseline=WITHHELD if hidden else _figure(before.get(feature), kinds[0]),
                today=WITHHELD if hidden else _figure(now.get(feature), kinds[0]),
                description=WITHHELD if hidden else items[0].description,
            )
        )
    return found


def _by_name(statistics: Any) -> dict[str, Any]:
    return {item["name"]: item for item in (statistics or {}).get("features", [])}


def _figure(feature: Any, check: str) -> str:  # noqa: PLR0911 - one answer a kind of check
    if feature is None:
        return "no such column"
    numbers, texts = feature.get("numerical_statistics"), feature.get("string_statistics")
    common = (numbers or texts or {}).get("common", {})
    present, missing = common.get("num_present", 0), common.get("num_missing", 0)
    if check == "completeness_check":
        return f"{present / (present + missing):.1%} present" if present + missing else "no row"
    if check == "data_type_check":
        return f"type {feature.get('inferred_type', 'Unknown')}"
    if numbers and "mean" in numbers:
        return f"mean {numbers['mean']:.4g}, standard deviation {numbers.get('std_dev', 0.0):.4g}"
    buckets = ((texts or {}).get("distribution") or {}).get("categorical", {}).get("buckets", [])
    if buckets:
        total = sum(item["count"] for item in buckets) or 1
        most = sorted(buckets, key=lambda item: (-item["count"], item["value"]))[:3]
        return ", ".join(f"{item['value']} {item['count'] / total:.0%}" for item in most)
    if texts:
        return f"{texts.get('distinct_count', 0):.0f} distinct values"
    return f"type {feature.get('inferred_type', 'Unknown')}"
