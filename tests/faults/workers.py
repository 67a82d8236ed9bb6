"""Airflow's workers in the process table: found by the task instance they work on, frozen, and ended by a signal.

A LocalExecutor's task is two processes: the worker, which supervises and speaks to Airflow, and the task's own, which
runs the operator. Both carry the task instance's id in their titles. A machine that dies takes both with it.
"""

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local import proctable
from local.errors import HouseError

PROC = Path("/proc")
TASK_TITLE = "airflow worker -- {}"
WORKER_TITLE = "airflow worker -- LocalExecutor: {}"
# A task's process needs about half a second before it runs any code of ours.
LOOK_SECONDS = 0.005
DEADLINE_SECONDS = 300.0
JOB_MARKER = b"SAGEMAKER_LOCAL_JOB="


@dataclass(frozen=True)
class Worker:
    """The two processes behind a running task instance."""

    task: int
    supervisor: int

    def freeze(self) -> None:
        """Let neither run on (SIGSTOP)."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let both run on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End both at once, as a machine that loses its power does, and see that they are gone."""
        self.signal(signal.SIGKILL)
        self._await_end({self.task, self.supervisor})

    def kill_task(self) -> None:
        """End the task's process alone, as the kernel does when memory runs out."""
        proctable.send(self.task, signal.SIGKILL)
        self._await_end({self.task})

    def terminate(self) -> None:
        """Ask both to end, as a deployment or a scale-in does; neither is waited for."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        for pid in (self.supervisor, self.task):
            proctable.send(pid, number)

    def alive(self) -> set[int]:
        table = proctable.entries()
        return {pid for pid in (self.task, self.supervisor) if pid in table and table[pid].alive}

    def _await_end(self, pids: set[int]) -> None:
        wait(lambda: not (self.alive() & pids), f"the processes {sorted(pids)} to end after SIGKILL", 30.0)


def catch(task_instance_id: Callable[[], str], what: str, *, frozen: bool = True) -> Worker:
    """Wait for the worker of a task instance; freeze it as soon as it appears, before it has run code of ours.

    Args:
        task_instance_id: the id that the task instance has now (a retry has another).
        what: the task, for the message.
        frozen: leave it frozen.
    """
    until = time.monotonic() + DEADLINE_SECONDS
    wanted = task_instance_id()
    looked_up = time.monotonic()
    # An API that is slow to answer must not keep us from looking: the task would be over.
    with ThreadPoolExecutor(1) as beside:
        asked: Future[str] | None = None
        while True:
            if (worker := find(wanted)) is not None:
                if frozen:
                    worker.freeze()
                return worker
            now = time.monotonic()
            if now > until:
                raise HouseError(f"No worker took {what} (task instance {wanted}).", "Read scheduler.log in the house.")
            if asked is not None and asked.done():
                wanted, looked_up, asked = asked.result(), now, None
            if asked is None and now - looked_up > 1.0:
                asked = beside.submit(task_instance_id)
            time.sleep(LOOK_SECONDS)


def find(task_instance_id: str) -> Worker | None:
    """Return the processes that work on the task instance, or None."""
    titles = {
        TASK_TITLE.format(task_instance_id).encode(): "task",
        WORKER_TITLE.format(task_instance_id).encode(): "supervisor",
    }
    found: dict[str, int] = {}
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            title = (folder / "cmdline").read_bytes().rstrip(b"\0")
        except OSError:  # ended meanwhile
            continue
        if title in titles:
            found[titles[title]] = int(folder.name)
    return Worker(found["task"], found["supervisor"]) if len(found) == 2 else None


def kill_job(kind: str, execution: str, step: str) -> None:
    """Wait for the job of a step and end its processes (SIGKILL).

    Args:
        kind: ``processing-job`` or ``transform-job``, as in the job's ARN.
        execution: the execution's ARN; the job's name carries its id.
        step: the step's name, or how it begins.
    """
    needle = f":{kind}/pipelines-{execution.rsplit('/', 1)[-1]}-{step}".encode()
    wait(lambda: _kill_marked(needle) > 0, f"a {kind} of the step {step} to run", DEADLINE_SECONDS)


def _kill_marked(needle: bytes) -> int:
    count = 0
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile, or somebody else's
            continue
        if any(item.startswith(JOB_MARKER) and needle in item for item in variables):
            proctable.send(int(folder.name), signal.SIGKILL)
            count += 1
    return count


def wait(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait for a condition of the process table."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise HouseError(f"Waited {seconds:.0f} s in vain for {what}.", "The logs in the house's folder say why.")
        time.sleep(LOOK_SECONDS)
