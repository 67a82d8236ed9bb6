"""Section `quality`: where labels arrive, and when the model counts as worse than its baseline."""

from typing import Literal

from pydantic import Field, field_validator

from sagemaker_batch.use_case.data import prefix_with
from sagemaker_batch.use_case.section import ColumnName, Section

# What a drop can be told by; of AWS's model quality metrics.
QUALITY_METRICS = {
    "binary_classification": ("accuracy", "auc", "f1", "precision", "recall"),
    "regression": ("rmse", "mae", "r2"),
}
DEFAULT_METRICS: dict[str, tuple[str, ...]] = {
    "binary_classification": ("accuracy", "auc", "f1"),
    "regression": ("rmse", "r2"),
}


class Quality(Section):
    """Labels that arrive for past days, and what is made of them. Without this section there is no such DAG."""

    labels: str = Field(
        default="s3://{bucket}/{use_case}/ground_truth/dt={day}/",
        description="Prefix of one day's labels (CSV files with header); {bucket}, {use_case} and {day} are filled in.",
    )
    record_id: ColumnName | None = Field(
        default=None, description="Column of the label files that holds the record id; default: data.record_id."
    )
    label: ColumnName | None = Field(
        default=None, description="Column of the label files that holds the outcome; default: data.label.name."
    )
    metrics: list[Literal["accuracy", "auc", "f1", "precision", "recall", "rmse", "mae", "r2"]] | None = Field(
        default=None,
        min_length=1,
        description="Metrics of which one below its bound means that quality has dropped; default: accuracy, auc and "
        "f1, for a regression rmse and r2.",
    )
    tolerance: float = Field(
        default=0.05, ge=0, lt=1, description="Share of the baseline's value by which a metric may be worse."
    )
    sigmas: float = Field(
        default=3.0, ge=0, le=10, description="Standard errors of the difference that are put down to chance on top."
    )
    minimum_rows: int = Field(default=50, ge=1, description="Usable labels below which a day is not judged.")
    minimum_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of a day's predictions below which its labels are too few to judge."
    )
    window_days: int = Field(default=28, ge=2, le=366, description="Days that the rolling figures look back.")
    look_back_days: int = Field(
        default=60, ge=1, le=366, description="How far back scheduled runs look for labels; a backfill goes farther."
    )

    @field_validator("labels")
    @classmethod
    def _a_prefix_of_a_day(cls, value: str) -> str:
        prefix_with(value)
        if value.count("{day}") != 1:
            raise ValueError("labels needs {day} once; without it every day would be judged by the same labels")
        return value
