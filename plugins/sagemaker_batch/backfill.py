"""What a task can learn of the other runs of its DAG: which days of a backfill are still to come, which died unheard.

A task's context knows neither its backfill nor that one's days. Three calls of the Task SDK do, together: the states of
a task in all runs (a queued run has its task instances from the start), and the detail of a run, which alone tells its
type: a backfill that reprocesses keeps the run id `scheduled__...`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

ACTIVE = {"queued", "running"}
HTTP_NOT_FOUND = 404


@dataclass(frozen=True)
class Day:
    """A run of a backfill: when its batch day starts, and when it was started itself (ISO 8601, empty if never)."""

    run_id: str
    clear_number: int
    starts: datetime | None
    started: str = ""


@dataclass(frozen=True)
class Standing:
    """How a DAG's backfills stand: a day that is still at work (the first that was found), and days that died."""

    at_work: Day | None
    died: list[Day]


Entered = Callable[[Day], bool]


def standing(ti: Any, dag_id: str, last_task: str, entered: Entered) -> Standing:
    """Look at every backfilled run that has not `entered`, the task instance's own run among them.

    A run died if it ended although its last task did not succeed.
    """
    died = []
    states = ti.get_task_states(dag_id=dag_id, task_ids=[last_task])
    # Newest first: of a backfill that is not through, the first run that we ask about is likely to be at work.
    for run_id in sorted(states, reverse=True):
        if str(states[run_id].get(last_task)) == "success":
            continue
        run = run_detail(dag_id, run_id)
        if run is None or _text(run.run_type) != "backfill":
            continue
        started = run.start_date.isoformat() if run.start_date else ""
        day = Day(run_id, int(run.clear_number or 0), run.data_interval_start, started)
        if entered(day):
            continue
        if _text(run.state) in ACTIVE:
            return Standing(day, [])
        died.append(day)
    return Standing(None, died)


def run_detail(dag_id: str, run_id: str) -> Any:
    """Return a run of the DAG as Airflow's execution API tells it; None when it was deleted."""
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import GetDagRun

    try:
        return task_runner.SUPERVISOR_COMMS.send(GetDagRun(dag_id=dag_id, run_id=run_id))
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") == HTTP_NOT_FOUND:
            return None
        raise


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))
