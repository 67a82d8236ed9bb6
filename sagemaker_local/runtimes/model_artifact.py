"""The model of a batch transform: ``xgboost-model`` out of a model.tar.gz, and what it predicts."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_local.runtimes.failure import UserError
from sagemaker_local.runtimes.lean import import_xgboost

NAME = "xgboost-model"
_SCRIPT = (
    "[INFO] The archive's code/inference.py is not run: the model's Environment names no SAGEMAKER_PROGRAM, and the "
    "XGBoost container then predicts by itself."
)


class Model:
    """A booster that is ready to predict.

    Attributes:
        features: how many it was trained with.
    """

    def __init__(self, archive: Path) -> None:
        """Load ``xgboost-model`` of a model.tar.gz, without unpacking anything else of it.

        Raises:
            UserError: there is none, or it is no XGBoost model.
        """
        xgboost = import_xgboost()
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(_member(archive)))
        except xgboost.core.XGBoostError as error:
            raise UserError(
                f"Unable to load model: {NAME} is not in XGBoost's own format ({str(error).splitlines()[0]}). Save it "
                "with Booster.save_model, not with pickle."
            ) from error
        self._xgboost = xgboost
        self._booster = booster
        self.features: int = booster.num_features()
        learner = json.loads(booster.save_config())["learner"]
        self._linear = learner["gradient_booster"]["name"] == "gblinear"
        best = booster.attr("best_iteration")
        self._range = (0, int(best) + 1) if best is not None and not self._linear else (0, 0)

    def predict(self, matrix: np.ndarray, where: str) -> np.ndarray:
        """Return the predictions of a float32 matrix in which NaN is a missing value, one (or one row) per record.

        Raises:
            UserError: another number of features than the model was trained with.
        """
        if matrix.shape[1] != self.features:
            raise shape_mismatch(where, self.features, matrix.shape[1])
        if self._linear:  # there is no in-place prediction of linear models
            scores = self._booster.predict(self._xgboost.DMatrix(matrix))
        else:
            scores = self._booster.inplace_predict(
                matrix, iteration_range=self._range, missing=np.nan, validate_features=False
            )
        found: np.ndarray = np.asarray(scores)
        if len(found) != len(matrix):
            raise UserError(f"{where}: the model returned {len(found)} predictions for {len(matrix)} records.")
        return found


def _member(archive: Path) -> bytes:
    if not archive.exists():
        raise UserError("The model has no ModelDataUrl; name the model.tar.gz of a training job in CreateModel.")
    try:
        with tarfile.open(archive, "r:*") as tar:
            listed = [member for member in tar if member.isfile()]
            members = [member for member in listed if Path(member.name).name == NAME]
            if any(Path(member.name).parts[-2:] == ("code", "inference.py") for member in listed):
                print(_SCRIPT, flush=True)
            source = tar.extractfile(members[0]) if len(members) == 1 else None
            if source is not None:
                return source.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(f"Unable to load model: the artifact is no readable tar.gz ({error}).") from error
    raise UserError(
        f"Unable to load model: the artifact holds {len(members)} files named {NAME}, and exactly one is needed."
    )


def shape_mismatch(where: str, expected: int, got: int) -> UserError:
    """Return the error for another number of features than the model was trained with; it begins as the container's."""
    return UserError(
        f"{where}: Unable to evaluate payload provided: Feature shape mismatch, expected: {expected}, got {got}. What "
        "InputFilter leaves of a record must be the features of the training data, in their order, without the label."
    )


def texts(scores: np.ndarray) -> list[str]:
    """Return each prediction as the container writes it: the shortest text of the number as a double, or a list."""
    plain: list[Any] = scores.tolist()
    return [str(score) for score in plain]
