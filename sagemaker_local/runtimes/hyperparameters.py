"""The hyperparameters of the built-in XGBoost algorithm: all strings at the door, checked by name, type and range.

Names and ranges are those of https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost_hyperparameters.html; the texts of
errors begin as the algorithm's own do.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local.runtimes.failure import UserError


@dataclass(frozen=True)
class Interval:
    """Numbers between two ends; an end that is not `closed` does not belong."""

    low: float
    high: float = math.inf
    low_closed: bool = True
    high_closed: bool = True
    integer: bool = False

    def parse(self, text: str) -> int | float:
        """Return the number, whether or not it is in the range."""
        return int(text) if self.integer else float(text)

    def __contains__(self, value: float) -> bool:
        """Tell whether a number is in the range; NaN is in none."""
        above = value >= self.low if self.low_closed else value > self.low
        return above and (value <= self.high if self.high_closed else value < self.high)

    def __str__(self) -> str:
        """Return it as a mathematician writes it."""
        low = "(-inf" if self.low == -math.inf else f"{'[' if self.low_closed else '('}{self.low:g}"
        high = "+inf)" if self.high == math.inf else f"{self.high:g}{']' if self.high_closed else ')'}"
        return f"{low}, {high}"


def _integer(low: float, high: float = math.inf) -> Interval:
    return Interval(low, high, integer=True)


def _share(*, zero: bool) -> Interval:
    return Interval(0, 1, low_closed=zero)


OBJECTIVES = (
    "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob",
    "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma",
    "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror", "reg:tweedie", "survival:aft", "survival:cox",
)  # fmt: skip
METRICS = (
    "accuracy", "accuracy_score", "auc", "aucpr", "aft-nloglik", "balanced_accuracy", "cox-nloglik", "error", "f1",
    "f1_binary", "f1_macro", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "logloss", "mae",
    "map", "mape", "merror", "mlogloss", "mphe", "mse", "ndcg", "poisson-nloglik", "precision", "precision_macro",
    "precision_micro", "r2", "recall", "recall_macro", "recall_micro", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip
# Documented metrics that AWS's container computes with scikit-learn, and XGBoost itself does not know.
UNSUPPORTED_METRICS = frozenset(
    {
        "accuracy", "accuracy_score", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "mse", "precision",
        "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
    }
)  # fmt: skip
# Of these a larger value is better.
MAXIMIZED = frozenset({"auc", "aucpr", "map", "ndcg", "interval-regression-accuracy"})
_WITH_THRESHOLD = ("error", "ndcg", "map")

RANGES: dict[str, Interval | tuple[str, ...]] = {
    "num_round": _integer(1),
    "csv_weights": _integer(0, 1),
    "early_stopping_rounds": _integer(1),
    "booster": ("gbtree", "gblinear", "dart"),
    "verbosity": _integer(0, 3),
    "nthread": _integer(1),
    "eta": _share(zero=True),
    "gamma": Interval(0),
    "max_depth": _integer(0),
    "min_child_weight": Interval(0),
    "max_delta_step": Interval(0),
    "subsample": _share(zero=False),
    "colsample_bytree": _share(zero=False),
    "colsample_bylevel": _share(zero=False),
    "colsample_bynode": _share(zero=False),
    "lambda": Interval(0),
    "alpha": Interval(0),
    "tree_method": ("auto", "exact", "approx", "hist", "gpu_hist"),
    "sketch_eps": Interval(0, 1, low_closed=False, high_closed=False),
    "scale_pos_weight": Interval(0, low_closed=False),
    "dsplit": ("row", "col"),
    "refresh_leaf": _integer(0, 1),
    "process_type": ("default", "update"),
    "grow_policy": ("depthwise", "lossguide"),
    "max_leaves": _integer(0),
    "max_bin": _integer(0),
    "predictor": ("auto", "cpu_predictor", "gpu_predictor"),
    "sample_type": ("uniform", "weighted"),
    "normalize_type": ("tree", "forest"),
    "rate_drop": _share(zero=True),
    "one_drop": _integer(0, 1),
    "skip_drop": _share(zero=True),
    "lambda_bias": _share(zero=True),
    "tweedie_variance_power": Interval(1, 2, low_closed=False, high_closed=False),
    "objective": OBJECTIVES,
    "num_class": _integer(2),
    "base_score": Interval(0),
    "seed": Interval(-(2**31), 2**31 - 1, low_closed=False, high_closed=False, integer=True),
    "num_parallel_tree": _integer(1),
    "save_model_on_termination": ("true", "false"),
    "aft_loss_distribution": ("normal", "logistic", "extreme"),
    "aft_loss_distribution_scale": Interval(0, low_closed=False),
    "deterministic_histogram": ("true", "false"),
    "sampling_method": ("uniform", "gradient_based"),
    "prob_buffer_row": Interval(1, low_closed=False),
}
# Checked by rules of their own.
_LISTS = ("eval_metric", "updater", "monotone_constraints", "interaction_constraints")
# Documented, and deliberately not run here.
_REFUSED = {
    "_kfold": "k-fold cross validation is not run here; train once per fold instead",
    "_num_cv_round": "k-fold cross validation is not run here; train once per fold instead",
    "use_dask_gpu_training": "there are no GPUs here; leave it out",
}
_UPDATERS = (
    "grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_quantile_histmaker", "grow_skmaker",
    "sync", "refresh", "prune", "shotgun", "coord_descent",
)  # fmt: skip
# What the tuning service adds: the metric that it looks at.
TUNED = "_tuning_objective_metric"
# Read by the program, or without effect in today's XGBoost: not handed on to it.
_STEERING = frozenset({"num_round", "early_stopping_rounds", "csv_weights", "save_model_on_termination", "eval_metric"})
_WITHOUT_EFFECT = frozenset(
    {"sketch_eps", "dsplit", "predictor", "lambda_bias", "prob_buffer_row", "deterministic_histogram"}
)


@dataclass(frozen=True)
class Settings:
    """Checked hyperparameters.

    Attributes:
        rounds: how many trees at most.
        early_stopping: stop after so many rounds without a better validation metric.
        csv_weights: the second column of CSV data is the instance weight.
        objective: the learning task.
        classes: of a multi-class task.
        metrics: in the order given; the last one decides early stopping.
        parameters: what XGBoost itself is given.
        ignored: given, but without effect here.
    """

    rounds: int
    early_stopping: int | None
    csv_weights: bool
    objective: str
    classes: int | None
    metrics: list[str]
    parameters: dict[str, Any]
    ignored: list[str]


def check(given: Mapping[str, str]) -> Settings:
    """Return the settings that hyperparameters ask for.

    Raises:
        UserError: a name is unknown, a value is malformed or out of its range, or two do not go together.
    """
    if "num_round" not in given:
        raise UserError(
            "Missing required hyperparameter: num_round. Add it to HyperParameters of the training job, "
            'for instance "num_round": "100".'
        )
    values = {name: _value(name, _unquoted(str(text))) for name, text in given.items() if not _is_foreign(name)}
    _add_tuned(values, given.get(TUNED, ""))
    _check_together(values)
    metrics = values.get("eval_metric", [])
    parameters = {name: value for name, value in values.items() if name not in _STEERING | _WITHOUT_EFFECT}
    objective = values.get("objective", "reg:squarederror")
    if objective == "reg:linear":  # its former name
        objective = "reg:squarederror"
    parameters["objective"] = objective
    return Settings(
        rounds=values["num_round"],
        early_stopping=values.get("early_stopping_rounds"),
        csv_weights=values.get("csv_weights") == 1,
        objective=objective,
        classes=values.get("num_class"),
        metrics=metrics,
        parameters=parameters,
        ignored=sorted(set(values) & _WITHOUT_EFFECT),
    )


def _add_tuned(values: dict[str, Any], objective: str) -> None:
    """Have the metric of a tuning job's objective (``validation:auc``) computed; the last one still stops early.

    Raises:
        UserError: XGBoost computes no such metric.
    """
    if not objective:
        return
    metric = objective.rpartition(":")[2]
    _check_metric(metric, [metric])
    given = values.get("eval_metric", [])
    if metric not in given:
        values["eval_metric"] = [metric, *given]


def _is_foreign(name: str) -> bool:
    """Tell whether an SDK or the tuning service put a name beside the algorithm's own."""
    return name == TUNED or name.startswith("sagemaker_")


def _unquoted(text: str) -> str:
    """Return text without the quotes that the JSON encoding of SDKs puts around it."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _value(name: str, text: str) -> Any:
    if name in _REFUSED:
        raise UserError(f"Hyperparameter {name}: {_REFUSED[name]}.")
    if name in _LISTS:
        return _list_value(name, text)
    allowed = RANGES.get(name)
    if allowed is None:
        near = difflib.get_close_matches(name, [*RANGES, *_LISTS], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"Extraneous hyperparameter found: {name}.{hint} Names are those of the built-in algorithm.")
    if isinstance(allowed, tuple):
        if text not in allowed:
            raise UserError(f"Hyperparameter {name}: {text} is not in {list(allowed)}")
        return text
    try:
        value = allowed.parse(text)
    except ValueError:
        kind = "a whole number" if allowed.integer else "a number"
        raise UserError(f"Hyperparameter {name}: could not parse value {text!r}; it must be {kind}.") from None
    if value not in allowed or math.isinf(value):
        raise UserError(f"Hyperparameter {name}: {text} is not in {allowed}")
    return value


def _list_value(name: str, text: str) -> Any:
    if name == "eval_metric":
        metrics = [metric.strip() for metric in text.strip("[]").replace("'", "").replace('"', "").split(",")]
        for metric in metrics:
            _check_metric(metric, metrics)
        return metrics
    if name == "updater":
        unknown = [updater for updater in text.split(",") if updater not in _UPDATERS]
        if unknown:
            raise UserError(f"Hyperparameter updater: value {unknown} not in range {list(_UPDATERS)}")
        return text
    try:
        value = ast.literal_eval(text)
        rows = [value] if name == "monotone_constraints" else value
        numbers = [number for row in rows for number in row]
    except (ValueError, SyntaxError, TypeError):
        example = "(1,0,-1)" if name == "monotone_constraints" else "[[0,1],[2,3]]"
        raise UserError(f"Hyperparameter {name}: could not parse value {text!r}; write it as {example}.") from None
    allowed = (-1, 0, 1) if name == "monotone_constraints" else _integer(0)
    if not all(type(number) is int and number in allowed for number in numbers):
        raise UserError(f"Hyperparameter {name}: value {text} not in range {allowed}")
    return str(tuple(value)) if name == "monotone_constraints" else str([list(row) for row in value])


def _check_metric(metric: str, metrics: list[str]) -> None:
    base, at, threshold = metric.partition("@")
    if at:
        if base not in _WITH_THRESHOLD:
            raise UserError(
                f"Metric '{metric}' is not supported. Parameter 'eval_metric' with customized threshold should be one "
                f"of these options: {', '.join(map(repr, _WITH_THRESHOLD))}."
            )
        try:
            float(threshold.removesuffix("-"))
        except ValueError:
            raise UserError(f"Threshold value 't' in '{base}@t' expects float input.") from None
        return
    if metric not in METRICS:
        raise UserError(f"Hyperparameter eval_metric: value {metrics} not in range {list(METRICS)}")
    if metric in UNSUPPORTED_METRICS:
        raise UserError(
            f"Hyperparameter eval_metric: {metric} is not computed here (AWS's container does, with scikit-learn). "
            "Use one that XGBoost computes itself, such as error, logloss, auc, merror, mlogloss, rmse or mae."
        )


def _check_together(values: dict[str, Any]) -> None:
    objective, method = values.get("objective", "reg:squarederror"), values.get("tree_method")
    if objective.startswith("multi:") and "num_class" not in values:
        raise UserError("Require input for parameter 'num_class' for multi-classification")
    if not objective.startswith("multi:") and "num_class" in values:
        raise UserError("Do not need to setup parameter 'num_class' for learning task other than multi-classification.")
    metrics = values.get("eval_metric", [])
    if "auc" in metrics and not objective.startswith(("binary:", "rank:")):
        raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in metrics and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")
    if "monotone_constraints" in values and method not in {"exact", "hist"}:
        raise UserError(
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."
        )
    if "interaction_constraints" in values and method not in {"exact", "hist", "approx"}:
        raise UserError(
            "interaction_constraints can be used only when the tree_method parameter is set to either 'exact', 'hist' "
            "or 'approx'."
        )
    if method == "gpu_hist" or values.get("predictor") == "gpu_predictor":
        raise UserError("Hyperparameter tree_method: there are no GPUs here; use 'hist' instead of 'gpu_hist'.")
