"""The whole file: every section of a use case."""

from datetime import date
from typing import Any, Literal

from pydantic import Field, model_validator

from sagemaker_batch.use_case.data import Data
from sagemaker_batch.use_case.model import METRICS, Model
from sagemaker_batch.use_case.monitor import Monitor, Severity
from sagemaker_batch.use_case.people import Alerts, Retraining, Review
from sagemaker_batch.use_case.quality import DEFAULT_METRICS, QUALITY_METRICS, Quality
from sagemaker_batch.use_case.schedule import Schedule
from sagemaker_batch.use_case.section import Section

NAME_PATTERN = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
NAME_LIMIT = 40


class UseCase(Section):
    """Everything that is particular to one model. The file's name is the use case's name."""

    name: str = Field(pattern=f"^{NAME_PATTERN}$", max_length=NAME_LIMIT)
    description: str = Field(default="", description="What the model is for, in a sentence.")
    owners: list[str] = Field(min_length=1, description="Who answers for it; shown by Airflow.")
    tags: list[str] = Field(default_factory=list, description="Tags of all DAGs of the use case.")
    retries: int = Field(default=2, ge=0, le=10, description="How often Airflow repeats a failed task.")
    retry_delay_seconds: int = Field(default=60, ge=0, description="Pause before a repeat.")
    data: Data
    schedule: Schedule = Field(default_factory=Schedule)
    model: Model = Field(default_factory=Model)
    monitor: Monitor = Field(default_factory=Monitor)
    severity: Severity = Field(default_factory=Severity)
    approval: Literal["manual", "airflow", "auto"] = Field(
        default="manual",
        description="Who approves a registered version: a person in SageMaker, a person in Airflow, or a rule "
        "(better than the version in use by review.margin; otherwise a person in Airflow).",
    )
    review: Review = Field(default_factory=Review)
    retraining: Retraining = Field(default_factory=Retraining)
    quality: Quality | None = Field(
        default=None,
        description="Judging the model by labels that arrive later; {} takes every default, absent: no such DAG.",
    )
    alerts: Alerts = Field(default_factory=Alerts)

    @model_validator(mode="after")
    def _a_label_of_the_problem(self) -> "UseCase":
        binary = self.model.problem == "binary_classification"
        if binary and self.data.label.positive is None:
            raise ValueError(
                "data.label.positive is missing: say which text means yes, or set model.problem: regression"
            )
        if not binary and self.data.label.positive is not None:
            raise ValueError("data.label.positive has no meaning for a regression, whose label is a number; remove it")
        known = METRICS[self.model.problem]
        if self.review.metric is not None and self.review.metric not in known:
            raise ValueError(f"review.metric is {self.review.metric!r}; known here are {', '.join(known)}")
        told = QUALITY_METRICS[self.model.problem]
        other = [name for name in (self.quality.metrics or [] if self.quality else []) if name not in told]
        if other:
            raise ValueError(f"quality.metrics has {other[0]!r}; known here are {', '.join(told)}")
        return self

    @property
    def quality_metrics(self) -> tuple[str, ...]:
        """Metrics of which one below its bound means that quality has dropped; none without labels."""
        if self.quality is None:
            return ()
        return tuple(self.quality.metrics or DEFAULT_METRICS[self.model.problem])

    def labels_uri(self, bucket: str, day: str) -> str:
        """Prefix of one day's labels, with the closing slash; `day` is an ISO date, or `{day}` to keep the place."""
        if self.quality is None:
            raise ValueError(f"{self.name} has no section `quality`, so no labels arrive for it")
        return self.quality.labels.format(bucket=bucket, use_case=self.name, day=day)

    def input_uri(self, bucket: str, day: date) -> str:
        """Prefix of one day's files, with the closing slash."""
        return self.data.input.format(bucket=bucket, use_case=self.name, day=day.isoformat())

    def training_input_uri(self, bucket: str) -> str:
        """Prefix of the training data set, with the closing slash."""
        return self.data.training_input.format(bucket=bucket, use_case=self.name)


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a use-case file, for editors: the name is the file's and no key."""
    schema = UseCase.model_json_schema()
    del schema["properties"]["name"]
    schema["required"].remove("name")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
