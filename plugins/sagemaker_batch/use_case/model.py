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


class Model(Section):
    """Which model scores, how good it must be, how it is trained."""

    policy: Literal["latest", "as_of", "published"] = Field(
        default="latest",
        description="Which scores: newest approved, newest approved by then, or the manifest's.",
    )
    accuracy_threshold: float = Field(
        default=0.6, ge=0, le=1, description="Below it a trained model is not registered."
    )
    hyperparameters: dict[str, str | int | float] = Field(
        default_factory=dict, description="Of SageMaker's built-in XGBoost; they replace the defaults one by one."
    )
    split: Split = Field(default_factory=Split)
    instances: Instances = Field(default_factory=Instances)
