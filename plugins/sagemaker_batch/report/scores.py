"""The distribution of scores: counted from predictions as they stream by, never kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

BINS = 20
CHUNK_BYTES = 1 << 20


@dataclass
class ScoreCounts:
    """Counts over `BINS` equal bins from `low` to `high`; what lies outside or is no number is counted apart.

    A classifier's scores lie from 0 to 1. A regression's have the range of those on its test rows, with half
    of it more on either side, so that days of one model compare.
    """

    low: float = 0.0
    high: float = 1.0
    counts: list[int] = field(default_factory=lambda: [0] * BINS)
    total: float = 0.0
    outside: int = 0

    @property
    def count(self) -> int:
        """How many scores lie within."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """Their mean."""
        return self.total / self.count if self.count else None

    @property
    def edges(self) -> list[float]:
        """The bins' edges."""
        return [self.low + (self.high - self.low) * index / BINS for index in range(BINS + 1)]

    def add(self, value: bytes) -> None:
        """Count one score."""
        try:
            score = float(value)
        except ValueError:
            self.outside += 1
            return
        if self.low <= score <= self.high:
            place = int((score - self.low) / (self.high - self.low) * BINS)
            self.counts[min(place, BINS - 1)] += 1
            self.total += score
        else:
            self.outside += 1

    def as_dict(self) -> dict[str, Any]:
        """Return it as the report's record carries it."""
        return {
            "low": self.low,
            "high": self.high,
            "counts": self.counts,
            "mean": self.mean,
            "outside": self.outside,
        }


def of_predictions(bodies: Iterable[Any], low: float = 0.0, high: float = 1.0) -> ScoreCounts:
    """Count the last cell of every line (`id,score`) of open objects."""
    found = ScoreCounts(low, high)
    for body in bodies:
        for line in _lines(body):
            found.add(line.rsplit(b",", 1)[-1])
    return found


def of_evaluation(body: Any) -> ScoreCounts:
    """Count evaluation/predictions.csv: its column `probability`, or a regression's `prediction`."""
    lines = _lines(body)
    head = next(lines, b"").decode().split(",")
    if "probability" in head:
        column, found = head.index("probability"), ScoreCounts()
        for line in lines:
            found.add(line.split(b",")[column])
        return found
    if "prediction" not in head:
        return ScoreCounts()
    column = head.index("prediction")
    values = [line.split(b",")[column] for line in lines]
    low, high = _range([float(value) for value in values])
    found = ScoreCounts(low, high)
    for value in values:
        found.add(value)
    return found


def _range(values: list[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    half = (high - low) / 2 or 0.5
    return low - half, high + half


def _lines(body: Any) -> Iterator[bytes]:
    """Yield records: a newline within quotes belongs to its record."""
    rest, open_record = b"", b""
    for chunk in iter(lambda: body.read(CHUNK_BYTES), b""):
        *ended, rest = (rest + chunk).split(b"\n")
        for line in ended:
            whole = open_record + b"\n" + line if open_record else line
            open_record = whole if whole.count(b'"') % 2 else b""
            if not open_record and whole.strip():
                yield whole
    if rest.strip() or open_record:
        yield open_record + rest
