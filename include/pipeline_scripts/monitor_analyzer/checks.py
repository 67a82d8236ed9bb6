"""The six checks of a monitoring run and the sentences in which the container reports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import distance
from .constraints import Constraints, FeatureConstraint
from .inference import NUMERIC, STRING, UNKNOWN
from .profile import ColumnProfile, Profile
from .statistics import BaselineFeature, BaselineStatistics, has_categories

# No real sample shows which name stands in feature_name when columns are missing or extra.
MISSING_COLUMNS, EXTRA_COLUMNS = "Missing columns", "Extra columns"


@dataclass(frozen=True)
class Violation:
    """One entry of constraint_violations.json."""

    feature_name: str
    constraint_check_type: str
    description: str

    def document(self) -> dict[str, str]:
        """Return the entry as it is written."""
        return dict(vars(self))


def percent(share: float) -> str:
    """Return a share as the container prints it: times 100 in double, shortest digits that read back."""
    return f"{share * 100!r}%"


def data_type(column: ColumnProfile, constraint: FeatureConstraint) -> Iterator[Violation]:
    """Yield a violation when too few of the present values have the expected type.

    Missing values do not count: a real run with a column at 95.7 % completeness reported its completeness alone.
    """
    if constraint.inferred_type == UNKNOWN or not column.present:
        return
    matching = column.types.matching(constraint.inferred_type) / column.present
    if matching < constraint.config.datatype_check_threshold:
        yield Violation(
            column.name,
            "data_type_check",
            f"Data type match requirement is not met. Expected data type: {constraint.inferred_type}, "
            f"Expected match: {percent(constraint.config.datatype_check_threshold)}. "
            f"Observed: Only {percent(matching)} of data is {constraint.inferred_type}.",
        )


def completeness(column: ColumnProfile, constraint: FeatureConstraint) -> Iterator[Violation]:
    """Yield a violation when more values are missing than the constraint allows."""
    if constraint.completeness is not None and column.completeness < constraint.completeness:
        yield Violation(
            column.name,
            "completeness_check",
            f"Data completeness requirement is not met. Expected: {percent(constraint.completeness)}. "
            f"Observed: Only {percent(column.completeness)}.",
        )


def categorical_values(column: ColumnProfile, constraint: FeatureConstraint) -> Iterator[Violation]:
    """Yield a violation when too few of the present values lie in the allowed domain.

    No real sample shows this sentence; the meaning is the documented one of domain_content_threshold. The values
    themselves are not repeated: they may be personal data.
    """
    if constraint.domains is None or not column.present:
        return
    known = sum(column.categories.get(value, 0) for value in set(constraint.domains)) / column.present
    if known < constraint.config.domain_content_threshold:
        yield Violation(
            column.name,
            "categorical_values_check",
            "Domain content requirement is not met. "
            f"Expected match: {percent(constraint.config.domain_content_threshold)}. "
            f"Observed: Only {percent(known)} of data is in the domain of the baseline constraints.",
        )


def drift(
    column: ColumnProfile, constraint: FeatureConstraint, baseline: BaselineFeature | None
) -> Iterator[Violation]:
    """Yield a violation when the distribution has moved further than the threshold.

    Only columns that have the baseline's kind (number or category) on both sides can be compared; a change of kind is
    the data type check's to report.
    """
    config = constraint.config
    if config.perform_comparison != "Enabled" or baseline is None or not column.present:
        return
    if column.numeric and baseline.inferred_type in NUMERIC and baseline.levels and any(baseline.levels):
        apart = distance.numerical(column.numeric.levels, baseline.levels, config.comparison_method)
        threshold = config.comparison_threshold
        if apart > threshold:
            yield _drifted(column.name, apart, threshold)
    elif column.inferred_type == STRING and baseline.categories and has_categories(column):
        yield from _categorical_drift(column.name, column.categories, baseline.categories, constraint)


def _categorical_drift(
    name: str, today: dict[str, int], baseline: dict[str, int], constraint: FeatureConstraint
) -> Iterator[Violation]:
    config = constraint.config
    threshold = config.categorical_comparison_threshold
    if config.categorical_drift_method == "LInfinity":
        apart = distance.categorical(today, baseline, config.comparison_method)
        if apart > threshold:
            yield _drifted(name, apart, threshold)
        return
    # How the container compares a p-value with the threshold is not known; the documented test rejects below it.
    result = distance.chi_squared(today, baseline)
    if result is not None and result[1] < threshold:
        yield Violation(
            name, "baseline_drift_check", f"Baseline drift p-value: {result[1]!r} is below threshold: {threshold!r}"
        )


def _drifted(name: str, apart: float, threshold: float) -> Violation:
    return Violation(
        name, "baseline_drift_check", f"Baseline drift distance: {apart!r} exceeds threshold: {threshold!r}"
    )


def columns(profile: Profile, constraints: Constraints) -> Iterator[Violation]:
    """Yield the violations of missing and of extra columns, by name.

    The container counts columns; comparing names also finds a renamed one. Only the middle of the sentence is known
    from real output; the names at its end are ours.
    """
    names = {column.name for column in profile.columns}
    counts = (
        f"Number of columns in current dataset: {len(profile.columns)}, "
        f"Number of columns in baseline constraints: {len(constraints.features)}"
    )
    missing = [name for name in constraints.features if name not in names]
    extra = [column.name for column in profile.columns if column.name not in constraints.features]
    if missing:
        yield Violation(
            MISSING_COLUMNS,
            "missing_column_check",
            f"There are missing columns in current dataset. {counts}. Missing: {', '.join(missing)}.",
        )
    if extra:
        yield Violation(
            EXTRA_COLUMNS,
            "extra_column_check",
            f"There are extra columns in current dataset. {counts}. Extra: {', '.join(extra)}.",
        )


def violations(profile: Profile, constraints: Constraints, baseline: BaselineStatistics | None) -> list[Violation]:
    """Return every violation of today's profile against the constraints and, if given, the baseline's statistics."""
    if constraints.config.evaluate_constraints != "Enabled":
        return []
    found = list(columns(profile, constraints))
    for column in profile.columns:
        constraint = constraints.features.get(column.name)
        if constraint is None or constraint.config.evaluate_constraints != "Enabled":
            continue
        found += data_type(column, constraint)
        found += completeness(column, constraint)
        found += categorical_values(column, constraint)
        found += drift(column, constraint, baseline.features.get(column.name) if baseline else None)
    return found
