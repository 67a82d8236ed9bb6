"""Starting exactly once per attempt at the work."""

import importlib.util
import pathlib
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import ClientError

from sagemaker_batch.operators import RECORD, StartPipelineOperator

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

    def try_(self, **changes):
        arguments = {"pipeline_name": "p", "parameters": {"InputDataUri": "s3://b/day/"}, **changes}
        self.operator = StartPipelineOperator(task_id="start", about="2026-03-03", **arguments)
        self.operator._client = lambda: self.sagemaker
        ti = SimpleNamespace(dag_id="d", run_id="r", task_id="start", map_index=-1, max_tries=self.max_tries)
        run = SimpleNamespace(clear_number=self.clear_number, start_date=self.started, run_type="scheduled")
        return self.operator.execute({"ti": ti, "dag_run": run, "task_state_store": self.store})

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
        worker.try_()
    worker.try_()
    assert len(sagemaker.executions) == 1


def test_a_worker_killed_before_the_call_leaves_its_request(worker, sagemaker):
    """Token and request are written first; whoever comes next sends exactly them."""
    sagemaker.fail_next = [("start_pipeline_execution", "before", KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        worker.try_()
    recorded = worker.store.get(RECORD)["request"]
    worker.try_()
    assert sagemaker.calls[-1][1] == recorded


def test_a_retry_resends_what_was_recorded_even_if_the_configuration_changed(worker, sagemaker):
    """The same token with another request would be refused, or worse, accepted."""
    sagemaker.fail_next = [("start_pipeline_execution", "after", fakes.no_connection())]
    with pytest.raises(fakes.EndpointConnectionError):
        worker.try_()
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


def test_a_clear_in_the_gap_stops_what_was_started(worker, sagemaker):
    """No ARN was recorded, so the old execution is found by its display name."""
    sagemaker.fail_next = [("start_pipeline_execution", "after", fakes.no_connection())]
    with pytest.raises(fakes.EndpointConnectionError):
        worker.try_()
    worker.clear()
    worker.try_()
    assert sorted(item["status"] for item in sagemaker.executions.values()) == ["Executing", "Stopped"]


def test_after_our_own_stop_a_retry_starts_anew(worker, sagemaker):
    """A killed task stops its execution; re-attaching to it would only find it stopped."""
    first = worker.try_()
    worker.operator.on_kill()
    assert sagemaker.executions[first]["status"] == "Stopped"
    assert worker.try_() != first


def test_a_kill_leaves_the_execution_alone_when_asked(worker, sagemaker):
    """`cancel_on_kill=False` is for work that must not be lost."""
    first = worker.try_(cancel_on_kill=False)
    worker.operator.on_kill()
    assert sagemaker.executions[first]["status"] == "Executing"


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
        worker.try_()


def test_an_absent_pipeline_fails_with_the_command_to_type(worker, sagemaker):
    """Nothing was spent, and the way out stands in the message."""
    sagemaker.fail_next = [("describe_pipeline", "before", fakes.refusal("ResourceNotFound", "DescribePipeline"))]
    with pytest.raises(AirflowFailException, match="make deploy ACTION=apply"):
        worker.try_()
    assert sagemaker.count("start_pipeline_execution") == 0


def test_a_reached_quota_is_tried_again(worker, sagemaker):
    """It is no mistake of the request, so Airflow's retries apply."""
    sagemaker.fail_next = [("start_pipeline_execution", "before", fakes.refusal("ResourceLimitExceeded"))]
    with pytest.raises(AirflowException, match="quota") as caught:
        worker.try_()
    assert not isinstance(caught.value, AirflowFailException)
    worker.try_()
    assert len(sagemaker.executions) == 1


def test_throttling_is_left_to_retries(worker, sagemaker):
    """The error stays what it is."""
    sagemaker.fail_next = [("start_pipeline_execution", "before", fakes.refusal("ThrottlingException"))]
    with pytest.raises(ClientError):
        worker.try_()


def test_undeclared_parameters_never_reach_sagemaker(worker, sagemaker):
    """Parameters are compared with the deployed definition first."""
    with pytest.raises(AirflowFailException, match="InputUri is not declared"):
        worker.try_(parameters={"InputUri": "s3://b/p/"})
    assert sagemaker.count("start_pipeline_execution") == 0


def test_name_and_description_tell_where_it_came_from(worker, sagemaker):
    """Someone who looks at SageMaker finds DAG, run and day."""
    arn = worker.try_()
    request = sagemaker.executions[arn]["request"]
    assert request["PipelineExecutionDisplayName"] == "d-2026-03-03-r"
    assert "DAG d, run r" in request["PipelineExecutionDescription"]
    assert "2026-03-03" in request["PipelineExecutionDescription"]
