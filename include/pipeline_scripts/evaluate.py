"""EvaluateModel: how good the trained model is on rows that it never saw.

Writes evaluation.json (SageMaker's model metrics, which the pipeline's condition and the registry read) and
predictions.csv (the data set of the model-quality baseline).
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from tabular.booster import xgboost
from tabular.job import InputError, run
from tabular.metrics import regression_report, report
from tabular.schema import REGRESSION, FeatureSchema, read_schema

MODEL_MEMBER = "xgboost-model"
THRESHOLD = 0.5


def load_model(archive: Path) -> xgboost.Booster:
    """Read the booster out of model.tar.gz in memory; nothing of the archive is ever unpacked to disk.

    Raises:
        InputError: the archive holds no model of XGBoost's.
    """
    try:
        with tarfile.open(archive) as tar:
            member = next((item for item in tar if item.isfile() and Path(item.name).name == MODEL_MEMBER), None)
            stream = tar.extractfile(member) if member else None
            if stream is None:
                raise InputError(f"{archive.name} holds no {MODEL_MEMBER}. The training job did not write a model.")
            booster = xgboost.Booster()
            booster.load_model(bytearray(stream.read()))
    except (OSError, tarfile.TarError, xgboost.core.XGBoostError) as error:
        raise InputError(f"The model in {archive} cannot be read ({error}). Look at the training job's log.") from error
    return booster


def load_rows(path: Path, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) and features (n, columns) of a CSV file with the label first and no header.

    Raises:
        InputError: it is missing, or has another number of columns.
    """
    try:
        table = np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"The test rows in {path} cannot be read ({error}).") from error
    if table.shape[0] == 0 or table.shape[1] != columns + 1:
        raise InputError(
            f"{path.name} has {table.shape} rows and columns, the feature schema says {columns + 1} columns."
        )
    return table[:, 0], table[:, 1:]


def predict(booster: xgboost.Booster, features: np.ndarray) -> np.ndarray:
    """Return probabilities or numbers (n,), by the trees up to the best iteration, as the XGBoost image serves them."""
    best = booster.attr("best_iteration")
    rounds = (0, int(best) + 1) if best is not None else (0, 0)
    # inplace_predict would skip the check of the number of features.
    return booster.predict(xgboost.DMatrix(features, missing=np.nan), iteration_range=rounds)


def evaluate(given: argparse.Namespace) -> None:
    """Do the job; arguments as `main` declares them."""
    schema = read_schema(given.schema / "feature_schema.json")
    labels, features = load_rows(given.test / "test.csv", len(schema.to_json()["encoded"]))
    booster = load_model(given.model / "model.tar.gz")
    scores = predict(booster, features)
    given.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(evaluation(schema, labels, scores), indent=1)
    (given.output / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    importance = json.dumps(feature_importance(schema, booster), indent=1, ensure_ascii=False)
    (given.output / "feature_importance.json").write_text(importance + "\n", encoding="utf-8")
    with (given.output / "predictions.csv").open("w", encoding="utf-8") as stream:
        stream.write("prediction,label\n" if schema.problem == REGRESSION else "prediction,probability,label\n")
        for label, score in zip(labels, scores):  # noqa: B905 - Python 3.9 has no strict
            if schema.problem == REGRESSION:
                stream.write(f"{float(score)!r},{float(label)!r}\n")
            else:
                stream.write(f"{int(score >= THRESHOLD)},{float(score)!r},{int(label)}\n")
    print(text)


def feature_importance(schema: FeatureSchema, booster: xgboost.Booster) -> dict[str, Any]:
    """Return each feature's share of the trees' total gain; the columns of a category's values are summed up.

    A model that never splits has no gain: all shares are 0. The built-in algorithm knows no column names, so XGBoost
    calls the columns f0, f1, ... in the order of the schema's `encoded`.
    """
    owners = [feature.name for feature in schema.features for _ in feature.encoded()]
    gains = dict.fromkeys((feature.name for feature in schema.features), 0.0)
    for column, gain in booster.get_score(importance_type="total_gain").items():
        gains[owners[int(column.removeprefix("f"))]] += float(gain)
    total = sum(gains.values())
    return {
        "version": 1,
        "kind": "total_gain",
        "features": {name: gain / total if total else 0.0 for name, gain in gains.items()},
    }


def evaluation(schema: FeatureSchema, labels: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Return evaluation.json in the shape of docs/contracts/evaluation.schema.json."""
    metrics = regression_report(labels, scores) if schema.problem == REGRESSION else report(labels, scores)
    return {
        "version": 1,
        "dataset": {"item_count": len(labels), **schema.rows},
        f"{schema.problem}_metrics": metrics,
    }


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description="Evaluate the trained model on the test rows.")
    parser.add_argument("--model", type=Path, default=Path("/opt/ml/processing/input/model"))
    parser.add_argument("--test", type=Path, default=Path("/opt/ml/processing/input/test"))
    parser.add_argument("--schema", type=Path, default=Path("/opt/ml/processing/input/schema"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/evaluation"))
    parser.add_argument("--message", type=Path, default=Path("/opt/ml/output/message"))
    given = parser.parse_args(arguments)
    return run(lambda: evaluate(given), given.message)


if __name__ == "__main__":
    sys.exit(main())
