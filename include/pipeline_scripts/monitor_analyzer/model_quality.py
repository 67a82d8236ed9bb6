"""Model quality: metrics of predictions against ground truth, in the container's schema.

Binary classification and regression. The names, the shape of the documents and the rule for standard deviations (five
samples of 80 %, at least 200 rows) are AWS's documented ones; its sampling cannot be reproduced, ours is seeded.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .documents import is_number
from .errors import AnalyzerError
from .statistics import VERSION

BINARY, REGRESSION = "BinaryClassification", "Regression"
SAMPLES, SAMPLE_SHARE, SAMPLE_MINIMUM, SAMPLE_SEED = 5, 0.8, 200, 1729
CURVE_POINTS = 1000
LESS, GREATER = "LessThanThreshold", "GreaterThanThreshold"
OPERATORS = {
    BINARY: {
        "recall": LESS,
        "precision": LESS,
        "accuracy": LESS,
        "true_positive_rate": LESS,
        "true_negative_rate": LESS,
        "false_positive_rate": GREATER,
        "false_negative_rate": GREATER,
        "auc": LESS,
        "f0_5": LESS,
        "f1": LESS,
        "f2": LESS,
    },
    REGRESSION: {"mae": GREATER, "mse": GREATER, "rmse": GREATER, "r2": LESS},
}
PREFIX = {BINARY: "binary_classification", REGRESSION: "regression"}
_TRUTHS = {"true": 1, "false": 0, "true.": 1, "false.": 0, "yes": 1, "no": 0}


@dataclass(frozen=True)
class Attributes:
    """Which columns hold what; names, or positions when the data has no header."""

    problem_type: str
    ground_truth: str
    inference: str | None
    probability: str | None
    threshold: float = 0.5

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return [name for name in (self.ground_truth, self.inference, self.probability) if name]


def _number(text: str, column: str, row: int, file: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        shown = "missing" if not text else "no number"
        raise AnalyzerError(
            f"the value of {column!r} in data row {row} is {shown}.",
            file=file,
            hint="Every row needs its ground truth and its prediction as numbers.",
        )
    return value


def _label(text: str, column: str, row: int, file: str) -> int:
    known = _TRUTHS.get(text.strip().lower())
    if known is not None:
        return known
    value = _number(text, column, row, file)
    if value not in (0, 1):
        raise AnalyzerError(
            f"the value of {column!r} in data row {row} is neither 0 nor 1.",
            file=file,
            hint="A binary label is 0 or 1 (or true/false); is this the score column?",
        )
    return int(value)


Labels = list[tuple[int, int, float]]  # actual, predicted, probability (the prediction where there is none)


def binary_rows(records: dict[str, list[str]], attributes: Attributes, file: str) -> Labels:
    """Return (actual, predicted, probability) by row.

    The predicted label is the inference column's, or the probability against the threshold when none is named.
    """
    actual = [_label(t, attributes.ground_truth, i, file) for i, t in enumerate(records[attributes.ground_truth], 1)]
    scores: list[float] | None = None
    if attributes.probability:
        name = attributes.probability
        scores = [_number(text, name, row, file) for row, text in enumerate(records[name], 1)]
        outside = next((row for row, score in enumerate(scores, 1) if not 0 <= score <= 1), None)
        if outside is not None:
            raise AnalyzerError(f"the value of {name!r} in data row {outside} is no probability.", file=file)
    if attributes.inference:
        name = attributes.inference
        predicted = [_label(text, name, row, file) for row, text in enumerate(records[name], 1)]
    elif scores is not None:
        predicted = [int(score >= attributes.threshold) for score in scores]
    else:
        raise AnalyzerError("model quality needs inference_attribute or probability_attribute.")
    return list(zip(actual, predicted, scores or [float(label) for label in predicted], strict=True))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def f_score(beta: float, precision: float, recall: float) -> float:
    """Return the F-beta score, 0 when both are 0."""
    return _share((1 + beta * beta) * precision * recall, beta * beta * precision + recall)


def curves(rows: Labels) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return ROC points (false positive rate, true positive rate) and PR points (recall, precision).

    One point for every distinct score, from (0, 0) to (1, 1) and from recall 0 with the first precision.
    """
    positives = sum(actual for actual, _, _ in rows)
    negatives = len(rows) - positives
    roc, precision_recall = [(0.0, 0.0)], []
    hits = misses = 0
    ordered = sorted(((score, actual) for actual, _, score in rows), reverse=True)
    for index, (score, actual) in enumerate(ordered):
        hits, misses = hits + actual, misses + 1 - actual
        if index + 1 == len(ordered) or ordered[index + 1][0] != score:
            roc.append((_share(misses, negatives), _share(hits, positives)))
            precision_recall.append((_share(hits, positives), hits / (hits + misses)))
    roc.append((1.0, 1.0))
    return roc, [(0.0, precision_recall[0][1]), *precision_recall]


def area(points: Sequence[tuple[float, float]]) -> float:
    """Return the area under a curve of (x, y) points by trapezoids."""
    return math.fsum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))


def binary_values(rows: Labels) -> dict[str, float]:
    """Return the single-number metrics of binary classification."""
    true_positive = sum(1 for actual, predicted, _ in rows if actual and predicted)
    false_negative = sum(actual for actual, _, _ in rows) - true_positive
    false_positive = sum(predicted for _, predicted, _ in rows) - true_positive
    true_negative = len(rows) - true_positive - false_negative - false_positive
    recall = _share(true_positive, true_positive + false_negative)
    precision = _share(true_positive, true_positive + false_positive)
    # AWS's documented example shows the constant classifier to be the one that always says 1.
    positive_share = (true_positive + false_negative) / len(rows)
    constant_recall = 1.0 if positive_share else 0.0
    roc, precision_recall = curves(rows)
    values = {
        "recall": recall,
        "precision": precision,
        "accuracy": (true_positive + true_negative) / len(rows),
        "recall_best_constant_classifier": constant_recall,
        "precision_best_constant_classifier": positive_share,
        "accuracy_best_constant_classifier": positive_share,
        "true_positive_rate": recall,
        "true_negative_rate": _share(true_negative, true_negative + false_positive),
        "false_positive_rate": _share(false_positive, true_negative + false_positive),
        "false_negative_rate": _share(false_negative, true_positive + false_negative),
        "auc": area(roc),
        "au_prc": area(precision_recall),
    }
    for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        values[name] = f_score(beta, precision, recall)
        values[f"{name}_best_constant_classifier"] = f_score(beta, positive_share, constant_recall)
    return values


def regression_values(rows: list[tuple[float, float]]) -> dict[str, float]:
    """Return mae, mse, rmse and r2 of (actual, predicted) rows."""
    mean = math.fsum(actual for actual, _ in rows) / len(rows)
    squared = math.fsum((actual - predicted) ** 2 for actual, predicted in rows)
    spread = math.fsum((actual - mean) ** 2 for actual, _ in rows)
    mse = squared / len(rows)
    return {
        "mae": math.fsum(abs(actual - predicted) for actual, predicted in rows) / len(rows),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": 1 - _share(squared, spread),
    }


def _deviations(rows: list[Any], values: Callable[[list[Any]], dict[str, float]]) -> dict[str, float]:
    """Return the standard deviation of every metric over five samples of 80 % of the rows."""
    generator = random.Random(SAMPLE_SEED)  # noqa: S311 - a repeatable sample, nothing secret
    size = int(len(rows) * SAMPLE_SHARE)
    samples = [values(generator.sample(rows, size)) for _ in range(SAMPLES)]
    result = {}
    for name in samples[0]:
        column = [sample[name] for sample in samples]
        mean = math.fsum(column) / SAMPLES
        result[name] = math.sqrt(math.fsum((value - mean) ** 2 for value in column) / SAMPLES)
    return result


def _metrics(rows: list[Any], values: Callable[[list[Any]], dict[str, float]]) -> dict[str, Any]:
    deviations = _deviations(rows, values) if len(rows) >= SAMPLE_MINIMUM else {}
    return {
        name: {"value": value, "standard_deviation": deviations.get(name, "NaN")}
        for name, value in values(rows).items()
    }


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= CURVE_POINTS:
        return points
    step = (len(points) - 1) / (CURVE_POINTS - 1)
    return [points[round(index * step)] for index in range(CURVE_POINTS)]


def _binary_metrics(rows: Labels) -> dict[str, Any]:
    matrix = {str(actual): {str(predicted): 0 for predicted in (0, 1)} for actual in (0, 1)}
    for actual, predicted, _ in rows:
        matrix[str(actual)][str(predicted)] += 1
    roc, precision_recall = (_thinned(points) for points in curves(rows))
    return {
        "confusion_matrix": matrix,
        **_metrics(rows, binary_values),
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [x for x, _ in roc],
            "true_positive_rates": [y for _, y in roc],
        },
        "precision_recall_curve": {
            "precisions": [y for _, y in precision_recall],
            "recalls": [x for x, _ in precision_recall],
        },
    }


def statistics_document(records: dict[str, list[str]], attributes: Attributes, file: str) -> dict[str, Any]:
    """Return the model quality statistics.json.

    Args:
        records: raw texts by column.
        attributes: which columns hold what.
        file: name of the dataset for messages.

    Raises:
        AnalyzerError: no rows, a value that is no label, number or probability, an unknown problem type.
    """
    count = len(records[attributes.ground_truth])
    if not count:
        raise AnalyzerError("the dataset has no rows.", file=file)
    if attributes.problem_type == BINARY:
        metrics = _binary_metrics(binary_rows(records, attributes, file))
    elif attributes.problem_type == REGRESSION:
        if not attributes.inference:
            raise AnalyzerError("model quality of a regression needs inference_attribute.")
        pair = (attributes.ground_truth, attributes.inference)
        actual, predicted = (
            [_number(text, name, row, file) for row, text in enumerate(records[name], 1)] for name in pair
        )
        metrics = _metrics(list(zip(actual, predicted, strict=True)), regression_values)
    else:
        raise AnalyzerError(
            f"problem_type {attributes.problem_type!r} is not one of {BINARY} and {REGRESSION}.",
            hint="Set problem_type in the job's environment.",
        )
    return {
        "version": VERSION,
        "dataset": {"item_count": count},
        f"{PREFIX[attributes.problem_type]}_metrics": metrics,
    }


def suggest(statistics: dict[str, Any], problem_type: str) -> dict[str, Any]:
    """Return the suggested constraints.json: every metric may not get worse than it was."""
    metrics = statistics[f"{PREFIX[problem_type]}_metrics"]
    return {
        "version": VERSION,
        f"{PREFIX[problem_type]}_constraints": {
            name: {"threshold": metrics[name]["value"], "comparison_operator": operator}
            for name, operator in OPERATORS[problem_type].items()
        },
    }


def violations(statistics: dict[str, Any], constraints: Any, problem_type: str, file: str) -> list[dict[str, str]]:
    """Return the violations of today's metrics against a constraints.json with its user's edits.

    The sentence is that of AWS's own examples; whether the container's comparison allows for the standard deviation
    is not known, ours does not.

    Raises:
        AnalyzerError: a constraint that cannot be read, or on a metric that does not exist.
    """
    key = f"{PREFIX[problem_type]}_constraints"
    if not isinstance(constraints, dict) or not isinstance(constraints.get(key), dict):
        raise AnalyzerError(
            f"constraints.json needs `{key}`, an object.",
            file=file,
            hint="Take the constraints of a model quality baseline.",
        )
    metrics = statistics[f"{PREFIX[problem_type]}_metrics"]
    found = []
    for name, constraint in constraints[key].items():
        threshold = constraint.get("threshold") if isinstance(constraint, dict) else None
        operator = constraint.get("comparison_operator") if isinstance(constraint, dict) else None
        if not is_number(threshold) or operator not in (LESS, GREATER):
            raise AnalyzerError(
                f"the constraint on {name!r} needs a number `threshold` and a `comparison_operator`, "
                f"{LESS} or {GREATER}.",
                file=file,
            )
        metric = metrics.get(name)
        if not isinstance(metric, dict) or "value" not in metric:
            raise AnalyzerError(f"there is a constraint on {name!r}, which is no metric of {problem_type}.", file=file)
        value, deviation = metric["value"], metric["standard_deviation"]
        if value < threshold if operator == LESS else value > threshold:
            margin = "" if deviation == "NaN" else f" +/- {deviation!r}"
            found.append(
                {
                    "constraint_check_type": operator,
                    "description": f"Metric {name} with {value!r}{margin} was {operator} '{threshold!r}'",
                    "metric_name": name,
                }
            )
    return found
