"""Metrics of a binary classifier and of a regression, under the names that SageMaker's model metrics use."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

RESAMPLES = 100
# Beyond it a bootstrap says nothing new and costs time.
BOOTSTRAP_LIMIT = 20_000


def auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Area under the ROC curve: the Mann-Whitney statistic over average ranks; nan when one class is absent."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return math.nan
    _, place, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    average_rank = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(average_rank[place.ravel()][labels == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def point_metrics(labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """Metrics of 0/1 labels against probabilities; a ratio over nothing is 0."""
    predicted = probabilities >= threshold
    actual = labels == 1
    true_positive = int((predicted & actual).sum())
    false_positive = int((predicted & ~actual).sum())
    false_negative = int((~predicted & actual).sum())
    total = len(labels)
    precision = _ratio(true_positive, true_positive + false_positive)
    recall = _ratio(true_positive, true_positive + false_negative)
    return {
        "accuracy": _ratio(int((predicted == actual).sum()), total),
        "accuracy_best_constant_classifier": max(_ratio(int(actual.sum()), total), _ratio(int((~actual).sum()), total)),
        "auc": auc(labels, probabilities),
        "precision": precision,
        "recall": recall,
        "f1": _ratio(2 * precision * recall, precision + recall),
    }


def confusion_matrix(
    labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5
) -> dict[str, dict[str, int]]:
    """Count actual (outer key) by predicted (inner key) class."""
    predicted = (probabilities >= threshold).astype(int)
    actual = labels.astype(int)
    return {
        str(outer): {str(inner): int(((actual == outer) & (predicted == inner)).sum()) for inner in (0, 1)}
        for outer in (0, 1)
    }


def report(labels: np.ndarray, probabilities: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Model metrics in SageMaker's shape; standard deviations from a seeded bootstrap (None where undefined)."""
    metrics = _with_deviations(point_metrics, labels, probabilities, seed)
    return {"confusion_matrix": confusion_matrix(labels, probabilities), **metrics}


def regression_metrics(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Metrics of numbers (n,) against predictions (n,); r2 is nan when all labels are the same.

    r2 = 1 - sum((y - p)^2) / sum((y - mean(y))^2): 0 for always saying the mean, negative for worse than that.
    """
    errors = labels.astype(np.float64) - predictions.astype(np.float64)
    squared = float((errors**2).sum())
    spread = float(((labels - labels.mean(dtype=np.float64)) ** 2).sum())
    return {
        "mae": float(np.abs(errors).mean()),
        "mse": squared / len(labels),
        "rmse": math.sqrt(squared / len(labels)),
        "r2": 1 - squared / spread if spread else math.nan,
    }


def regression_report(labels: np.ndarray, predictions: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Model metrics of a regression in SageMaker's shape; standard deviations as `report` has them."""
    return _with_deviations(regression_metrics, labels, predictions, seed)


def _with_deviations(
    measure: Callable[[np.ndarray, np.ndarray], dict[str, float]], labels: np.ndarray, scores: np.ndarray, seed: int
) -> dict[str, Any]:
    values = measure(labels, scores)
    draws: dict[str, list[float]] = {name: [] for name in values}
    if len(labels) <= BOOTSTRAP_LIMIT:
        random = np.random.default_rng(seed)
        for _ in range(RESAMPLES):
            sample = random.integers(0, len(labels), len(labels))
            for name, value in measure(labels[sample], scores[sample]).items():
                draws[name].append(value)
    return {
        name: {"value": _finite(value), "standard_deviation": _deviation(draws[name])} for name, value in values.items()
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _deviation(values: list[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else None
