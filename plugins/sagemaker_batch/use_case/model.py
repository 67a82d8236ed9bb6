"""Section `model`: which version scores, how good it must be, how it is trained."""

from typing import Literal

from pydantic import Field, model_validator

from sagemaker_batch.use_case.section import Section


class Split(Section):
    """How training data is divided; the rest after validation and test trains."""

    validation: float = Field(default=0.2, gt=0, lt=1, description="Share of rows that stop the training early.")
    test: float = Field(default=0.1, gt=0, lt=1, description="Share of rows that the evaluation sees.")
    seed: int = Field(default=1729, ge=0, description="Seed of the shuffle.")

    @model_validator(mode="after")
    def _something_left(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together leave no row to train on")
        return self


class Instances(Section):
    """Instance types that replace the environment's."""

    processing: str | None = Field(
        default=None, pattern=r"^ml\..+", description="Of processing jobs and quality checks."
    )
    training: str | None = Field(default=None, pattern=r"^ml\..+", description="Of the training job.")
    transform: str | None = Field(default=None, pattern=r"^ml\..+", description="Of the batch transform.")


# What a threshold can be set on: of each, more is better, and 1 is perfect.
METRICS = {
    "binary_classification": ("accuracy", "auc", "precision", "recall", "f1"),
    "regression": ("r2",),
}


class Model(Section):
    """Which model scores, how good it must be, how it is trained."""

    problem: Literal["binary_classification", "regression"] = Field(
        default="binary_classification", description="What the label is: one of two texts, or a number."
    )
    metric: Literal["accuracy", "auc", "precision", "recall", "f1", "r2"] | None = Field(
        default=None,
        description="Figure of the evaluation that the threshold is set on; by default accuracy, for a regression r2.",
    )
    policy: Literal["latest", "as_of", "published"] = Field(
        default="latest",
        description="Which scores: newest approved, newest approved by then, or the manifest's.",
    )
    accuracy_threshold: float = Field(
        default=0.6, ge=0, le=1, description="Value of the metric below which a trained model is not registered."
    )
    hyperparameters: dict[str, str | int | float] = Field(
        default_factory=dict, description="Of SageMaker's built-in XGBoost; they replace the defaults one by one."
    )
    split: Split = Field(default_factory=Split)
    instances: Instances = Field(default_factory=Instances)

    @property
    def gate(self) -> str:
        """Name of the metric that the threshold is set on."""
        return self.metric or METRICS[self.problem][0]

    @property
    def metrics_section(self) -> str:
        """Name of the part of evaluation.json that holds the metrics."""
        return f"{self.problem}_metrics"

    @model_validator(mode="after")
    def _a_metric_of_the_problem(self) -> "Model":
        if self.gate not in METRICS[self.problem]:
            known = ", ".join(METRICS[self.problem])
            raise ValueError(f"{self.gate!r} is no metric of a {self.problem}; known are {known}")
        return self
