"""The cap on executions at work, proven inside the local SageMaker under a real Airflow.

Two backfills of CAP_DAYS days each (60 unless set) overlap with a DAG that the clock runs, all for a pool far smaller
than what they ask for. The pipeline is one Callback step which this test answers, so an execution lasts as long as the
test wants and costs no CPU.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from local.cloud import Cloud
from local.house import House, Ports
from local.rest import FINAL_STATES, AirflowApi
from local.secretfile import USER
from sagemaker_local.control import Control

DAYS = int(os.environ.get("CAP_DAYS", "60"))
CAP = 4
LAST_DAY = date(2026, 3, 31)
SECONDS_AT_WORK = 2.0
pytestmark = pytest.mark.timeout(3600)


class Answers(threading.Thread):
    """Answers each Callback step when its time is up."""

    def __init__(self, cloud: Cloud, queue: str) -> None:
        super().__init__(name="answers", daemon=True)
        self.sqs, self.sagemaker, self.queue = cloud.client("sqs"), cloud.client("sagemaker"), queue
        self.ended = threading.Event()
        self.given = 0
        self.troubles: list[Exception] = []

    def run(self) -> None:
        waiting: list[tuple[float, str]] = []
        while not self.ended.is_set():
            try:
                found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
                for message in found.get("Messages", []):
                    waiting.append((time.monotonic() + SECONDS_AT_WORK, json.loads(message["Body"])["token"]))
                    self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                due = [token for moment, token in waiting if moment <= time.monotonic()]
                waiting = [item for item in waiting if item[1] not in due]
                for token in due:
                    self.sagemaker.send_pipeline_execution_step_success(CallbackToken=token)
                    self.given += 1
            except Exception as error:  # noqa: BLE001 - the test reads it
                self.troubles.append(error)
                return


class Scene:
    """A house with the three DAGs, its pipeline, and who answers."""

    def __init__(self, house: House) -> None:
        self.api = AirflowApi(house.airflow.url, USER, house.secrets["password"], house.check)
        self.cloud = Cloud(house.aws.url, "churn")
        self.control = Control(house.aws.url)
        queue = self.cloud.client("sqs").create_queue(QueueName="cap-proof")["QueueUrl"]
        step = {"Name": "Work", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}, "OutputParameters": []}
        self.cloud.sagemaker.create_pipeline(
            PipelineName="cap-proof",
            PipelineDefinition=json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step]}),
            ClientRequestToken="cap-proof-" + "0" * 32,
            RoleArn="arn:aws:iam::000000000000:role/sagemaker-batch-execution-local",
        )
        self.answers = Answers(self.cloud, queue)
        self.answers.start()

    def close(self) -> None:
        """Let go of the connections."""
        self.api.client.close()
        for client in (self.answers.sqs, self.answers.sagemaker, self.cloud.s3, self.cloud.sagemaker):
            client.close()

    def runs(self, *dags: str) -> list[dict]:
        return [run for dag in dags for run in self.api.runs(dag)]

    def finish(self, expected: int, *dags: str, seconds: float) -> list[dict]:
        """Wait until that many runs have ended; return all."""

        def done() -> bool:
            assert not self.answers.troubles, self.answers.troubles
            states = [run["state"] for run in self.runs(*dags)]
            return sum(state in FINAL_STATES for state in states) >= expected

        self.api.wait(done, seconds, lambda: f"{expected} runs of {', '.join(dags)} to end")
        return self.runs(*dags)

    def tries(self, runs: list[dict]) -> list[tuple[str, int, str]]:
        """Return task, number of tries and state of every task of the runs."""
        return [
            (f"{run['dag_id']} {run['dag_run_id']} {task['task_id']}", task["try_number"], task["state"])
            for run in runs
            for task in self.api.tasks(run["dag_id"], run["dag_run_id"])
        ]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    overrides = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "cap_dags"),
        "AIRFLOW__SAGEMAKER_BATCH__MAX_EXECUTIONS": str(CAP),
    }
    with (
        tempfile.TemporaryDirectory(prefix="batch-cap-") as folder,
        House(Path(folder), Ports.free(), schedule=True, overrides=overrides) as house,
    ):
        # No deployment: the one pipeline here is made by the test.
        house.supervisor.wait_ready(house.supervisor.launch(house.aws.spec(house.logs / "aws.log")))
        house.start_airflow()
        scene = Scene(house)
        scene.api.wait_for_dags(["first", "second", "clock"])
        yield scene
        scene.answers.ended.set()
        scene.answers.join(30)
        scene.close()


def test_the_pool_makes_itself(scene: Scene) -> None:
    """The plugin made it at the scheduler's start, with the configured size; without it no start would ever run."""
    pool = scene.api.request("GET", "/pools/sagemaker_executions")
    assert (pool["slots"], pool["include_deferred"]) == (CAP, True)


def test_backfills_and_the_clock_together_never_pass_the_cap(scene: Scene) -> None:
    """Every start that can race for the last place does; the most that SageMaker saw at one time is the pool's size."""
    scene.control.reset_calls()
    for dag in ("first", "second", "clock"):
        scene.api.unpause(dag)
    begun = time.monotonic()
    first_day = LAST_DAY - timedelta(days=DAYS - 1)
    for dag in ("first", "second"):
        scene.api.backfill(dag, first_day, LAST_DAY, max_active_runs=30, reprocess_behavior="none")
    # Each of the three also has scheduled runs: five of the clock's, and yesterday's of the others.
    expected = 2 * DAYS + 5 + 2
    runs = scene.finish(expected, "first", "second", "clock", seconds=40 * expected)
    tries = scene.tries(runs)
    calls = scene.control.calls()
    sys.stdout.write(
        f"\n{len(runs)} runs in {time.monotonic() - begun:.0f} s ({datetime.now(UTC):%Y-%m-%d %H:%M} UTC): "
        f"most at work {calls['concurrent_executions']['most']} of {CAP}, "
        f"started {calls['operations']['StartPipelineExecution']}, refused {calls['errors']}"
    )
    assert [found for found in tries if found[2] != "success"] == []
    assert [found for found in tries if found[1] != 1] == []
    assert calls["concurrent_executions"]["most"] == CAP
    assert calls["operations"]["StartPipelineExecution"] == len(runs)
    assert "StartPipelineExecution" not in calls["errors"]


def test_a_quota_below_the_cap_costs_no_retry(scene: Scene) -> None:
    """Others use the account too: starts beyond the quota wait, and each ends at its first try."""
    before = {run["dag_run_id"] for run in scene.runs("first")}
    scene.control.reset_calls()
    scene.control.set_quotas(concurrent_executions=CAP // 2)
    last = LAST_DAY - timedelta(days=DAYS + 10)
    days = min(DAYS, 10)
    scene.api.backfill("first", last - timedelta(days=days - 1), last, max_active_runs=30, reprocess_behavior="none")
    try:
        scene.finish(len(before) + days, "first", seconds=60 * days)
    finally:
        scene.control.set_quotas(concurrent_executions=20)
    tries = scene.tries([run for run in scene.runs("first") if run["dag_run_id"] not in before])
    calls = scene.control.calls()
    sys.stdout.write(f"\nmost at work {calls['concurrent_executions']['most']}, refused {calls['errors']}")
    assert len(tries) == 2 * days
    assert {(number, state) for _, number, state in tries} == {(1, "success")}
    assert calls["concurrent_executions"]["most"] <= CAP // 2
    assert calls["errors"]["StartPipelineExecution"]["ResourceLimitExceeded"] > 0


def test_a_deleted_pool_comes_back(scene: Scene) -> None:
    """Without it the starts of every DAG would wait for ever, and nobody would hear of it."""
    scene.api.request("DELETE", "/pools/sagemaker_executions")
    run_id = scene.api.trigger("second", None)
    scene.api.wait(lambda: scene.api.run("second", run_id)["state"] in FINAL_STATES, 300, lambda: "the run to end")
    assert scene.api.run("second", run_id)["state"] == "success"
    assert scene.api.request("GET", "/pools/sagemaker_executions")["slots"] == CAP
