"""How far a classifier's scores can be taken at their word: as probabilities. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

BINS = 10
Scored = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Bin:
    """Records whose score lies in one of ten equal parts of 0-1 (`place` 0-9): mean score, share of positives."""

    place: int
    score: float
    positive: float
    count: int


def reliability(predictions: Scored) -> list[Bin]:
    """Return each of ten equal bins that holds any of the (score 0-1, label 0 or 1)."""
    bins: list[list[tuple[float, float]]] = [[] for _ in range(BINS)]
    for score, label in predictions:
        bins[min(int(score * BINS), BINS - 1)].append((score, label))
    return [
        Bin(place, sum(score for score, _ in held) / len(held), sum(label for _, label in held) / len(held), len(held))
        for place, held in enumerate(bins)
        if held
    ]


def brier(predictions: Scored) -> float:
    """Return the mean squared difference of score and label (Brier 1950): 0 is perfect, less is better.

    Raises:
        ZeroDivisionError: there is no prediction.
    """
    return sum((score - label) ** 2 for score, label in predictions) / len(predictions)


def expected_error(predictions: Scored) -> float:
    """Return the expected calibration error: |mean score - share of positives| of each bin, weighted by its records.

    Raises:
        ZeroDivisionError: there is no prediction.
    """
    return sum(abs(item.score - item.positive) * item.count for item in reliability(predictions)) / len(predictions)
