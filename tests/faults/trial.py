"""One batch day under a fault: how it is run, what it is seen to do, and what was measured at its end."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from local import batches
from local.airflow import ENVIRONMENT
from local.errors import HouseError
from local.rest import FINAL_STATES, AirflowApi
from sagemaker_batch import names
from sagemaker_local.control import Control
from tests.faults import workers
from tests.faults.cloudfaults import CloudFault, cloud_fault
from tests.faults.workers import Worker
from tests.integration.conftest import USE_CASE, Laptop

# Tasks of the daily DAG, as sagemaker_batch.daily names them (which imports Airflow, so that it cannot be read here).
START, FINISH = "start_batch_monitor", "wait_for_batch_monitor"
ASSESS, PUBLISH = "assess_batch", "publish_predictions"
DEADLINE = 420.0
HELD_AT_MOST = 900
UNFINISHED = (None, "scheduled", "queued", "running", "deferred", "up_for_retry", "up_for_reschedule", "restarting")
AT_WORK = ("Executing", "Stopping")
_DAYS = threading.Lock()


@dataclass(frozen=True)
class Measured:
    """What a trial ended as.

    Attributes:
        executions: status of each execution that was started for the day, oldest first.
        runs: state of each DAG run, in the order in which they were asked for.
        tasks: state of each task of the last run.
        published: which of the executions the day's manifest names, counted from 1; None when there is no manifest.
    """

    executions: tuple[str, ...]
    runs: tuple[str, ...]
    tasks: dict[str, str]
    published: int | None


@dataclass
class Trial:
    """One batch day of a use case, the middle one where a fault takes several.

    Attributes:
        runs: ids of its DAG runs, in the order in which they were asked for.
        gone: the executions as they were when the fault deleted them.
        rows: how many records each day's input has.
    """

    laptop: Laptop
    control: Control
    use_case: str
    days: list[date]
    kind: str = "clean"
    runs: list[str] = field(default_factory=list)
    gone: dict[str, str] = field(default_factory=dict)
    rows: dict[date, int] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)

    @classmethod
    def prepared(cls, laptop: Laptop, use_case: str, kind: str, days: Iterable[date] | int) -> "Trial":
        """Take days that nobody else uses, or those that are named, and put their input there."""
        with _DAYS:
            taken = laptop.new_days(days) if isinstance(days, int) else list(days)
        trial = cls(laptop, Control(laptop.cloud.endpoint), use_case, taken, kind)
        for day in taken:
            trial.put(day, kind)
        return trial

    @property
    def day(self) -> date:
        return self.days[len(self.days) // 2]

    @property
    def dag(self) -> str:
        return names.batch_dag(self.use_case)

    @property
    def pipeline(self) -> str:
        return names.batch_pipeline(self.use_case, ENVIRONMENT)

    @property
    def key(self) -> str:
        """A glob that the requests of this day match, and no others."""
        return f"*dt={self.day}*"

    def put(self, day: date, kind: str) -> None:
        """Make a day's input."""
        self.rows[day] = self.laptop.put(day, kind)
        if self.use_case != USE_CASE:
            text = (self.laptop.folder / "days" / f"{day}.csv").read_bytes()
            self.laptop.put_text(day, text, use_case=self.use_case)

    # What a person does

    def start(self, run_id: str = "") -> str:
        """Trigger the day by hand."""
        body = {"logical_date": None, "conf": {"batch_day": self.day.isoformat()}}
        if run_id:
            body["dag_run_id"] = run_id
        run = str(self.api.request("POST", f"/dags/{self.dag}/dagRuns", json=body)["dag_run_id"])
        self.runs.append(run)
        return run

    def backfill(self, days: list[date], zone: str = "UTC", **options: Any) -> int:
        """Ask for a backfill of whole days of a time zone; return its number."""
        body = {
            "dag_id": self.dag,
            "from_date": datetime.combine(days[0], time(), ZoneInfo(zone)).isoformat(),
            "to_date": datetime.combine(days[-1], time(), ZoneInfo(zone)).isoformat(),
            "max_active_runs": 4,
            **options,
        }
        return int(self.api.request("POST", "/backfills", json=body)["id"])

    def backfilled(self, number: int, zone: str = "UTC", seconds: float = DEADLINE) -> dict[date, str]:
        """Wait until Airflow has completed a backfill; return the run of each of its days, and take the day's own."""
        self.wait(lambda: self.api.backfill_done(number), f"backfill {number} to be completed", seconds)
        found = {}
        for run in self.api.runs(self.dag):
            starts = run["data_interval_start"] if run["run_type"] == "backfill" else None
            day = datetime.fromisoformat(starts).astimezone(ZoneInfo(zone)).date() if starts else None
            if day in self.days:
                found[day] = str(run["dag_run_id"])
        self.runs = [found[self.day]]
        return found

    def mark(self, task_id: str, state: str) -> None:
        """Mark a task as a person does in the UI."""
        path = f"/dags/{self.dag}/dagRuns/{self.runs[-1]}/taskInstances/{task_id}"
        self.api.request("PATCH", path, json={"new_state": state})

    def clear(self, task_id: str, *, downstream: bool) -> None:
        """Clear a task as a person does in the UI, and wait until Airflow has begun anew."""
        before = self.task(task_id)
        body = {
            "dry_run": False,
            "dag_run_id": self.runs[-1],
            "task_ids": [task_id],
            "only_failed": False,
            "include_downstream": downstream,
            "reset_dag_runs": True,
        }
        self.api.request("POST", f"/dags/{self.dag}/clearTaskInstances", json=body)

        def begun() -> bool:
            now = self.task(task_id)
            return now["id"] != before["id"] or now["state"] in UNFINISHED

        self.wait(begun, f"the cleared task {task_id} to begin anew")

    # What is seen of it

    @property
    def api(self) -> AirflowApi:
        """Airflow's REST API, while the house is not being stopped."""
        if self.laptop.house.supervisor.stopping.is_set():
            raise HouseError("The house is being stopped.", "Play the faults again.")
        return self.laptop.api

    def task(self, task_id: str, run: str = "") -> dict[str, Any]:
        path = f"/dags/{self.dag}/dagRuns/{run or self.runs[-1]}/taskInstances/{task_id}"
        return dict(self.api.request("GET", path))

    def states(self, run: str = "") -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.api.tasks(self.dag, run or self.runs[-1])}

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
        self.laptop.wait(condition, f"{what} (batch day {self.day})", seconds)

    def until(self, task_id: str, *states: str) -> None:
        """Wait for a state of a task; a state that it cannot leave any more ends the wait as a failure."""

        def reached() -> bool:
            state = self.task(task_id)["state"]
            if state not in (*UNFINISHED, *states):
                raise AssertionError(f"{task_id} of batch day {self.day} is {state}; expected {' or '.join(states)}")
            return state in states

        self.wait(reached, f"{task_id} to be {' or '.join(states)}")

    @contextmanager
    def waiting(self) -> Iterator[str]:
        """Start the day, and wait until a task is deferred and its execution is at work; yields that task.

        The execution is held at its first read of the day's input for the time of the block.
        """
        with self.held_input() as hold:
            self.start()
            self.wait(lambda: hold.fired > 0 and bool(self._deferred()), "a task to wait for the execution")
            assert list(self.executions().values()) == ["Executing"]
            # Deferred is not yet waited for: the triggerer takes a trigger up a moment later, and looks a moment after.
            (arn,) = self.executions()
            with self.fault("latency", operation="DescribePipelineExecution", key=f"*{arn}*", seconds=0) as look:
                self.wait(lambda: look.fired > 0, "the triggerer to look at the execution")
            yield self._deferred()

    def days_in(self, state: str) -> int:
        """Count the runs of the DAG of which a task that waits for an execution is in the state."""
        rows = self.api.pages(f"/dags/{self.dag}/dagRuns/~/taskInstances", "task_instances", {"state": state})
        return len({row["dag_run_id"] for row in rows if row["task_id"] in {START, FINISH}})

    def _deferred(self) -> str:
        states = self.states()
        ended = [task for task in (START, FINISH) if states[task] in {"failed", "upstream_failed"}]
        assert not ended, f"{ended[0]} of batch day {self.day} failed before it waited"
        return next((task for task in (START, FINISH) if states[task] == "deferred"), "")

    def worker(self, task_id: str, *, frozen: bool = True) -> Worker:
        """Return the worker of a task, as soon as it appears."""
        return workers.catch(lambda: str(self.task(task_id)["id"]), f"{task_id} of batch day {self.day}", frozen=frozen)

    def executions(self, day: date | None = None) -> dict[str, str]:
        """Return ARN and status of every execution that was started for the day, oldest first.

        Counted in the local SageMaker, by the parameter that names the day's input.
        """
        sagemaker = self.laptop.cloud.sagemaker
        if self.gone:
            return self.gone
        found = {}
        pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
            PipelineName=self.pipeline, SortBy="CreationTime", SortOrder="Ascending"
        )
        for page in pages:
            for item in page["PipelineExecutionSummaries"]:
                arn = item["PipelineExecutionArn"]
                if self._input(arn).rstrip("/").endswith(f"dt={day or self.day}"):
                    found[arn] = item["PipelineExecutionStatus"]
        return found

    def _input(self, arn: str) -> str:
        if arn not in self._known:
            answer = self.laptop.cloud.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
            parameters = {item["Name"]: item["Value"] for item in answer["PipelineParameters"]}
            self._known[arn] = parameters["InputDataUri"]
        return self._known[arn]

    def execution_of(self, run: str) -> str:
        """Return the execution that a run started."""
        return str(self.api.xcom(self.dag, run, START))

    def state(self, run: str) -> str:
        return str(self.api.run(self.dag, run)["state"])

    def fault(self, kind: str, **members: Any) -> AbstractContextManager[CloudFault]:
        """Let AWS fail as the admin route's `kind` says, for the time of the block."""
        return cloud_fault(self.control, kind, **members)

    def held_input(self) -> AbstractContextManager[CloudFault]:
        """Let executions wait at their first read of the day's input, for the time of the block."""
        prefix = f"{names.input_prefix(self.use_case, self.day)}*"
        return self.fault("latency", operation="s3:GetObject", key=prefix, seconds=HELD_AT_MOST)

    def held_start(self) -> AbstractContextManager[CloudFault]:
        """Let the day's first start call wait before SageMaker performs it, for the time of the block."""
        return self.fault("latency", operation="StartPipelineExecution", key=self.key, seconds=HELD_AT_MOST, count=1)

    def step(self, arn: str, name: str) -> dict[str, Any] | None:
        """Return a step of an execution, or None before it has begun."""
        return next((step for step in self.laptop.cloud.steps(arn) if step["StepName"] == name), None)

    def manifest(self, day: date | None = None) -> dict[str, Any] | None:
        return self.laptop.cloud.read_json(names.manifest_key(self.use_case, day or self.day))

    def history(self) -> list[str]:
        """Return the executions of the former manifests that are kept."""
        prefix = names.history_key(self.use_case, self.day, "").removesuffix(".json")
        cloud = self.laptop.cloud
        return [cloud.read_json(key)["execution_arn"] for key in cloud.keys(prefix)]

    def log(self, task_id: str, run: str = "") -> str:
        run = run or self.runs[-1]
        return "\n".join(self.api.log(self.dag, run, self.task(task_id, run)))

    # Its end

    def finish(self) -> None:
        """Wait until every run and every execution of the day has ended."""

        def ended() -> bool:
            runs = [self.api.run(self.dag, run)["state"] in FINAL_STATES for run in self.runs]
            return all(runs) and not any(status in AT_WORK for status in self.executions().values())

        self.wait(ended, f"runs and executions of batch day {self.day} to end")

    def measure(self) -> Measured:
        """Wait for the end and read everything that a row needs; what is published is counted line by line."""
        self.finish()
        executions = self.executions()
        manifest = self.manifest()
        published = None
        if manifest is not None:
            assert manifest["execution_arn"] in executions, f"the manifest names {manifest['execution_arn']}"
            published = list(executions).index(manifest["execution_arn"]) + 1
            lines = sum(self.laptop.cloud.count_records(uri) for uri in batches.prediction_uris(manifest))
            rows = {manifest["rows_in"], manifest["rows_out"], lines, self.rows[self.day]}
            assert len(rows) == 1, f"the manifest's rows disagree: {manifest['rows_in']} in, {lines} predictions"
        return Measured(
            executions=tuple(executions.values()),
            runs=tuple(str(self.api.run(self.dag, run)["state"]) for run in self.runs),
            tasks=self.states() if self.runs else {},
            published=published,
        )
