"""Why a task or its trigger is being killed: Airflow calls `on_kill` for a person's act and for a deploy alike."""

import sys
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any

# Between SIGTERM and SIGKILL Airflow's supervisor leaves a task five seconds.
PATIENCE_SECONDS = 4.0


class Cause(Enum):
    """What Airflow says of the task instance at the moment of the kill."""

    FAILED = "a person, or the run's timeout, ended the task"
    CLEARED = "a person cleared the task"
    GONE = "the run was deleted"
    TIMED_OUT = "the task's execution_timeout passed"
    SUCCEEDED = "a person marked the task as success"
    LEFT = "nobody acted on the task: its worker is being shut down, or was given up for lost"


# After a clear the start begins anew, so what it had started must end; a sensor comes back to the same execution.
ENDS_A_START = frozenset({Cause.FAILED, Cause.CLEARED, Cause.GONE, Cause.TIMED_OUT})
ENDS_A_WAIT = ENDS_A_START - {Cause.CLEARED}

_STATES = {
    "success": Cause.SUCCEEDED,
    "failed": Cause.FAILED,
    "skipped": Cause.FAILED,
    "upstream_failed": Cause.FAILED,
    "removed": Cause.FAILED,
    # A cleared task instance is restarting if it ran, and has no state until the scheduler takes it up again.
    "restarting": Cause.CLEARED,
    "None": Cause.CLEARED,
    "scheduled": Cause.CLEARED,
    "queued": Cause.CLEARED,
    # Untouched, or taken from a worker that was given up: the next try goes on with the same execution.
    "running": Cause.LEFT,
    "deferred": Cause.LEFT,
    "up_for_retry": Cause.LEFT,
    "up_for_reschedule": Cause.LEFT,
}


def cause(ti: Any) -> Cause:
    """Ask Airflow in which state the task instance is now, and return what that says.

    Works in a task's process and in the triggerer (there in a thread: the call blocks).
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, map_index=ti.map_index, task_ids=[ti.task_id], run_ids=[ti.run_id]
    )
    found = states.get(ti.run_id, {})
    if not found:
        return Cause.GONE
    state = next(iter(found.values()))
    return _STATES.get(str(getattr(state, "value", state)), Cause.LEFT)


class Kill:
    """The kill of one running task: finds out why, calls `act` if it has to, and remembers what it found.

    `act` runs beside the task's main thread: Airflow's signal handler interrupts that one wherever it stands, perhaps
    in the middle of a call to its supervisor, and a second call from there would wait for itself. When the main thread
    cannot be waited for, the handler returns, and the thread goes on as soon as it can.
    """

    def __init__(self, act: Callable[[Cause], None], log: Any) -> None:
        self.act = act
        self.log = log
        self.cause: Cause | None = None

    def happen(self, ti: Any) -> None:
        """Do what `on_kill` must do, in at most the time that Airflow gives."""
        from airflow.sdk.exceptions import AirflowTaskTimeout

        if isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            self.cause = Cause.TIMED_OUT
            self.act(self.cause)
            return
        thread = threading.Thread(target=self._find_out, args=(ti,), name="on-kill", daemon=True)
        thread.start()
        thread.join(PATIENCE_SECONDS)

    def _find_out(self, ti: Any) -> None:
        try:
            self.cause = cause(ti)
            self.log.info("The task is being killed: %s", self.cause.value)
            self.act(self.cause)
        except Exception:
            self.log.exception("Why the task is being killed, or stopping what it started, could not be settled")
