"""The built-in XGBoost algorithm in training: ``python -m sagemaker_local.runtimes.xgboost_training --ml /opt/ml``.

By the contract of AWS's container: hyperparameters as text; channels ``train`` and, optionally, ``validation``; one
line of metrics a round; ``model/xgboost-model``, the booster as JSON, which every version of XGBoost loads from a file
or from bytes. What is the person's mistake goes to ``output/failure`` with exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_local.runtimes import failure, hyperparameters, training_data
from sagemaker_local.runtimes.failure import UserError
from sagemaker_local.runtimes.hyperparameters import MAXIMIZED, Settings
from sagemaker_local.runtimes.lean import import_xgboost
from sagemaker_local.runtimes.training_data import Channel

MODEL = "xgboost-model"
_CHANNELS = ("train", "validation")


def main() -> int:
    """Train, and return the exit code."""
    parser = argparse.ArgumentParser(description="The built-in XGBoost algorithm in training.")
    parser.add_argument("--ml", type=Path, default=Path("/opt/ml"), help="what the job sees as /opt/ml")
    return failure.run(parser.parse_args().ml, train)


def train(ml: Path) -> None:
    """Train as the files below `ml` ask for, and leave the model there.

    Raises:
        UserError: hyperparameters or data are wrong.
    """
    settings = hyperparameters.check(_json(ml / "input/config/hyperparameters.json"))
    for name in settings.ignored:
        _say(f"Hyperparameter {name} has no effect in this version of XGBoost.")
    hosts = len(_json(ml / "input/config/resourceconfig.json")["hosts"])
    if hosts > 1 and settings.parameters.get("tree_method") == "exact":
        raise UserError(
            f"tree_method exact does not train on {hosts} instances: XGBoost distributes approx and hist only. Set "
            "one of these, or InstanceCount 1."
        )
    channels = _channels(ml, settings)
    _replicate(channels[0], ml, hosts)
    for channel in channels:
        check_labels(channel, settings)
    xgboost = import_xgboost()
    try:
        matrices = [(_matrix(xgboost, channel), channel.name) for channel in channels]
        for matrix, name in matrices:
            _say(f"{name.capitalize()} matrix has {matrix.num_row()} rows and {matrix.num_col()} columns")
        booster = _fit(xgboost, settings, matrices)
    except xgboost.core.XGBoostError as error:
        # The first line says it; the rest is a C++ stack trace, which belongs into the log.
        print(error, file=sys.stderr, flush=True)
        message = str(error).strip().splitlines()[0]
        raise UserError(f"XGB train call failed with exception: {message}. See the job's log for more.") from error
    save(booster, ml / "model")


def _replicate(channel: Channel, ml: Path, hosts: int) -> None:
    """Have each row of a channel that every instance has whole count as often as there are instances.

    So it does when XGBoost adds up the gradients of all hosts; of a sharded channel the sum is that of its rows.
    """
    config = _json(ml / "input/config/inputdataconfig.json")[channel.name]
    if hosts == 1 or config.get("S3DistributionType") == "ShardedByS3Key":
        return
    _say(
        f"Each row of the channel {channel.name} counts {hosts} times: it is FullyReplicated to {hosts} instances. Use "
        "ShardedByS3Key to divide its objects among them."
    )
    weights = np.ones(channel.rows, np.float32) if channel.weights is None else channel.weights
    channel.weights = weights * np.float32(hosts)


def save(booster: Any, directory: Path) -> None:
    """Write the model whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    partial = directory.parent / f".{MODEL}.partial"
    partial.write_bytes(booster.save_raw("json"))
    partial.replace(directory / MODEL)


def check_labels(channel: Channel, settings: Settings) -> None:
    """Check that the labels suit the objective.

    Raises:
        UserError: one does not; with the file and the row.
    """
    labels, objective = channel.labels, settings.objective
    _refuse(
        channel, ~np.isfinite(labels), "is missing or no finite number; every row needs a label, in the first column"
    )
    if objective in {"binary:logistic", "binary:logitraw", "reg:logistic"}:
        wrong = (labels < 0) | (labels > 1)
        _refuse(channel, wrong, f"is out of range: label must be in [0,1] for logistic regression ({objective})")
    elif objective == "binary:hinge":
        _refuse(channel, (labels != 0) & (labels != 1), "is out of range: label must be 0 or 1 for binary:hinge")
    elif objective.startswith("multi:") and settings.classes is not None:
        wrong = (labels < 0) | (labels >= settings.classes) | (labels != np.floor(labels))
        _refuse(
            channel,
            wrong,
            f"is out of range: label must be an integer in [0, num_class), num_class = {settings.classes}",
        )
    elif objective in {"count:poisson", "reg:tweedie", "rank:ndcg", "rank:map", "rank:pairwise"}:
        _refuse(channel, labels < 0, f"is out of range: label must be nonnegative for {objective}")
    elif objective == "reg:gamma":
        _refuse(channel, labels <= 0, "is out of range: label must be positive for reg:gamma")
    elif objective == "reg:squaredlogerror":
        _refuse(channel, labels <= -1, "is out of range: label must be greater than -1 for reg:squaredlogerror")
    if channel.weights is not None:
        _refuse(channel, ~(channel.weights >= 0), "has a weight that is missing or negative")
    if objective.startswith("rank:") and channel.groups is None:
        raise UserError(
            f"Objective {objective} ranks within groups, and the channel '{channel.name}' has none. Use libsvm lines "
            "with a query id (label qid:7 0:1.5 ...) and ContentType text/libsvm."
        )
    if channel.groups is not None and np.any(np.diff(channel.groups) < 0):
        raise UserError(f"Channel '{channel.name}': lines of one qid must stand together, in ascending order of qid.")


def _refuse(channel: Channel, wrong: np.ndarray, problem: str) -> None:
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    others = int(wrong.sum()) - 1
    more = f" ({others} more rows likewise)" if others else ""
    raise UserError(f"{channel.locate(row)}: the label {channel.labels[row]:g} {problem}.{more}")


def _channels(ml: Path, settings: Settings) -> list[Channel]:
    config = _json(ml / "input/config/inputdataconfig.json")
    if "train" not in config:
        raise UserError(
            f"Missing required channel: train. The job has: {', '.join(sorted(config)) or 'none'}. Add one whose "
            "ChannelName is train to InputDataConfig."
        )
    for name in sorted(set(config) - set(_CHANNELS)):
        _say(f"The channel {name} is not used: the algorithm knows {' and '.join(_CHANNELS)}.")
    found = [
        training_data.read(ml / "input/data" / name, name, config[name], weights=settings.csv_weights)
        for name in _CHANNELS
        if name in config
    ]
    first, last = found[0], found[-1]
    sparse = not isinstance(first.features, np.ndarray)
    if sparse != (not isinstance(last.features, np.ndarray)):
        raise UserError("The channels train and validation have different content types; give both the same.")
    if first.columns != last.columns:
        if not sparse:
            raise UserError(
                f"The validation data has {last.columns} features, the train data {first.columns}; both need the same "
                "columns, label first."
            )
        # libsvm leaves zeros out: the widest row decides how many features there are.
        width = max(first.columns, last.columns)
        for channel in found:
            channel.features.resize((channel.rows, width))
    return found


def _matrix(xgboost: Any, channel: Channel) -> Any:
    return xgboost.DMatrix(channel.features, label=channel.labels, weight=channel.weights, qid=channel.groups)


def _fit(xgboost: Any, settings: Settings, matrices: list[tuple[Any, str]]) -> Any:
    callbacks = [_log(xgboost)]
    if settings.early_stopping is not None:
        if len(matrices) == 1:
            _say("early_stopping_rounds has no effect without the channel validation.")
        else:
            callbacks.append(_stopper(xgboost, settings))
    parameters = {**settings.parameters, **({"eval_metric": settings.metrics} if settings.metrics else {})}
    return xgboost.train(
        parameters,
        matrices[0][0],
        num_boost_round=settings.rounds,
        evals=matrices,
        callbacks=callbacks,
        verbose_eval=False,
    )


def _stopper(xgboost: Any, settings: Settings) -> Any:
    """Watch the last metric of the validation data; keep the best round's model, as the container does."""
    metric = settings.metrics[-1] if settings.metrics else None
    return xgboost.callback.EarlyStopping(
        rounds=settings.early_stopping,
        data_name="validation",
        metric_name=metric,
        maximize=None if metric is None else metric.partition("@")[0] in MAXIMIZED,
        save_best=settings.parameters.get("booster") != "gblinear",  # a linear model has no rounds to cut off
    )


def _log(xgboost: Any) -> Any:
    class Lines(xgboost.callback.TrainingCallback):
        """``[39]#011train-auc:1.00000#011validation-auc:0.99983``: a tab as it stands in CloudWatch Logs."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            del model
            values = [
                f"{data}-{metric}:{_last(history):.5f}"
                for data, metrics in evals_log.items()
                for metric, history in metrics.items()
            ]
            print("#011".join([f"[{epoch}]", *values]), flush=True)
            return False

    return Lines()


def _last(history: Any) -> float:
    return float(history[-1])


def _json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def _say(text: str) -> None:
    print(f"[INFO] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
