"""Hyperparameters of the built-in XGBoost: all arrive as text and are checked by name, with messages as AWS's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class UserError(Exception):
    """What the person gave is wrong; the message is the job's failure."""


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter: how its text is read and which values it may have."""

    parse: Callable[[str], Any]
    allowed: str = ""
    check: Callable[[Any], bool] = lambda _value: True


def _number(
    kind: Callable[[str], Any], low: float | None = None, high: float | None = None, *, above: bool = False
) -> Parameter:
    opening = "(" if above or low is None else "["
    text = f"{opening}{'-∞' if low is None else low}, {'∞)' if high is None else f'{high}]'}"

    def check(value: Any) -> bool:
        if low is not None and (value <= low if above else value < low):
            return False
        return high is None or value <= high

    return Parameter(kind, text, check)


def _one_of(*values: str) -> Parameter:
    return Parameter(str, str(list(values)), lambda value: value in values)


def _metrics(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


_FREE = Parameter(str)
PARAMETERS: dict[str, Parameter] = {
    "num_round": _number(int, 1),
    "csv_weights": _number(int, 0, 1),
    "early_stopping_rounds": _number(int, 1),
    "save_model_on_termination": _one_of("true", "false"),
    "booster": _one_of("gbtree", "gblinear", "dart"),
    "verbosity": _number(int, 0, 3),
    "nthread": _number(int, 1),
    "eta": _number(float, 0, 1),
    "gamma": _number(float, 0),
    "max_depth": _number(int, 0),
    "min_child_weight": _number(float, 0),
    "max_delta_step": _number(float, 0),
    "subsample": _number(float, 0, 1, above=True),
    "colsample_bytree": _number(float, 0, 1, above=True),
    "colsample_bylevel": _number(float, 0, 1, above=True),
    "colsample_bynode": _number(float, 0, 1, above=True),
    "lambda": _number(float, 0),
    "alpha": _number(float, 0),
    "lambda_bias": _number(float, 0, 1),
    "tree_method": _one_of("auto", "exact", "approx", "hist", "gpu_hist"),
    "sketch_eps": _number(float, 0, 1, above=True),
    "scale_pos_weight": _number(float),
    "refresh_leaf": _number(int, 0, 1),
    "process_type": _one_of("default", "update"),
    "grow_policy": _one_of("depthwise", "lossguide"),
    "max_leaves": _number(int, 0),
    "max_bin": _number(int, 2),
    "sampling_method": _one_of("uniform", "gradient_based"),
    "sample_type": _one_of("uniform", "weighted"),
    "normalize_type": _one_of("tree", "forest"),
    "rate_drop": _number(float, 0, 1),
    "one_drop": _number(int, 0, 1),
    "skip_drop": _number(float, 0, 1),
    "tweedie_variance_power": _number(float, 1, 2, above=True),
    "num_parallel_tree": _number(int, 1),
    "deterministic_histogram": _one_of("true", "false"),
    "interaction_constraints": _FREE,
    "monotone_constraints": _FREE,
    "objective": _one_of(
        "reg:linear",
        "reg:squarederror",
        "reg:squaredlogerror",
        "reg:logistic",
        "reg:pseudohubererror",
        "reg:absoluteerror",
        "reg:gamma",
        "reg:tweedie",
        "binary:logistic",
        "binary:logitraw",
        "binary:hinge",
        "count:poisson",
        "survival:cox",
        "survival:aft",
        "multi:softmax",
        "multi:softprob",
        "rank:pairwise",
        "rank:ndcg",
        "rank:map",
    ),
    "num_class": _number(int, 2),
    "base_score": _number(float),
    "eval_metric": Parameter(_metrics),
    "seed": _number(int),
    "max_cat_to_onehot": _number(int, 1),
}
ALIASES = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
    "random_state": "seed",
}
MAXIMIZED = ("auc", "aucpr", "accuracy", "f1", "map", "ndcg", "r2", "pre")
# What steers the training and is no parameter of the booster.
_STEERING = ("num_round", "csv_weights", "early_stopping_rounds", "save_model_on_termination", "eval_metric")


@dataclass(frozen=True)
class Hyperparameters:
    """Checked hyperparameters.

    Attributes:
        booster: as `xgboost.train` takes them.
        num_round: number of rounds.
        early_stopping_rounds: None without early stopping.
        csv_weights: whether the second column holds weights.
        metrics: evaluation metrics, as given.
    """

    booster: dict[str, Any]
    num_round: int
    early_stopping_rounds: int | None
    csv_weights: bool
    metrics: list[str]


def read(given: dict[str, str]) -> Hyperparameters:
    """Return the hyperparameters of a job.

    Args:
        given: name -> text.

    Raises:
        UserError: one is missing, unknown, unreadable or out of its range.
    """
    values: dict[str, Any] = {}
    for name, text in given.items():
        known = ALIASES.get(name, name)
        # SDKs put their own settings next to the algorithm's.
        if name.startswith(("sagemaker_", "_")):
            continue
        if known not in PARAMETERS:
            raise UserError(f"Extraneous hyperparameter found: {name}. Known are: {', '.join(sorted(PARAMETERS))}.")
        values[known] = _value(name, str(text), PARAMETERS[known])
    if "num_round" not in values:
        raise UserError("Missing required hyperparameter: num_round")
    if values.get("objective", "").startswith("multi:") and "num_class" not in values:
        raise UserError(f"Hyperparameter objective: {values['objective']} needs num_class, which is missing.")
    booster = {name: value for name, value in values.items() if name not in _STEERING}
    if booster.get("objective") == "reg:linear":  # the former name, which newer versions refuse
        booster["objective"] = "reg:squarederror"
    return Hyperparameters(
        booster,
        values["num_round"],
        values.get("early_stopping_rounds"),
        values.get("csv_weights", 0) == 1,
        values.get("eval_metric", []),
    )


def _value(name: str, text: str, parameter: Parameter) -> Any:
    # The SDK's JSON encoding puts quotes around text.
    text = text.strip().removeprefix('"').removesuffix('"')
    try:
        value = parameter.parse(text)
    except ValueError as error:
        raise UserError(f"Hyperparameter {name}: could not parse value {text!r}.") from error
    if not parameter.check(value):
        raise UserError(f"Hyperparameter {name}: {text} is not in {parameter.allowed}")
    return value
