"""The attempt at a piece of work: what identifies it, and what is written down before anything is started."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

KEY = "start_pipeline"


@dataclass(frozen=True)
class Epoch:
    """What tells one attempt of a run's task from the next.

    Airflow adds one to `clear_number` at every clear of the run, also of a sibling task; `max_tries` grows when this
    task is cleared after a try, and not by retries; a run that was deleted and made again keeps its id and has another
    start. None of it is a documented contract of Airflow: tests against a real one hold it.
    """

    clear_number: int
    max_tries: int
    run_started: str

    @classmethod
    def of(cls, context: Any) -> "Epoch":
        """Read it from the task's context."""
        run = context["dag_run"]
        started: datetime | None = run.start_date
        return cls(int(run.clear_number or 0), int(context["ti"].max_tries), started.isoformat() if started else "")


@dataclass
class StartRecord:
    """What is written before the call: whoever comes next knows what was asked for, and with which token.

    `since` (seconds since the epoch) is when the attempt began, for deadlines; `refusals` counts the quota's and the
    throttle's, for growing pauses; `serial` counts the executions that this attempt itself stopped.
    """

    clear_number: int
    max_tries: int
    run_started: str
    serial: int
    request: dict[str, Any]
    arn: str = ""
    stopped: bool = False
    since: float = 0.0
    refusals: int = 0

    @property
    def epoch(self) -> Epoch:
        """The attempt that the record belongs to."""
        return Epoch(self.clear_number, self.max_tries, self.run_started)

    def move_to(self, epoch: Epoch) -> None:
        """Let the record belong to another attempt, which goes on with the same execution."""
        self.clear_number, self.max_tries, self.run_started = epoch.clear_number, epoch.max_tries, epoch.run_started


class Records:
    """The record in Airflow's task state store, which survives retries, clears and lost workers."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def read(self) -> StartRecord | None:
        """Return what an earlier try wrote; None for the first."""
        stored = self.store.get(KEY)
        return StartRecord(**stored) if stored else None

    def write(self, record: StartRecord) -> None:
        """Write the record so that no clean-up takes it away before the run itself goes."""
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self.store.set(KEY, asdict(record), retention=NEVER_EXPIRE)
