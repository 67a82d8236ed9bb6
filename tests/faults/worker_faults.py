"""Workers that die or are asked to end, before, during and after the call that starts the execution, and later."""

from tests.faults.registry import Expected, fault
from tests.faults.trial import FINISH, START, Trial
from tests.faults.workers import Worker

BEGUN_ANEW = {"up_for_retry", "scheduled", "queued", "running", "deferred", "success"}


def in_start_call(trial: Trial, call: object) -> Worker:
    """Start the day and return the worker of its start task while that has no answer from SageMaker."""
    trial.start()
    worker = trial.worker(START, frozen=False)
    trial.wait(lambda: call.fired > 0, "the start call to be held")
    return worker


@fault("Worker SIGKILL before the start call", "the start task's worker was killed before it had run code of ours")
def worker_killed_before_start(trial: Trial) -> Expected:
    trial.start()
    worker = trial.worker(START)
    assert not trial.executions(), "it had called already"
    worker.kill()
    assert not trial.executions(), "it had called already"
    return Expected()


@fault("Worker SIGKILL during the start call", "the worker was killed while StartPipelineExecution had no answer yet")
def worker_killed_during_start(trial: Trial) -> Expected:
    with trial.held_start() as call:
        in_start_call(trial, call).kill()
    return Expected()


@fault(
    "Worker SIGKILL after the start call",
    "the worker was frozen in the start call and killed once SageMaker had started the execution: nothing recorded it",
)
def worker_killed_after_start(trial: Trial) -> Expected:
    with trial.held_start() as call:
        worker = in_start_call(trial, call)
        worker.freeze()
    trial.wait(lambda: len(trial.executions()) == 1, "the execution to be started")
    worker.kill()
    return Expected()


@fault(
    "Start task's process SIGKILL (out of memory)",
    "the task's process alone was killed in the start call",
    pace="short",
)
def task_killed_during_start(trial: Trial) -> Expected:
    with trial.held_start() as call:
        in_start_call(trial, call).kill_task()
    return Expected()


@fault("Worker SIGKILL while waiting", "the sensor's worker was killed before it had looked at the execution")
def worker_killed_while_waiting(trial: Trial) -> Expected:
    with trial.waiting():
        pass
    trial.worker(FINISH).kill()
    return Expected()


@fault(
    "Worker SIGTERM in the start call (deploy)",
    "SIGTERM to the worker while StartPipelineExecution had no answer",
    pace="short",
)
def worker_terminated_during_start(trial: Trial) -> Expected:
    with trial.held_start() as call:
        in_start_call(trial, call).terminate()
    return Expected()


@fault("Worker SIGTERM while waiting (deploy)", "SIGTERM to the sensor's worker while it looked at the execution")
def worker_terminated_while_waiting(trial: Trial) -> Expected:
    trial.start()
    worker = trial.worker(FINISH)
    (arn,) = trial.executions()
    with trial.fault("latency", operation="DescribePipelineExecution", key=f"*{arn}*", seconds=60, count=1) as look:
        worker.thaw()
        trial.wait(lambda: look.fired > 0, "the task to look at the execution")
        worker.terminate()
    return Expected()
