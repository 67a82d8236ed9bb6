"""Sections `monitor` and `severity`: who checks the day's data, by which limits, and when a violation is critical."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from sagemaker_batch.use_case.section import ColumnName, Section

Share = Annotated[float, Field(ge=0, le=1)]
Switch = Literal["Enabled", "Disabled"]


class Limits(Section):
    """What can be set for all features and for one; names and values are those of Model Monitor's constraints.json."""

    # Never made itself: what checks one is built only for those who take it up, below.
    model_config = ConfigDict(defer_build=True)

    evaluate_constraints: Switch | None = Field(default=None, description="Whether anything is checked.")
    perform_comparison: Switch | None = Field(
        default=None, description="Whether the distribution is compared with the baseline's."
    )
    comparison_threshold: Share | None = Field(
        default=None, description="Distance of two distributions of numbers above which it is drift; suggested: 0.1."
    )
    comparison_method: Literal["Robust", "Simple"] | None = Field(
        default=None, description="Robust corrects the distance for small samples, Simple takes it as it is."
    )
    categorical_comparison_threshold: Share | None = Field(
        default=None,
        description="The same of categories; with ChiSquared the p-value below which it is drift; suggested: 0.1.",
    )
    categorical_drift_method: Literal["LInfinity", "ChiSquared"] | None = Field(
        default=None, description="How drift of categories is measured."
    )
    datatype_check_threshold: Share | None = Field(
        default=None, description="Share of the values that must have the baseline's type; suggested: 1."
    )
    domain_content_threshold: Share | None = Field(
        default=None, description="Share of the values that must be in the domain; suggested: 1."
    )

    def given(self) -> dict[str, Any]:
        """Return what is set, by key."""
        return self.model_dump(exclude_none=True)


class FeatureOverrides(Limits):
    """What is set for one feature; it wins over what is set for all."""

    model_config = ConfigDict(defer_build=False)

    completeness: Share | None = Field(
        default=None, description="Share of the rows that must have a value; suggested: the baseline's."
    )
    domains: list[str] | None = Field(
        default=None, min_length=1, description="The allowed values of a category, in place of the baseline's."
    )
    domains_added: list[str] | None = Field(
        default=None, min_length=1, description="Values that are allowed beside the baseline's."
    )

    @model_validator(mode="after")
    def _one_domain(self) -> "FeatureOverrides":
        if self.domains and self.domains_added:
            raise ValueError("say either domains (in place of the baseline's) or domains_added (beside them)")
        return self


class MonitorOverrides(Limits):
    """What people change of the constraints that the baseline suggests; `make constraints` shows what it does."""

    model_config = ConfigDict(defer_build=False)

    features: dict[ColumnName, FeatureOverrides] = Field(
        default_factory=dict, description="By column: the same keys, and those of one feature alone."
    )


class Monitor(Section):
    """Who checks the day's data, and by which limits."""

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
