"""The faults of the table: each a function that hurts one trial, and says how it must end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from tests.faults.trial import Trial

Pace = Literal["short", "usual", "long"]


@dataclass(frozen=True)
class Expected:
    """How a trial must end; fields as in `Measured`, and only the tasks that are named are compared."""

    executions: tuple[str, ...] = ("Succeeded",)
    runs: tuple[str, ...] = ("success",)
    published: int | None = 1
    tasks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        name: the fault.
        done: what was done, one sentence.
        play: does it, and returns what must come of it.
        alone: it hurts a part that every run needs, so nothing else runs meanwhile.
        kind: of the day's data.
        use_case: whose day it is.
        days: how many consecutive days it takes, or which.
        pace: a sample is drawn from the short ones, which end as soon as a run that nothing hurts; long ones are
            played first.
        backfills: it asks for backfills, of which Airflow allows one at a time for a DAG.
    """

    name: str
    done: str
    play: Callable[[Trial], Expected]
    alone: bool
    kind: str
    use_case: str
    days: tuple[date, ...] | int
    pace: Pace
    backfills: bool

    @property
    def id(self) -> str:
        """Short name, to ask for it alone."""
        return self.play.__name__


# In the order in which the modules were imported; play.py has the table's.
FAULTS: list[Fault] = []
Play = Callable[[Trial], Expected]


def fault(
    name: str,
    done: str,
    *,
    alone: bool = False,
    kind: str = "clean",
    use_case: str = "churn",
    days: tuple[date, ...] | int = 1,
    pace: Pace = "usual",
    backfills: bool = False,
) -> Callable[[Play], Play]:
    """Enter a function into the table."""

    def enter(play: Play) -> Play:
        FAULTS.append(Fault(name, done, play, alone, kind, use_case, days, pace, backfills))
        return play

    return enter
