"""The distribution of scores: counted from predictions as they stream by, never kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

BINS = 20
CHUNK_BYTES = 1 << 20


@dataclass
class ScoreCounts:
    """Counts over `BINS` equal bins from 0 to 1; what lies outside or is no number is counted apart."""

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

    def add(self, value: bytes) -> None:
        """Count one score."""
        try:
            score = float(value)
        except ValueError:
            self.outside += 1
            return
        if 0.0 <= score <= 1.0:
            self.counts[min(int(score * BINS), BINS - 1)] += 1
            self.total += score
        else:
            self.outside += 1

    def as_dict(self) -> dict[str, Any]:
        """Return it as the report's record carries it."""
        return {"counts": self.counts, "mean": self.mean, "outside": self.outside}


def edges() -> list[float]:
    """Return the bins' edges."""
    return [index / BINS for index in range(BINS + 1)]


def of_predictions(bodies: Iterable[Any]) -> ScoreCounts:
    """Count the last cell of every line (`id,score`) of open objects."""
    found = ScoreCounts()
    for body in bodies:
        for line in _lines(body):
            found.add(line.rsplit(b",", 1)[-1])
    return found


def of_evaluation(body: Any) -> ScoreCounts:
    """Count the column `probability` of evaluation/predictions.csv."""
    lines, found = _lines(body), ScoreCounts()
    head = next(lines, b"").decode().split(",")
    if "probability" not in head:
        return found
    column = head.index("probability")
    for line in lines:
        found.add(line.split(b",")[column])
    return found


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
