"""Sections `monitor` and `severity`: who checks the day's data, and when a violation is critical."""

from typing import Literal

from pydantic import Field

from sagemaker_batch.use_case.section import Section


class MonitorOverrides(Section):
    """What the analyzer lets a use case change."""

    categorical_drift_method: Literal["LInfinity", "ChiSquared"] | None = Field(
        default=None, description="How drift of categories is measured."
    )


class Monitor(Section):
    """Who checks the day's data."""

    engine: Literal["managed", "bundled"] = Field(
        default="managed", description="AWS's analyzer in check steps, or our own in a processing step; same reports."
    )
    overrides: MonitorOverrides = Field(default_factory=MonitorOverrides)


class DriftThresholds(Section):
    """When drift_report.json flags a feature; with report: drift_report only."""

    significance: float = Field(
        default=0.001, gt=0, lt=1, description="A feature has moved when so large a distance is less likely by chance."
    )
    distance: float = Field(default=0.05, ge=0, le=1, description="And when its distance is larger than this.")
    nulls: float = Field(
        default=0.01, ge=0, le=1, description="Share of missing values that may come on top of the baseline's."
    )
    unknown: float = Field(
        default=0.005, ge=0, le=1, description="Share of values that may be in categories the baseline does not have."
    )


class Severity(Section):
    """When a violation is critical."""

    critical_share: float = Field(
        default=0.3, gt=0, le=1, description="Share of the monitored features at which violations hold the day."
    )
    report: Literal["violations", "drift_report"] = Field(
        default="violations",
        description="Report that decides: Model Monitor's violations, or drift_report.json, which the bundled engine "
        "writes. A broken schema is decided by the violations either way.",
    )
    drift: DriftThresholds = Field(default_factory=DriftThresholds)
