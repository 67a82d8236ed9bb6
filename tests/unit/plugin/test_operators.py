"""Starting exactly once per attempt at the work."""

import importlib.util
import json
import pathlib
import signal
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout, TaskDeferred

from sagemaker_batch import kill
from sagemaker_batch.attempt import KEY as RECORD
from sagemaker_batch.kill import Cause
from sagemaker_batch.operators import StartPipelineOperator
from sagemaker_batch.trigger import HoldTrigger, PauseTrigger

_spec = importlib.util.spec_from_file_location("plugin_fakes", pathlib.Path(__file__).with_name("fakes.py"))
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)


class Worker:
    """One DAG run with its state store; each `try_` is a new process that knows only what Airflow keeps."""

    def __init__(self, sagemaker):
        self.sagemaker = sagemaker
        self.store = fakes.FakeStore()
        self.clear_number = 0
        self.max_tries = 2
        self.started = datetime(2026, 3, 4, 0, 5, tzinfo=UTC)
        self.operator = None
        self.xcoms = {}
        self.deferral = None

    def context(self):
        ti = SimpleNamespace(
            dag_id="d",
            run_id="r",
            task_id="start",
            map_index=-1,
            max_tries=self.max_tries,
            xcom_push=lambda key, value: self.xcoms.update({key: value}),
        )
        run = SimpleNamespace(clear_number=self.clear_number, start_date=self.started, run_type="scheduled")
        return {"ti": ti, "dag_run": run, "task_state_store": self.store}

    def task(self, **changes):
        arguments = {"pipeline_name": "p", "parameters": {"InputDataUri": "s3://b/day/"}, **changes}
        self.operator = StartPipelineOperator(task_id="start", about="2026-03-03", **arguments)
        self.operator._client = lambda: self.sagemaker
        return self.operator

    def try_(self, **changes):
        """Run until the task holds its execution; returns the ARN."""
        with pytest.raises(TaskDeferred) as caught:
            self.task(**changes).execute(self.context())
        self.deferral = caught.value
        assert isinstance(self.deferral.trigger, HoldTrigger), "the task waits for something else"
        return self.xcoms["return_value"]

    def pause(self, **changes):
        """Run until the task waits for a better moment; returns for how long."""
        with pytest.raises(TaskDeferred) as caught:
            self.task(**changes).execute(self.context())
        assert isinstance(caught.value.trigger, PauseTrigger)
        assert caught.value.method_name == "execute_again"
        return caught.value.trigger.until - time.time()

    def clear(self, *, itself=True):
        """What Airflow does: each clear counts on the run, which starts anew; a finished task's max_tries grows."""
        self.clear_number += 1
        self.max_tries += 3 if itself else 0
        self.started = self.started.replace(minute=self.started.minute + 1)


@pytest.fixture
def sagemaker():
    return fakes.FakeSageMaker()


@pytest.fixture
def worker(sagemaker):
    return Worker(sagemaker)


def test_a_retry_reattaches(worker, sagemaker):
    """The second try sends nothing and returns the same ARN."""
    assert worker.try_() == worker.try_()
    assert sagemaker.count("start_pipeline_execution") == 1


def test_a_lost_response_starts_one_execution(worker, sagemaker):
    """SageMaker started it, and the answer never came: the retry asks with the same token."""
    sagemaker.fail_next = [("start_pipeline_execution", "after", fakes.no_connection())]
    with pytest.raises(fakes.EndpointConnectionError):
        worker.task().execute(worker.context())
    worker.try_()
    assert len(sagemaker.executions) == 1


def test_a_worker_killed_before_the_call_leaves_its_request(worker, sagemaker):
    """Token and request are written first; whoever comes next sends exactly them."""
    sagemaker.fail_next = [("start_pipeline_execution", "before", KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        worker.task().execute(worker.context())
    recorded = worker.store.get(RECORD)["request"]
    worker.try_()
    assert sagemaker.calls[-1][1] == recorded


def test_a_retry_resends_what_was_recorded_even_if_the_configuration_changed(worker, sagemaker):
    """The same token with another request would be refused, or worse, accepted."""
    sagemaker.fail_next = [("start_pipeline_execution", "after", fakes.no_connection())]
    with pytest.raises(fakes.EndpointConnectionError):
        worker.task().execute(worker.context())
    worker.try_(parameters={"InputDataUri": "s3://b/other/"})
    first, second = (request for name, request in sagemaker.calls if name == "start_pipeline_execution")
    assert first == second


def test_a_clear_after_the_end_starts_anew(worker, sagemaker):
    """A person who clears the start wants the work done again."""
    first = worker.try_()
    sagemaker.executions[first]["status"] = "Succeeded"
    worker.clear()
    assert worker.try_() != first


def test_a_clear_while_it_runs_stops_the_old_one_first(worker, sagemaker):
    """Two executions of one day never run side by side."""
    first = worker.try_()
    worker.clear()
    second = worker.try_()
    assert second != first
    assert sagemaker.executions[first]["status"] == "Stopped"
    assert sagemaker.executions[second]["status"] == "Executing"


def test_a_neighbours_clear_reattaches_to_what_is_at_work(worker, sagemaker):
    """The run's counter moves for everyone; this task's own does not."""
    first = worker.try_()
    worker.clear(itself=False)
    assert worker.try_() == first
    assert len(sagemaker.executions) == 1


def test_a_clear_waits_for_the_end_of_what_it_stops(worker, sagemaker):
    """`Stopping` still costs money and still counts against the quota: the new one starts after it, not beside it."""
    first = worker.try_()
    sagemaker.after_stop = "Stopping"
    worker.clear()
    stubborn = sagemaker.describe_pipeline_execution
    sagemaker.describe_pipeline_execution = lambda **_: {
        "PipelineExecutionStatus": sagemaker.executions[first]["status"]
    }
    worker.pause()
    assert len(sagemaker.executions) == 1
    sagemaker.describe_pipeline_execution = stubborn
    sagemaker.executions[first]["status"] = "Stopped"
    assert worker.try_() != first


def test_a_clear_while_the_task_itself_runs_starts_anew(worker, sagemaker, airflow_says):
    """Airflow leaves max_tries alone then; that on_kill has stopped the execution tells it from a sibling's clear."""
    first = worker.try_()
    airflow_says("restarting")
    worker.operator.on_kill()
    worker.clear(itself=False)
    assert worker.try_() != first
    assert sagemaker.executions[first]["status"] == "Stopped"


def test_a_clear_in_the_gap_while_the_task_itself_runs_starts_anew(worker, sagemaker):
    """Started, stopped by the kill, and never recorded: resending would answer with the stopped one."""
    sagemaker.fail_next = [("start_pipeline_execution", "after", fakes.no_connection())]
    with pytest.raises(fakes.EndpointConnectionError):
        worker.task().execute(worker.context())
    (first,) = sagemaker.executions
    sagemaker.executions[first]["status"] = "Stopped"
    worker.clear(itself=False)
    assert worker.try_() != first


def test_a_siblings_clear_in_the_gap_resends(worker, sagemaker):
    """Nothing says that this task was cleared: the recorded request finds its execution."""
    sagemaker.fail_next = [("start_pipeline_execution", "after", fakes.no_connection())]
    with pytest.raises(fakes.EndpointConnectionError):
        worker.task().execute(worker.context())
    worker.clear(itself=False)
    worker.try_()
    assert len(sagemaker.executions) == 1


def test_a_clear_in_the_gap_stops_what_was_started(worker, sagemaker):
    """No ARN was recorded, so the old execution is found by its description."""
    sagemaker.fail_next = [("start_pipeline_execution", "after", fakes.no_connection())]
    with pytest.raises(fakes.EndpointConnectionError):
        worker.task().execute(worker.context())
    worker.clear()
    worker.try_()
    assert sorted(item["status"] for item in sagemaker.executions.values()) == ["Executing", "Stopped"]


@pytest.fixture
def airflow_says(monkeypatch):
    """Set the state in which Airflow has the task instance when its process is killed."""

    def say(state):
        states = {} if state == "absent" else {"r": {"start": state}}
        monkeypatch.setattr(
            "airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states", lambda **_: states
        )

    return say


@pytest.mark.parametrize("state", ["failed", "skipped", "restarting", None, "absent"])
def test_a_person_who_ends_the_task_ends_the_work(worker, sagemaker, airflow_says, state):
    """Marked as failed, cleared, or its run deleted: nobody waits for the execution any more."""
    first = worker.try_()
    airflow_says(state)
    worker.operator.on_kill()
    assert sagemaker.executions[first]["status"] == "Stopped"


@pytest.mark.parametrize("state", ["success", "running", "up_for_retry"])
def test_a_deploy_or_a_mark_as_success_leaves_the_work_alone(worker, sagemaker, airflow_says, state):
    """A worker that is shut down finds its task running; a lost one finds it waiting for a retry."""
    first = worker.try_()
    airflow_says(state)
    worker.operator.on_kill()
    assert sagemaker.executions[first]["status"] == "Executing"
    assert worker.try_() == first


def test_when_airflow_does_not_answer_the_work_is_left_alone(worker, sagemaker, monkeypatch):
    """A guess could stop a night's work because of a deploy."""
    first = worker.try_()

    def silent(**_):
        raise RuntimeError

    monkeypatch.setattr("airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states", silent)
    worker.operator.on_kill()
    assert sagemaker.executions[first]["status"] == "Executing"


def run_out_of_time(operator):
    """What Airflow's task runner does when execution_timeout passes."""

    def work():
        raise AirflowTaskTimeout

    try:
        work()
    except AirflowTaskTimeout:
        operator.on_kill()
        raise


def test_after_our_own_stop_a_retry_starts_anew(worker, sagemaker):
    """The task's execution_timeout stops its execution; re-attaching to it would only find it stopped."""
    first = worker.try_()
    with pytest.raises(AirflowTaskTimeout):
        run_out_of_time(worker.operator)
    assert sagemaker.executions[first]["status"] == "Stopped"
    assert worker.try_() != first


def test_a_kill_leaves_the_execution_alone_when_asked(worker, sagemaker, airflow_says):
    """`cancel_on_kill=False` is for work that must not be lost."""
    first = worker.try_(cancel_on_kill=False)
    airflow_says("failed")
    worker.operator.on_kill()
    assert sagemaker.executions[first]["status"] == "Executing"


def test_a_kill_before_the_call_starts_nothing(worker, sagemaker, airflow_says):
    """Airflow's handler returns into the task, which goes on: it must not start what a person has ended."""
    airflow_says("failed")
    described = sagemaker.describe_pipeline

    def killed_meanwhile(**request):
        worker.operator.on_kill()
        return described(**request)

    sagemaker.describe_pipeline = killed_meanwhile
    with pytest.raises(AirflowException, match="Nothing more is started"):
        worker.task().execute(worker.context())
    assert sagemaker.executions == {}


def test_a_kill_during_the_call_stops_what_it_started(worker, sagemaker, airflow_says):
    """The answer comes after the kill: the execution is stopped at once."""
    airflow_says("failed")
    started = sagemaker.start_pipeline_execution

    def killed_meanwhile(**request):
        worker.operator.on_kill()
        return started(**request)

    sagemaker.start_pipeline_execution = killed_meanwhile
    with pytest.raises(AirflowException, match="Nothing more is started"):
        worker.task().execute(worker.context())
    assert [item["status"] for item in sagemaker.executions.values()] == ["Stopped"]


def test_a_kill_in_the_middle_of_a_call_to_the_supervisor_does_not_hang(monkeypatch):
    """The signal interrupts the main thread while it holds the channel to Airflow; the look-up goes on after it."""
    channel, acted = threading.Lock(), threading.Event()
    monkeypatch.setattr(kill, "PATIENCE_SECONDS", 0.2)

    def ask(_ti):
        with channel:
            return Cause.FAILED

    monkeypatch.setattr(kill, "cause", ask)
    killed = kill.Kill(lambda _cause: acted.set(), StartPipelineOperator(task_id="x", pipeline_name="p").log)
    former = signal.signal(signal.SIGTERM, lambda *_: killed.happen(None))
    try:
        with channel:
            signal.raise_signal(signal.SIGTERM)
            assert not acted.is_set()
        assert acted.wait(10)
    finally:
        signal.signal(signal.SIGTERM, former)


def test_someone_elses_stop_is_not_started_over(worker, sagemaker):
    """A person stopped it in SageMaker: the retry re-attaches, and the sensor says Stopped."""
    first = worker.try_()
    sagemaker.executions[first]["status"] = "Stopped"
    assert worker.try_() == first


def test_a_run_deleted_and_made_again_is_new_work(sagemaker):
    """It keeps its run id, and has an empty store and another start."""
    first, second = Worker(sagemaker), Worker(sagemaker)
    second.started = second.started.replace(hour=9)
    assert first.try_() != second.try_()


def test_two_workers_racing_start_one_execution(sagemaker):
    """Both hold the same identity, so both send the same token."""
    assert Worker(sagemaker).try_() == Worker(sagemaker).try_()
    assert len(sagemaker.executions) == 1


@pytest.mark.parametrize("code", ["ResourceNotFound", "ValidationException", "AccessDeniedException"])
def test_a_bad_request_fails_at_once(worker, sagemaker, code):
    """No retry can cure it."""
    sagemaker.fail_next = [("start_pipeline_execution", "before", fakes.refusal(code))]
    with pytest.raises(AirflowFailException, match=code):
        worker.task().execute(worker.context())


def test_an_absent_pipeline_fails_with_the_command_to_type(worker, sagemaker):
    """Nothing was spent, and the way out stands in the message."""
    sagemaker.fail_next = [("describe_pipeline", "before", fakes.refusal("ResourceNotFound", "DescribePipeline"))]
    with pytest.raises(AirflowFailException, match="make deploy ACTION=apply"):
        worker.task().execute(worker.context())
    assert sagemaker.count("start_pipeline_execution") == 0


@pytest.mark.parametrize("code", ["ResourceLimitExceeded", "ThrottlingException"])
def test_a_reached_quota_waits_without_using_up_a_retry(worker, sagemaker, code):
    """The task defers, tries again with the same request, and waits longer each time."""
    sagemaker.fail_next = [("start_pipeline_execution", "before", fakes.refusal(code))] * 5
    pauses = [worker.pause(poll_seconds=60) for _ in range(5)]
    assert pauses[0] < pauses[4]
    assert all(10 <= pause <= 300 for pause in pauses)
    worker.try_()
    requests = [request for name, request in sagemaker.calls if name == "start_pipeline_execution"]
    assert requests == [requests[0]] * 6
    assert sagemaker.count("describe_pipeline") == 1
    assert len(sagemaker.executions) == 1


def test_a_quota_that_stays_used_up_fails_in_the_end(worker, sagemaker):
    """With the count, and what can be done about it."""
    sagemaker.fail_next = [("start_pipeline_execution", "before", fakes.refusal("ResourceLimitExceeded"))] * 2
    worker.pause()
    with pytest.raises(AirflowFailException, match=r"1 times refused.*higher quota"):
        worker.task(timeout=-1.0).execute(worker.context())


def test_what_may_have_been_carried_out_is_left_to_a_retry(worker, sagemaker):
    """A 5xx says nothing about the execution: the error stays what it is, and the retry resends."""
    sagemaker.fail_next = [("start_pipeline_execution", "after", fakes.refusal("InternalFailure", http=500))]
    with pytest.raises(fakes.ClientError):
        worker.task().execute(worker.context())
    worker.try_()
    assert len(sagemaker.executions) == 1


def test_undeclared_parameters_never_reach_sagemaker(worker, sagemaker):
    """Parameters are compared with the deployed definition first."""
    with pytest.raises(AirflowFailException, match="InputUri is not declared"):
        worker.task(parameters={"InputUri": "s3://b/p/"}).execute(worker.context())
    assert sagemaker.count("start_pipeline_execution") == 0


def test_name_and_description_tell_where_it_came_from(worker, sagemaker):
    """Someone who looks at SageMaker finds DAG, run and day."""
    arn = worker.try_()
    request = sagemaker.executions[arn]["request"]
    assert request["PipelineExecutionDisplayName"] == "d-2026-03-03-r"
    assert "DAG d, run r" in request["PipelineExecutionDescription"]
    assert "2026-03-03" in request["PipelineExecutionDescription"]
    assert request["ClientRequestToken"][:16] in request["PipelineExecutionDescription"]


def test_the_task_holds_its_slot_until_the_execution_has_ended(worker, sagemaker):
    """It defers with everything that reaching AWS needs; the ARN is there at once for whoever looks at the run."""
    arn = worker.try_(
        aws_conn_id="mine", region="eu-west-1", verify=False, botocore_config={"read_timeout": 5}, timeout=60
    )
    path, arguments = worker.deferral.trigger.serialize()
    assert path == "sagemaker_batch.trigger.HoldTrigger"
    again = HoldTrigger(**json.loads(json.dumps(arguments)))
    assert (again.arn, again.aws_conn_id, again.region, again.verify) == (arn, "mine", "eu-west-1", False)
    assert again.botocore_config == {"read_timeout": 5}
    assert 0 < again.deadline - time.time() <= 60


def test_the_deadline_counts_from_the_start_whatever_was_retried(worker, sagemaker):
    """A worker that is lost again and again does not make the execution's time longer."""
    worker.try_()
    first = worker.deferral.trigger.deadline
    worker.try_()
    assert worker.deferral.trigger.deadline == first


def test_starts_share_a_pool_by_default(monkeypatch):
    """The cap holds for every pipeline that is started, whatever DAG it is in."""
    assert StartPipelineOperator(task_id="x", pipeline_name="p").pool == "sagemaker_executions"
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__POOL", "ours")
    assert StartPipelineOperator(task_id="x", pipeline_name="p").pool == "ours"
    assert StartPipelineOperator(task_id="x", pipeline_name="p", pool="mine").pool == "mine"


def test_without_holding_it_returns_as_soon_as_it_has_started(worker, sagemaker):
    """For a caller that wants the provider's behaviour, and its own cap."""
    arn = worker.task(hold=False).execute(worker.context())
    assert list(sagemaker.executions) == [arn]


def resume(worker, event):
    return worker.task().execute_complete(worker.context(), event)


def test_a_timeout_fails_the_task_and_says_what_became_of_the_execution(worker, sagemaker):
    """The trigger has stopped it already; when it could not, the task does."""
    arn = worker.try_()
    with pytest.raises(AirflowFailException, match="it was stopped, and is Stopped"):
        resume(worker, {"arn": arn, "timeout": True, "status": "Stopped"})
    with pytest.raises(AirflowFailException, match="is being stopped"):
        resume(worker, {"arn": arn, "timeout": True})
    assert sagemaker.executions[arn]["status"] == "Stopped"


def test_a_deleted_execution_fails_the_task_with_its_name(worker, sagemaker):
    """It neither waits for ever nor starts a second one by itself."""
    arn = worker.try_()
    with pytest.raises(AirflowFailException, match=f"{arn} does not exist any more"):
        resume(worker, {"arn": arn, "gone": True})


def test_an_unknown_status_fails_the_task(worker, sagemaker):
    """Not even the start takes it for an end."""
    arn = worker.try_()
    with pytest.raises(AirflowFailException, match="Hibernating"):
        resume(worker, {"arn": arn, "status": "Hibernating"})


def test_airflows_own_test_run_resumes_with_the_record(worker, sagemaker):
    """`dag.test()` hands on the name of the state instead of ending the task."""
    arn = worker.try_()
    assert resume(worker, "success") == arn
