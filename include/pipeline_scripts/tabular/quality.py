"""How good predictions were, once the truth is known: a day's figures, their error by chance, and sums to add days up.

Names are those of SageMaker's model quality metrics, and `brier` and `calibration_error` beside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tabular.metrics import auc, regression_metrics

THRESHOLD = 0.5
RESAMPLES = 200
# A larger day's error follows from that of so many rows by the square root of their number.
BOOTSTRAP_ROWS = 20_000
BINS = 10
DECIMALS = 4


def binary_figures(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Return the figures of 0/1 labels (n,) against probabilities (n,); nan for a ratio over nothing.

    `brier` is the mean squared difference (Brier 1950); `calibration_error` the mean distance, weighted by rows, of
    predicted and observed shares over ten bins of equal width (the expected calibration error of Naeini et al. 2015).
    """
    matrix = confusion(labels, scores)
    hit, false_alarm, missed, rest = matrix["tp"], matrix["fp"], matrix["fn"], matrix["tn"]
    precision, recall = _share(hit, hit + false_alarm), _share(hit, hit + missed)
    return {
        "accuracy": _share(hit + rest, len(labels)),
        "precision": precision,
        "recall": recall,
        "f1": _f_score(1.0, precision, recall),
        "auc": auc(labels, scores),
        "brier": float(((scores - labels) ** 2).mean()),
        "calibration_error": _calibration_error(calibration_bins(labels, scores)),
        "true_positive_rate": recall,
        "true_negative_rate": _share(rest, rest + false_alarm),
        "false_positive_rate": _share(false_alarm, rest + false_alarm),
        "false_negative_rate": _share(missed, hit + missed),
        "f0_5": _f_score(0.5, precision, recall),
        "f2": _f_score(2.0, precision, recall),
    }


def confusion(labels: np.ndarray, scores: np.ndarray) -> dict[str, int]:
    """Count true and false positives and negatives at the threshold."""
    predicted, actual = scores >= THRESHOLD, labels == 1
    return {
        "tp": int((predicted & actual).sum()),
        "fp": int((predicted & ~actual).sum()),
        "fn": int((~predicted & actual).sum()),
        "tn": int((~predicted & ~actual).sum()),
    }


def calibration_bins(labels: np.ndarray, scores: np.ndarray) -> list[list[float]]:
    """Return rows, sum of the probabilities and number of positives in each of ten bins of equal width."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    columns = (np.ones(len(labels)), scores, labels)
    sums = [np.bincount(place, weights=column, minlength=BINS) for column in columns]
    return [[int(rows), float(predicted), int(observed)] for rows, predicted, observed in np.array(sums).T]


def with_errors(
    figures: Callable[[np.ndarray, np.ndarray], dict[str, float]], labels: np.ndarray, scores: np.ndarray
) -> dict[str, dict[str, float | None]]:
    """Return each figure's value and standard error (a seeded bootstrap); None where it is undefined."""
    size = min(len(labels), BOOTSTRAP_ROWS)
    random = np.random.default_rng(0)
    draws: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        sample = random.integers(0, len(labels), size)
        for name, value in figures(labels[sample], scores[sample]).items():
            if math.isfinite(value):
                draws.setdefault(name, []).append(value)
    scale = math.sqrt(size / len(labels))
    found: dict[str, dict[str, float | None]] = {}
    for name, value in figures(labels, scores).items():
        drawn = draws.get(name, [])
        known = math.isfinite(value)
        error = float(np.std(drawn, ddof=1)) * scale if known and len(drawn) > 1 else None
        found[name] = {"value": value if known else None, "standard_error": error}
    return found


def regression_figures(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Return mae, mse, rmse and r2 of numbers (n,) against predictions (n,); r2 is nan when all labels are the same."""
    return regression_metrics(labels, predictions)


def binary_sums(labels: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Return what figures over several days are made of.

    `scores` counts negatives and positives by the probability rounded to four decimals: the AUC over several days
    follows from it, off by no more than half of the pairs that share a rounded probability.
    """
    rounded = np.round(scores, DECIMALS)
    values, place = np.unique(rounded, return_inverse=True)
    place = place.ravel()
    positives = np.bincount(place, weights=labels, minlength=len(values)).astype(int)
    every = np.bincount(place, minlength=len(values))
    return {
        **confusion(labels, scores),
        "rows": len(labels),
        "squared_error": float(((scores - labels) ** 2).sum()),
        "bins": calibration_bins(labels, scores),
        "scores": {
            f"{value:.{DECIMALS}f}": [int(count - hits), int(hits)]
            for value, count, hits in zip(values, every, positives)  # noqa: B905 - Python 3.9 has no strict
        },
    }


def regression_sums(labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
    """Return what figures over several days are made of: the labels' mean and spread about it, and sums of errors."""
    errors = labels - predictions
    mean = float(labels.mean())
    return {
        "rows": len(labels),
        "label_mean": mean,
        "label_spread": float(((labels - mean) ** 2).sum()),
        "absolute_error": float(np.abs(errors).sum()),
        "squared_error": float((errors**2).sum()),
    }


def _calibration_error(bins: list[list[float]]) -> float:
    rows = sum(item[0] for item in bins)
    return sum(abs(predicted - observed) for _, predicted, observed in bins) / rows if rows else math.nan


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _f_score(beta: float, precision: float, recall: float) -> float:
    if not (math.isfinite(precision) and math.isfinite(recall)):
        return math.nan
    weight = beta * beta
    return (1 + weight) * precision * recall / (weight * precision + recall) if precision + recall else 0.0
