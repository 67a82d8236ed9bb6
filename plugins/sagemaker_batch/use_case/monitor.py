"""Sections `monitor` and `severity`: who checks the day's data, and when a violation is critical."""

from typing import Literal

from pydantic import Field, field_validator

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


class Severity(Section):
    """When a violation is critical."""

    critical_share: float = Field(
        default=0.3, gt=0, le=1, description="Share of the monitored features at which violations hold the day."
    )
    report: Literal["violations"] = Field(
        default="violations", description="Report that decides: Model Monitor's violations."
    )

    @field_validator("report", mode="before")
    @classmethod
    def _built(cls, value: object) -> object:
        if value == "drift_report":
            raise ValueError("deciding by drift_report is not built yet; use violations")
        return value
