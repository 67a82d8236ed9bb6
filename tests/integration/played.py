"""Days of every kind that were run: what several files of tests look at, played once a session."""

from dataclasses import dataclass
from datetime import date
from typing import Any

KINDS = ("clean", "drifted", "nulls", "missing-column", None)


@dataclass(frozen=True)
class Day:
    """A day that was run."""

    day: date
    run: dict[str, Any]
    states: dict[str, str]


@dataclass(frozen=True)
class Played:
    """One backfill over a day of every kind and one without input; beside it two runs by hand."""

    backfilled: dict[str | None, Day]
    by_hand: dict[str, Day]

    @property
    def all(self) -> dict[tuple[str, str | None], Day]:
        """Every run by how it was asked for and kind of day."""
        return {
            **{("backfill", kind): day for kind, day in self.backfilled.items()},
            **{("manual", kind): day for kind, day in self.by_hand.items()},
        }
