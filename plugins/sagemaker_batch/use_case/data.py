"""Section `data`: where the data lies, what its columns mean, when a day is complete."""

import re

from pydantic import Field, field_validator, model_validator

from sagemaker_batch.use_case.section import ColumnName, Section

PLACEHOLDERS = {"bucket", "use_case", "day"}


def prefix_with(value: str) -> str:
    """Return a prefix with placeholders as it is.

    Raises:
        ValueError: it is no prefix, or has a placeholder that nothing fills in.
    """
    unknown = set(re.findall(r"{([^{}]*)}", value)) - PLACEHOLDERS
    if unknown:
        raise ValueError(f"unknown placeholder {{{min(unknown)}}}; known are {{bucket}}, {{use_case}} and {{day}}")
    if not re.fullmatch(r"s3://[^/]+/.*/", value):
        raise ValueError("expected a prefix s3://<bucket>/<path>/ with the closing slash")
    return value


class Label(Section):
    """The column a model learns to predict."""

    name: ColumnName = Field(description="Column of the training data that holds the outcome.")
    positive: str | None = Field(
        default=None,
        description="Text of that column that means yes; every other text means no. A regression has none.",
    )


class Ready(Section):
    """When a day's input is complete: a marker object, or files plus a quiet period."""

    success_object: str | None = Field(
        default=None, min_length=1, description="Object that the sender writes last, such as _SUCCESS."
    )
    files: list[str] | None = Field(
        default=None, min_length=1, description="Patterns of file names, each of which must match at least one object."
    )
    quiet_seconds: int = Field(
        default=0,
        ge=0,
        description="With files: how long nothing may have changed before the day is complete.",
    )
    deadline_minutes: int = Field(
        default=360, ge=1, description="How long a scheduled run waits after the day has ended; backfills do not wait."
    )

    @model_validator(mode="after")
    def _one_rule(self) -> "Ready":
        if (self.success_object is None) == (self.files is None):
            raise ValueError("say either success_object or files, not both and not neither")
        if self.success_object is not None and self.quiet_seconds:
            raise ValueError("quiet_seconds goes with files; with success_object the marker alone decides")
        return self


class Data(Section):
    """Where the data lies and what its columns mean."""

    input: str = Field(
        default="s3://{bucket}/{use_case}/input/dt={day}/",
        description="Prefix of one day's files; {bucket}, {use_case} and {day} are filled in.",
    )
    training_input: str = Field(
        default="s3://{bucket}/{use_case}/training/input/",
        description="Prefix of the training data set; {bucket} and {use_case} are filled in.",
    )
    record_id: ColumnName = Field(description="Column that identifies a record; unique within a day, never a feature.")
    label: Label
    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="One character between the cells of a line."
    )
    categorical: list[ColumnName] = Field(
        default_factory=list, description="Columns that look like numbers and are names, such as an area code."
    )
    ignore: list[ColumnName] = Field(
        default_factory=list,
        description="Columns that arrive and are neither monitored nor features, such as free text.",
    )
    sensitive: list[ColumnName] = Field(
        default_factory=list, description="Columns whose values must not appear in alerts, pages and reports."
    )
    ready: Ready

    @field_validator("input", "training_input")
    @classmethod
    def _a_prefix(cls, value: str) -> str:
        return prefix_with(value)

    @model_validator(mode="after")
    def _columns_and_day(self) -> "Data":
        if "{day}" not in self.input:
            raise ValueError("input needs {day}; without it every day would score the same files")
        if "{day}" in self.training_input:
            raise ValueError("training_input is one data set; {day} has no meaning there")
        if self.record_id == self.label.name:
            raise ValueError(f"record_id and label.name are both {self.record_id!r}; they must differ")
        for name in (self.record_id, self.label.name):
            if name in (*self.categorical, *self.ignore):
                raise ValueError(f"{name!r} is record_id or label and cannot also stand in categorical or ignore")
        return self
