"""What people do to a run: clear, mark, delete, backfill again, ask for the same day twice."""

from datetime import date

import pytest

from local.errors import HouseError
from local.rest import FINAL_STATES
from tests.faults import workers
from tests.faults.house import BERLIN
from tests.faults.registry import Expected, fault
from tests.faults.trial import FINISH, PUBLISH, START, Trial

TWICE = ("Succeeded", "Succeeded")
BERLIN_ZONE = "Europe/Berlin"


@fault("Start cleared while its execution runs", "the start task and what follows it were cleared while waiting")
def cleared_while_running(trial: Trial) -> Expected:
    with trial.waiting():
        trial.clear(START, downstream=True)
        trial.wait(lambda: "Executing" not in trial.executions().values(), "the execution to be stopped")
        assert len(trial.executions()) == 1, "a second execution was started while the first was Stopping"
    return Expected(executions=("Stopped", "Succeeded"), published=2)


@fault("Sensor cleared", "the sensor and what follows it were cleared after success")
def sensor_cleared(trial: Trial) -> Expected:
    trial.start()
    trial.finish()
    trial.clear(FINISH, downstream=True)
    return Expected()


@fault("Start cleared after success", "the start task and what follows it were cleared after the day was published")
def cleared_after_success(trial: Trial) -> Expected:
    trial.start()
    trial.finish()
    (first,) = trial.executions()
    trial.clear(START, downstream=True)
    trial.finish()
    assert trial.history() == [first], "the former manifest is not in the history"
    return Expected(executions=TWICE, published=2)


@fault("Start cleared after failure", "a step's job was killed; then the start task and what follows it were cleared")
def cleared_after_failure(trial: Trial) -> Expected:
    with trial.waiting():
        (arn,) = trial.executions()
    workers.kill_job("processing-job", arn, "PrepareBatch")
    trial.finish()
    trial.clear(START, downstream=True)
    return Expected(executions=("Failed", "Succeeded"), published=2)


@fault("Marked failed while waiting", "the waiting task was marked failed", pace="short")
def marked_failed(trial: Trial) -> Expected:
    with trial.waiting() as task:
        trial.mark(task, "failed")
        trial.wait(lambda: "Executing" not in trial.executions().values(), "the execution to be stopped")
    return Expected(executions=("Stopped",), runs=("failed",), published=None, tasks={PUBLISH: "upstream_failed"})


@fault(
    "Marked success while waiting", "the waiting task was marked success: its execution is nobody's business any more"
)
def marked_success(trial: Trial) -> Expected:
    with trial.waiting() as task:
        trial.mark(task, "success")
        trial.wait(lambda: trial.task(task)["state"] == "success", "the task to be marked")
    trial.finish()
    published = trial.manifest() is not None
    return Expected(runs=("success",) if published else ("failed",), published=1 if published else None)


@fault(
    "DAG run deleted",
    "while waiting the run was marked failed, deleted, and triggered again under the same run id",
)
def run_deleted(trial: Trial) -> Expected:
    with trial.waiting():
        run = trial.runs.pop()
        trial.api.request("PATCH", f"/dags/{trial.dag}/dagRuns/{run}", json={"state": "failed"})
        trial.wait(lambda: "Executing" not in trial.executions().values(), "the execution to be stopped")
        # Its teardown is still run, and Airflow deletes no run that is at work.
        trial.wait(lambda: trial.state(run) in FINAL_STATES, "the run to end")
        trial.api.request("DELETE", f"/dags/{trial.dag}/dagRuns/{run}")
    trial.start(run)
    return Expected(executions=("Stopped", "Succeeded"), published=2)


@fault("Two runs of one day at once", "the day was triggered twice; both executions ran at the same time")
def two_runs_at_once(trial: Trial) -> Expected:
    with trial.held_input():
        trial.start()
        trial.start()
        trial.wait(lambda: list(trial.executions().values()) == ["Executing"] * 2, "two executions at work")
    trial.finish()
    first, _second = trial.executions()
    older, newer = sorted(trial.runs, key=lambda run: list(trial.executions()).index(trial.execution_of(run)))
    assert trial.state(newer) == "success"
    if trial.state(older) == "failed":
        assert "was published by a newer execution" in trial.log(PUBLISH, older)
    else:
        assert trial.history() == [first], "the older run published and its manifest is not in the history"
    return Expected(executions=TWICE, runs=tuple(trial.state(run) for run in trial.runs), published=2)


@fault(
    "Two overlapping backfills",
    "a second backfill over a day of the first: refused while that runs, then asked again",
    days=3,
    backfills=True,
)
def overlapping_backfills(trial: Trial) -> Expected:
    first = trial.backfill(trial.days[:2])
    with pytest.raises(HouseError, match="Airflow answered 409"):
        trial.backfill(trial.days[1:])
    trial.backfilled(first)
    trial.backfilled(trial.backfill(trial.days[1:]))
    for day in trial.days:
        assert list(trial.executions(day).values()) == ["Succeeded"], f"{day}: {trial.executions(day)}"
        assert trial.manifest(day) is not None
    return Expected()


@fault(
    "Backfill reprocess",
    "a backfilled, published day was backfilled again with reprocess_behavior=completed",
    backfills=True,
)
def backfill_reprocessed(trial: Trial) -> Expected:
    trial.backfilled(trial.backfill(trial.days))
    (first,) = trial.executions()
    trial.backfilled(trial.backfill(trial.days, reprocess_behavior="completed"))
    assert trial.history() == [first], "the former manifest is not in the history"
    return Expected(executions=TWICE, published=2)


def backfilled_in_berlin(trial: Trial) -> Expected:
    """Backfill the trial's days of Berlin: each is run once, as itself, and published."""
    runs = trial.backfilled(trial.backfill(trial.days, BERLIN_ZONE), BERLIN_ZONE)
    assert sorted(runs) == trial.days, f"the backfill ran {sorted(runs)}"
    for day in trial.days:
        assert list(trial.executions(day).values()) == ["Succeeded"], f"{day}: {trial.executions(day)}"
        manifest = trial.manifest(day)
        assert manifest is not None
        assert manifest["batch_day"] == day.isoformat()
    return Expected()


@fault(
    "Clock put forward (DST)",
    "a backfill of 28-30 March 2026 in Europe/Berlin, where the 29th has 23 hours",
    use_case=BERLIN,
    days=(date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)),
    backfills=True,
)
def clock_put_forward(trial: Trial) -> Expected:
    return backfilled_in_berlin(trial)


@fault(
    "Clock put back (DST)",
    "a backfill of 24-26 October 2026 in Europe/Berlin, where the 25th has 25 hours",
    use_case=BERLIN,
    days=(date(2026, 10, 24), date(2026, 10, 25), date(2026, 10, 26)),
    backfills=True,
)
def clock_put_back(trial: Trial) -> Expected:
    return backfilled_in_berlin(trial)
