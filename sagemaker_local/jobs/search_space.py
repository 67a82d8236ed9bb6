"""The hyperparameters that a tuning job may choose from, and what each strategy chooses next. Pure and repeatable.

Random draws each value by its scale; Grid goes through all combinations of categories; Bayesian fits a Gaussian process
(Matern kernel, smoothness 5/2) to what is known of the objective and takes, of many random points, the one with the
largest expected improvement (Jones, Schonlau and Welch 1998), after a few random ones.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Values = dict[str, str]

INTEGER, CONTINUOUS, CATEGORICAL = "Integer", "Continuous", "Categorical"
LINEAR, LOGARITHMIC, REVERSE = "Linear", "Logarithmic", "ReverseLogarithmic"
_FIRST_RANDOM = 3
_CANDIDATES = 400
_LENGTH = 0.3  # of the kernel, in units of the whole range
_NOISE = 1e-4  # of the objective, in units of its variance


class RangeError(ValueError):
    """Ranges that cannot be searched; the message says which and why."""


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter.

    Attributes:
        low, high: its bounds, both included.
        scale: how values between them are spread.
        values: of a categorical one.
    """

    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    scale: str = LINEAR
    values: tuple[str, ...] = ()

    def at(self, place: float) -> str:
        """Return the value at a place from 0 to 1 of the range."""
        if self.kind == CATEGORICAL:
            return self.values[min(int(place * len(self.values)), len(self.values) - 1)]
        # Each whole number has the same share of the range, the last one too.
        high = self.high + 1 if self.kind == INTEGER else self.high
        if self.scale == LOGARITHMIC:
            value = math.exp(math.log(self.low) + place * (math.log(high) - math.log(self.low)))
        elif self.scale == REVERSE:
            value = 1 - math.exp(math.log(1 - self.low) + place * (math.log(1 - high) - math.log(1 - self.low)))
        else:
            value = self.low + place * (high - self.low)
        value = min(max(value, self.low), self.high)
        return str(math.floor(value)) if self.kind == INTEGER else repr(value)

    def place(self, text: str) -> list[float]:
        """Return where a value lies, as coordinates from 0 to 1: one, or one for each category."""
        if self.kind == CATEGORICAL:
            return [float(text == value) for value in self.values]
        value = float(text)
        if self.scale == LOGARITHMIC:
            found = (math.log(value) - math.log(self.low)) / ((math.log(self.high) - math.log(self.low)) or 1)
        elif self.scale == REVERSE:
            whole = math.log(1 - self.high) - math.log(1 - self.low)
            found = (math.log(1 - value) - math.log(1 - self.low)) / (whole or 1)
        else:
            found = (value - self.low) / ((self.high - self.low) or 1)
        return [found]


def dimensions(ranges: Document) -> list[Dimension]:
    """Return the dimensions that ``ParameterRanges`` describes.

    Raises:
        RangeError: there are none, one is malformed, or a name is there twice.
    """
    found = [
        *(_numeric(each, INTEGER) for each in ranges.get("IntegerParameterRanges") or []),
        *(_numeric(each, CONTINUOUS) for each in ranges.get("ContinuousParameterRanges") or []),
        *(
            Dimension(each["Name"], CATEGORICAL, values=tuple(each["Values"]))
            for each in ranges.get("CategoricalParameterRanges") or []
        ),
    ]
    names = [dimension.name for dimension in found]
    if not found:
        raise RangeError("There is no hyperparameter to tune: give at least one range in ParameterRanges.")
    if len(set(names)) != len(names):
        raise RangeError(f"A hyperparameter has more than one range: {', '.join(names)}.")
    return found


def _numeric(given: Document, kind: str) -> Dimension:
    name, scale = given["Name"], given.get("ScalingType", "Auto")
    scale = LINEAR if scale == "Auto" else scale
    where = f"{kind}ParameterRanges, {name}"
    parse = int if kind == INTEGER else float
    try:
        low, high = parse(given["MinValue"]), parse(given["MaxValue"])
    except ValueError:
        raise RangeError(f"{where}: MinValue and MaxValue must be numbers, {kind.lower()} ones.") from None
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise RangeError(f"{where}: MinValue {given['MinValue']} is greater than MaxValue {given['MaxValue']}.")
    if scale == LOGARITHMIC and low <= 0:
        raise RangeError(f"{where}: Logarithmic scaling works for ranges that have only values greater than 0.")
    if scale == REVERSE and (kind == INTEGER or not 0 <= low <= high < 1):
        raise RangeError(f"{where}: ReverseLogarithmic scaling works for continuous ranges within 0 <= x < 1.0.")
    return Dimension(name, kind, float(low), float(high), scale)


class Space:
    """A search."""

    def __init__(self, strategy: str, dimensions: Sequence[Dimension], seed: int) -> None:
        """Begin.

        Args:
            strategy: Random, Grid or Bayesian.
            dimensions: what is searched; of Grid only categorical ones.
            seed: the same seed and history give the same choices.
        """
        self._strategy = strategy
        self._dimensions = list(dimensions)
        self._seed = seed

    @property
    def size(self) -> int:
        """How many combinations of categories there are."""
        return math.prod(len(dimension.values) for dimension in self._dimensions)

    def choose(self, index: int, known: Sequence[tuple[Values, float]]) -> Values:
        """Return the values of a training job.

        Args:
            index: of the job, from 0.
            known: the values of earlier jobs with their objectives; more is better.
        """
        if self._strategy == "Grid":
            chosen = next(itertools.islice(itertools.product(*(each.values for each in self._dimensions)), index, None))
            return {dimension.name: value for dimension, value in zip(self._dimensions, chosen, strict=True)}
        chance = random.Random(f"{self._seed}/{index}")  # noqa: S311 - a search, no secret
        if self._strategy == "Random" or len(known) < _FIRST_RANDOM:
            return self._drawn(chance)
        candidates = [self._drawn(chance) for _ in range(_CANDIDATES)]
        process = _Process([self._point(values) for values, _ in known], [objective for _, objective in known])
        return max(candidates, key=lambda values: process.improvement(self._point(values)))

    def _drawn(self, chance: random.Random) -> Values:
        return {dimension.name: dimension.at(chance.random()) for dimension in self._dimensions}

    def _point(self, values: Values) -> list[float]:
        return [part for dimension in self._dimensions for part in dimension.place(values[dimension.name])]


class _Process:
    """A Gaussian process through what is known, its objectives shifted and scaled to mean 0 and variance 1."""

    def __init__(self, points: list[list[float]], objectives: list[float]) -> None:
        mean = math.fsum(objectives) / len(objectives)
        spread = math.sqrt(math.fsum((value - mean) ** 2 for value in objectives) / len(objectives)) or 1.0
        scaled = [(value - mean) / spread for value in objectives]
        self._points = points
        self._best = max(scaled)
        kernel = [[_kernel(left, right) for right in points] for left in points]
        for row in range(len(points)):
            kernel[row][row] += _NOISE
        self._factor = _cholesky(kernel)
        self._weights = _backward(self._factor, _forward(self._factor, scaled))

    def improvement(self, point: list[float]) -> float:
        """Return the expected improvement over the best at a point."""
        near = [_kernel(point, other) for other in self._points]
        mean = math.fsum(weight * value for weight, value in zip(self._weights, near, strict=True))
        solved = _forward(self._factor, near)
        deviation = math.sqrt(max(1.0 - math.fsum(value * value for value in solved), 1e-12))
        ratio = (mean - self._best) / deviation
        density = math.exp(-ratio * ratio / 2) / math.sqrt(2 * math.pi)
        below = (1 + math.erf(ratio / math.sqrt(2))) / 2
        return (mean - self._best) * below + deviation * density


def _kernel(left: list[float], right: list[float]) -> float:
    distance = math.sqrt(5) * math.dist(left, right) / _LENGTH
    return (1 + distance + distance * distance / 3) * math.exp(-distance)


def _cholesky(matrix: list[list[float]]) -> list[list[float]]:
    factor = [[0.0] * len(matrix) for _ in matrix]
    for row in range(len(matrix)):
        for column in range(row + 1):
            rest = matrix[row][column] - math.fsum(factor[row][k] * factor[column][k] for k in range(column))
            factor[row][column] = math.sqrt(rest) if row == column else rest / factor[column][column]
    return factor


def _forward(factor: list[list[float]], right: list[float]) -> list[float]:
    solved: list[float] = []
    for row, value in enumerate(right):
        solved.append((value - math.fsum(factor[row][k] * solved[k] for k in range(row))) / factor[row][row])
    return solved


def _backward(factor: list[list[float]], right: list[float]) -> list[float]:
    size = len(right)
    solved = [0.0] * size
    for row in reversed(range(size)):
        rest = math.fsum(factor[k][row] * solved[k] for k in range(row + 1, size))
        solved[row] = (right[row] - rest) / factor[row][row]
    return solved
