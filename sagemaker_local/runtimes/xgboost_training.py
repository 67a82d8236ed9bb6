"""The built-in XGBoost algorithm in training: ``python -m sagemaker_local.runtimes.xgboost_training --ml /opt/ml``.

By the contract of AWS's container: channels ``train`` and (optional) ``validation`` of CSV files without header, label
in the first column, delimiter found by itself; hyperparameters as text; ``model/xgboost-model``; what is the person's
error goes to ``output/failure`` with exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xgboost
from xgboost.callback import EarlyStopping, TrainingCallback

from sagemaker_local.runtimes import xgboost_parameters
from sagemaker_local.runtimes.xgboost_parameters import MAXIMIZED, Hyperparameters, UserError

_CSV = ("text/csv", "csv")
_DELIMITERS = ",\t;| "
_SNIFFED = 64 * 1024


def main() -> int:
    """Train, and return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ml", type=Path, default=Path("/opt/ml"))
    ml: Path = parser.parse_args().ml
    try:
        train(ml)
    except UserError as error:
        return _fail(ml, str(error), 2)
    except (xgboost.core.XGBoostError, ValueError) as error:
        return _fail(ml, f"XGB train call failed with exception: {error}", 2)
    return 0


def _fail(ml: Path, message: str, code: int) -> int:
    print(f"[ERROR] {message}", flush=True)
    (ml / "output").mkdir(parents=True, exist_ok=True)
    (ml / "output" / "failure").write_text(message)
    return code


def train(ml: Path) -> None:
    """Train as the files below `ml` ask for and leave the model there.

    Raises:
        UserError: hyperparameters or data are wrong.
    """
    hyperparameters = xgboost_parameters.read(_json(ml / "input/config/hyperparameters.json"))
    channels = _json(ml / "input/config/inputdataconfig.json")
    for name in channels:
        if name not in {"train", "validation"}:
            print(f"[INFO] The channel {name} is not used; this algorithm knows train and validation.", flush=True)
    if "train" not in channels:
        raise UserError(f"Missing required channel: train. Given: {', '.join(sorted(channels)) or 'none'}.")
    training = load(ml / "input/data/train", channels["train"], "train", weights=hyperparameters.csv_weights)
    evaluated = [(training, "train")]
    if "validation" in channels:
        data = load(
            ml / "input/data/validation", channels["validation"], "validation", weights=hyperparameters.csv_weights
        )
        if data.num_col() != training.num_col():
            raise UserError(
                f"The validation data has {data.num_col()} features, the train data {training.num_col()}; "
                "both need the same columns, label first."
            )
        evaluated.append((data, "validation"))
    print(f"[INFO] Train matrix has {training.num_row()} rows and {training.num_col()} columns", flush=True)
    booster = fit(hyperparameters, evaluated)
    model = ml / "model"
    model.mkdir(parents=True, exist_ok=True)
    # Saved with a suffix, then renamed: newer versions choose the format by the suffix.
    booster.save_model(model / "model.json")
    (model / "model.json").rename(model / "xgboost-model")


def fit(hyperparameters: Hyperparameters, evaluated: list[tuple[xgboost.DMatrix, str]]) -> xgboost.Booster:
    """Return the trained booster; each round is one line of the log, as the container writes it."""
    parameters: list[tuple[str, Any]] = list(hyperparameters.booster.items())
    parameters += [("eval_metric", metric) for metric in hyperparameters.metrics]
    callbacks: list[TrainingCallback] = []
    names = [name for _, name in evaluated]
    if hyperparameters.early_stopping_rounds and "validation" in names and hyperparameters.metrics:
        metric = hyperparameters.metrics[-1]
        callbacks.append(
            EarlyStopping(
                rounds=hyperparameters.early_stopping_rounds,
                data_name="validation",
                metric_name=metric,
                maximize=metric.partition("@")[0] in MAXIMIZED,
                save_best=True,
            )
        )
    return xgboost.train(
        parameters,
        evaluated[0][0],
        num_boost_round=hyperparameters.num_round,
        evals=evaluated,
        callbacks=[_Lines(), *callbacks],
        verbose_eval=False,
    )


class _Lines(TrainingCallback):
    """``[39]#011train-auc:1.00000#011validation-auc:0.99983``: the tab is how it stands in CloudWatch Logs."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        del model
        values = [
            f"{data}-{metric}:{history[-1]:.5f}"
            for data, metrics in evals_log.items()
            for metric, history in metrics.items()
        ]
        print("#011".join([f"[{epoch}]", *values]), flush=True)
        return False


def load(directory: Path, channel: dict[str, str], name: str, *, weights: bool) -> xgboost.DMatrix:
    """Return the data of a channel.

    Raises:
        UserError: of another content type, empty, with a header or text in it, or of files with unequal columns.
    """
    content_type = channel.get("ContentType", "")
    if content_type.partition(";")[0].strip().lower() not in _CSV:
        raise UserError(
            f"The channel {name} has ContentType {content_type or '(none, which means text/libsvm)'!r}; "
            "the local runtime reads text/csv. Set ContentType: text/csv for it."
        )
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
    tables = [_table(path, name) for path in files if path.stat().st_size]
    if not tables:
        raise UserError(f"No data in the channel {name}: it holds {len(files)} files, all empty.")
    widths = {table.shape[1] for table in tables}
    if len(widths) > 1:
        raise UserError(f"The files of the channel {name} have different numbers of columns: {sorted(widths)}.")
    rows = np.concatenate(tables)
    first = 2 if weights else 1
    if rows.shape[1] <= first:
        raise UserError(f"The channel {name} has {rows.shape[1]} columns; label and at least one feature are needed.")
    if np.isnan(rows[:, 0]).any():
        raise UserError(f"The channel {name} has rows without a label (it stands in the first column).")
    return xgboost.DMatrix(rows[:, first:], label=rows[:, 0], weight=rows[:, 1] if weights else None)


def _table(path: Path, channel: str) -> np.ndarray:
    try:
        table = pl.read_csv(path, has_header=False, separator=_delimiter(path), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{path.name} of the channel {channel} is no CSV: {error}") from error
    columns = []
    for number, column in enumerate(table.iter_columns()):
        stripped = column.str.strip_chars()
        numbers = stripped.cast(pl.Float32, strict=False)
        wrong = stripped.filter(numbers.is_null() & stripped.is_not_null() & (stripped != ""))
        if len(wrong):
            raise UserError(
                f"{path.name} of the channel {channel} has text in column {number + 1}: {wrong[0]!r}. "
                "Training data is numeric and has no header line."
            )
        columns.append(numbers.to_numpy())
    return np.column_stack(columns).astype(np.float32)


def _delimiter(path: Path) -> str:
    with path.open(errors="replace", newline="") as file:
        line = file.readline(_SNIFFED)
    counts = {delimiter: line.count(delimiter) for delimiter in _DELIMITERS}
    return max(counts, key=lambda delimiter: counts[delimiter])


def _json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


if __name__ == "__main__":
    sys.exit(main())
