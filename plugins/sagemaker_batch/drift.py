"""drift_report.json as findings: which features have moved, by a use case's own thresholds.

The report is the bundled analyzer's; its distances weigh every value, where Model Monitor's own distance is nearly
blind for columns of few distinct values. What the rule finds and misses is measured in docs/performance.md.
"""

from collections.abc import Iterator
from typing import Any

from sagemaker_batch.errors import MonitorError
from sagemaker_batch.use_case.monitor import DriftThresholds
from sagemaker_batch.violations import DRIFT, Violation

REPORT = "drift_report.json"


def findings(report: Any, thresholds: DriftThresholds, where: str) -> list[Violation]:
    """Return what the report flags, worst kind first, then by feature.

    Raises:
        MonitorError: it is no drift report.
    """
    try:
        return [item for check in (_moved, _nulls, _unknown) for item in _all(report, check, thresholds)]
    except (KeyError, TypeError, AttributeError) as error:
        raise MonitorError(f"{where} is no drift report ({error!r}). Did the monitor finish writing?") from error


def _all(report: Any, check: Any, thresholds: DriftThresholds) -> Iterator[Violation]:
    for feature in sorted(report["features"], key=lambda item: str(item["name"])):
        yield from check(feature, thresholds)


def _moved(feature: Any, thresholds: DriftThresholds) -> Iterator[Violation]:
    test, size = feature.get("ks"), feature.get("ks", {}).get("distance", 0.0)
    if test is None:
        test, size = feature.get("chi_squared"), feature.get("l_infinity", 0.0)
    if test is not None and test["p_value"] < thresholds.significance and size > thresholds.distance:
        yield Violation(
            feature["name"],
            DRIFT,
            f"{REPORT}: distance {size:.4g} (p-value {test['p_value']:.2g}) exceeds {thresholds.distance:g} "
            f"at significance {thresholds.significance:g}.",
        )


def _nulls(feature: Any, thresholds: DriftThresholds) -> Iterator[Violation]:
    before, now = (feature["null_share"][side] or 0.0 for side in ("baseline", "today"))
    if now - before > thresholds.nulls:
        yield Violation(
            feature["name"],
            "completeness_check",
            f"{REPORT}: {now:.2%} of the values are missing, {before:.2%} of the baseline's; "
            f"{thresholds.nulls:.2%} more are allowed.",
        )


def _unknown(feature: Any, thresholds: DriftThresholds) -> Iterator[Violation]:
    new = feature.get("new_category_count", 0)
    if new and feature["out_of_range_share"] > thresholds.unknown:
        yield Violation(
            feature["name"],
            "categorical_values_check",
            f"{REPORT}: {feature['out_of_range_share']:.2%} of the values are in categories that the baseline does not "
            f"have ({new} of them); {thresholds.unknown:.2%} are allowed.",
        )
