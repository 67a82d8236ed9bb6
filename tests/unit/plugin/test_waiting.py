"""Waiting for an execution: sensor and trigger."""

import asyncio
import importlib.util
import json
import pathlib
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout, TaskDeferred
from airflow.triggers.base import TaskSuccessEvent

from sagemaker_batch.events import of_failure
from sagemaker_batch.execution import console_link, log_place, read_steps, stop
from sagemaker_batch.progress import StepProgress
from sagemaker_batch.refusals import backoff, passes
from sagemaker_batch.sensor import PipelineSensor
from sagemaker_batch.threads import LOOKS
from sagemaker_batch.trigger import HoldTrigger, PauseTrigger, PipelineTrigger

_spec = importlib.util.spec_from_file_location("plugin_fakes", pathlib.Path(__file__).with_name("fakes.py"))
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)
FAILED_STEP = {
    "StepName": "PrepareBatch",
    "StepStatus": "Failed",
    "FailureReason": "ClientError: the file is empty",
    "Metadata": {"ProcessingJob": {"Arn": "arn:aws:sagemaker:us-east-1:000000000000:processing-job/prepare-1"}},
}


@pytest.fixture
def sagemaker():
    fake = fakes.FakeSageMaker()
    fake.start_pipeline_execution(ClientRequestToken="t" * 32, PipelineExecutionDisplayName="x")
    return fake


@pytest.fixture
def arn(sagemaker):
    return next(iter(sagemaker.executions))


def sensor(sagemaker, arn, **changes):
    found: Any = PipelineSensor(task_id="wait", execution_arn=arn, **changes)
    found._client = lambda: sagemaker
    return found


def trigger(sagemaker, arn, kind=PipelineTrigger, **changes):
    arguments = {"poll_seconds": 0.01, "first_poll_seconds": 0.0, **changes}
    found: Any = kind(arn=arn, **arguments)
    found._client = lambda: sagemaker
    return found


def first_event(found):
    async def first():
        return await anext(found.run())

    return asyncio.run(asyncio.wait_for(first(), 20))


def event_of(found):
    return first_event(found).payload


def test_what_has_ended_is_not_deferred(sagemaker, arn):
    """Work that is done before the first look returns its outcome without the triggerer."""
    sagemaker.executions[arn]["status"] = "Succeeded"
    outcome = sensor(sagemaker, arn).execute({})
    assert outcome["status"] == "Succeeded"
    json.dumps(outcome)


def test_what_is_at_work_is_deferred_with_everything_that_reaching_aws_needs(sagemaker, arn):
    """Region, verify and botocore's settings survive, also on the provider that MWAA carries."""
    waiting = sensor(
        sagemaker,
        arn,
        aws_conn_id="mine",
        region="eu-west-1",
        verify=False,
        botocore_config={"read_timeout": 5},
        timeout=60,
    )
    with pytest.raises(TaskDeferred) as caught:
        waiting.execute({})
    path, arguments = caught.value.trigger.serialize()
    assert path == "sagemaker_batch.trigger.PipelineTrigger"
    again = PipelineTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)
    assert (again.aws_conn_id, again.region, again.verify) == ("mine", "eu-west-1", False)
    assert again.botocore_config == {"read_timeout": 5}
    assert 0 < again.deadline - time.time() <= 60


def test_any_worker_can_resume(sagemaker, arn):
    """The event is all it has: the ARN rendered on another worker is not asked for."""
    sagemaker.executions[arn]["status"] = "Succeeded"
    resumed = sensor(sagemaker, "{{ not rendered }}")
    assert resumed.execute_complete({}, {"arn": arn, "status": "Succeeded"})["arn"] == arn


@pytest.mark.parametrize("status", ["Failed", "Stopped", "CompletedWithFailures"])
def test_every_bad_end_fails_with_the_steps_own_reasons(sagemaker, arn, status):
    """Also the last step of the last page is heard, and where its log lies."""
    sagemaker.executions[arn]["status"] = status
    sagemaker.steps = [{"StepName": "GetLatestModel", "StepStatus": "Succeeded"}, FAILED_STEP]
    with pytest.raises(AirflowFailException) as caught:
        sensor(sagemaker, arn).execute({})
    assert of_failure(caught.value) == "pipeline_failed"
    assert "step PrepareBatch: ClientError: the file is empty" in str(caught.value)
    assert "/aws/sagemaker/ProcessingJobs: prepare-1/" in str(caught.value)
    assert (
        "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/"
        "$252Faws$252Fsagemaker$252FProcessingJobs$3FlogStreamNameFilter$3Dprepare-1$252F" in str(caught.value)
    )


def test_a_caller_that_judges_gets_every_end(sagemaker, arn):
    """With fail_on=() a Failed execution comes back as an outcome."""
    sagemaker.executions[arn]["status"] = "Failed"
    sagemaker.steps = [FAILED_STEP]
    outcome = sensor(sagemaker, arn, fail_on=()).execute({})
    assert outcome["failed_steps"][0]["name"] == "PrepareBatch"


def test_an_unknown_status_fails_even_a_caller_that_judges(sagemaker, arn):
    """Nobody can judge what nobody knows."""
    sagemaker.executions[arn]["status"] = "Hibernating"
    with pytest.raises(AirflowFailException, match="Hibernating"):
        sensor(sagemaker, arn, fail_on=()).execute({})


def test_fail_on_takes_known_statuses_only():
    """A misspelt status would never fail anything."""
    with pytest.raises(ValueError, match="Faild"):
        PipelineSensor(task_id="x", execution_arn="a", fail_on=["Faild"])


def test_a_timeout_stops_the_execution(sagemaker, arn):
    """Work that nobody waits for would go on costing money."""
    with pytest.raises(AirflowFailException, match="is being stopped") as caught:
        sensor(sagemaker, arn).execute_complete({}, {"arn": arn, "timeout": True})
    assert of_failure(caught.value) == "pipeline_failed"
    assert sagemaker.executions[arn]["status"] == "Stopped"


def test_a_timeout_leaves_it_alone_when_asked(sagemaker, arn):
    """`cancel_on_kill=False` holds for the timeout as well."""
    with pytest.raises(AirflowFailException, match="left alone"):
        sensor(sagemaker, arn, cancel_on_kill=False).execute_complete({}, {"arn": arn, "timeout": True})
    assert sagemaker.executions[arn]["status"] == "Executing"


def test_a_trigger_that_cannot_ask_hands_its_error_to_the_task(sagemaker, arn):
    """The task fails, may be retried, and does not touch the execution."""
    with pytest.raises(AirflowException, match="AccessDenied"):
        sensor(sagemaker, arn).execute_complete({}, {"arn": arn, "error": "AccessDenied"})
    assert sagemaker.executions[arn]["status"] == "Executing"


def test_without_deferring_it_looks_once_a_poke(sagemaker, arn):
    """`reschedule` gives the worker back between looks."""
    waiting = sensor(sagemaker, arn, deferrable=False)
    assert waiting.mode == "reschedule"
    assert not waiting.poke({}).is_done
    sagemaker.executions[arn]["status"] = "Succeeded"
    assert waiting.poke({}).xcom_value["status"] == "Succeeded"


def test_the_trigger_says_how_it_ended(sagemaker, arn):
    """One event, with the status."""
    sagemaker.executions[arn]["status"] = "Failed"
    assert event_of(trigger(sagemaker, arn)) == {"arn": arn, "status": "Failed"}


def test_the_trigger_survives_a_storm(sagemaker, arn, monkeypatch):
    """Throttling, 5xx and lost connections are waited out; they are not the execution's end."""
    monkeypatch.setattr("sagemaker_batch.trigger.backoff", lambda *_: 0.0)
    describe = "describe_pipeline_execution"
    storm = [fakes.refusal("ThrottlingException"), fakes.refusal("X", http=503), fakes.no_connection()] * 20
    sagemaker.fail_next = [(describe, "before", error) for error in storm]
    sagemaker.executions[arn]["status"] = "Succeeded"
    assert event_of(trigger(sagemaker, arn))["status"] == "Succeeded"
    assert sagemaker.count(describe) == len(storm) + 1


def test_the_trigger_reports_what_waiting_cannot_cure(sagemaker, arn):
    """A refused role is told at once."""
    sagemaker.fail_next = [("describe_pipeline_execution", "before", fakes.refusal("AccessDeniedException"))]
    assert "AccessDeniedException" in event_of(trigger(sagemaker, arn))["error"]


def test_the_triggers_deadline_is_a_moment(sagemaker, arn):
    """A triggerer that restarts does not begin the wait anew."""
    assert event_of(trigger(sagemaker, arn, deadline=time.time() - 1)) == {"arn": arn, "timeout": True}


@pytest.fixture
def airflow_says(monkeypatch):
    """Set the state in which Airflow has the waiting task when its trigger is killed."""

    def say(state):
        states = {} if state == "absent" else {"r": {"wait": state}}
        monkeypatch.setattr(
            "airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states", lambda **_: states
        )

    return say


def kill(found):
    found._task_instance = SimpleNamespace(dag_id="d", run_id="r", task_id="wait", map_index=-1)
    asyncio.run(found.on_kill())


@pytest.mark.parametrize("state", ["failed", "absent"])
@pytest.mark.parametrize("kind", [PipelineTrigger, HoldTrigger])
def test_marking_the_waiting_task_as_failed_stops_the_execution(sagemaker, arn, airflow_says, state, kind):
    """A person who ends the task in Airflow, or deletes its run, ends the work."""
    airflow_says(state)
    kill(trigger(sagemaker, arn, kind, stop_token="s" * 32))
    assert sagemaker.executions[arn]["status"] == "Stopped"


@pytest.mark.parametrize("kind", [PipelineTrigger, HoldTrigger])
def test_marking_it_as_success_leaves_the_execution_at_work(sagemaker, arn, airflow_says, kind):
    """Airflow calls on_kill for that too."""
    airflow_says("success")
    kill(trigger(sagemaker, arn, kind))
    assert sagemaker.executions[arn]["status"] == "Executing"


@pytest.mark.parametrize(("kind", "status"), [(PipelineTrigger, "Executing"), (HoldTrigger, "Stopped")])
def test_clearing_a_sensor_keeps_the_execution_and_clearing_a_start_ends_it(sagemaker, arn, airflow_says, kind, status):
    """The sensor comes back to the same one, the start makes another."""
    airflow_says(None)
    kill(trigger(sagemaker, arn, kind))
    assert sagemaker.executions[arn]["status"] == status


def test_a_kill_stops_the_execution_while_all_looks_hang(sagemaker, arn, airflow_says):
    """In a storm botocore repeats within its thread: what a person ended does not queue behind those that look."""
    airflow_says("failed")
    hanging, released = threading.Semaphore(0), threading.Event()

    def hang(**_):
        hanging.release()
        released.wait(60)

    async def storm():
        slow = SimpleNamespace(describe_pipeline_execution=hang)
        looking = [asyncio.ensure_future(anext(trigger(slow, arn).run())) for _ in range(LOOKS + 1)]
        ended = trigger(sagemaker, arn, stop_token="s" * 32)
        ended._task_instance = SimpleNamespace(dag_id="d", run_id="r", task_id="wait", map_index=-1)
        try:
            for _ in range(LOOKS):
                assert await asyncio.to_thread(hanging.acquire, timeout=20)
            await asyncio.wait_for(ended.on_kill(), 20)
        finally:
            released.set()
            for look in looking:
                look.cancel()
            await asyncio.gather(*looking, return_exceptions=True)

    asyncio.run(asyncio.wait_for(storm(), 50))
    assert sagemaker.executions[arn]["status"] == "Stopped"


def test_a_kill_of_a_trigger_leaves_the_execution_alone_when_asked(sagemaker, arn, airflow_says):
    """`cancel_on_kill=False` travels with the trigger."""
    airflow_says("failed")
    kill(trigger(sagemaker, arn, cancel_on_kill=False))
    assert sagemaker.executions[arn]["status"] == "Executing"


def test_a_kill_whose_reason_is_unknown_leaves_the_execution_alone(sagemaker, arn, monkeypatch):
    """Airflow is asked several times, and then nothing is guessed."""
    asked = []

    def silent(**_):
        asked.append(1)
        raise RuntimeError

    monkeypatch.setattr("airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states", silent)
    monkeypatch.setattr("sagemaker_batch.trigger.KILL_PAUSE_SECONDS", 0.0)
    kill(trigger(sagemaker, arn))
    assert len(asked) == 5
    assert sagemaker.executions[arn]["status"] == "Executing"


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Stopped", "CompletedWithFailures"])
def test_the_start_is_ended_by_its_trigger_whatever_the_end(sagemaker, arn, status):
    """It does not queue for a pool slot again; the sensor says what the end means."""
    sagemaker.executions[arn]["status"] = status
    assert isinstance(first_event(trigger(sagemaker, arn, HoldTrigger)), TaskSuccessEvent)


def test_an_unknown_status_resumes_the_start(sagemaker, arn):
    """The task then fails and says so."""
    sagemaker.executions[arn]["status"] = "Hibernating"
    assert event_of(trigger(sagemaker, arn, HoldTrigger)) == {"arn": arn, "status": "Hibernating"}


def test_a_start_that_is_too_late_keeps_its_slot_until_the_execution_has_stopped(sagemaker, arn):
    """Freed while it is Stopping, the slot would let another start pass the cap."""
    sagemaker.after_stop = "Stopping"
    event = event_of(trigger(sagemaker, arn, HoldTrigger, deadline=time.time() - 1, stop_token="s" * 32))
    assert event == {"arn": arn, "timeout": True, "status": "Stopped"}
    assert sagemaker.count("stop_pipeline_execution") == 1


def test_a_start_that_must_not_be_stopped_is_resumed_when_it_is_too_late(sagemaker, arn):
    """The execution goes on, and the task says so."""
    late = trigger(sagemaker, arn, HoldTrigger, deadline=time.time() - 1, cancel_on_kill=False)
    assert event_of(late) == {"arn": arn, "timeout": True}
    assert sagemaker.executions[arn]["status"] == "Executing"


def test_an_end_that_came_before_the_deadline_was_noticed_is_an_end(sagemaker, arn):
    """A triggerer that was down over the deadline reports what happened, not that it was late."""
    sagemaker.executions[arn]["status"] = "Succeeded"
    assert event_of(trigger(sagemaker, arn, deadline=time.time() - 1)) == {"arn": arn, "status": "Succeeded"}


def test_a_deleted_execution_is_told(sagemaker, arn):
    """It will not come back, however long one waits."""
    del sagemaker.executions[arn]
    assert event_of(trigger(sagemaker, arn)) == {"arn": arn, "gone": True}
    with pytest.raises(AirflowFailException, match=f"{arn} does not exist"):
        sensor(sagemaker, arn).execute({})


def test_a_pause_ends_at_its_moment(sagemaker):
    """A triggerer that restarts after it fires at once."""
    pause = PauseTrigger(time.time() - 5)
    path, arguments = pause.serialize()
    assert path == "sagemaker_batch.trigger.PauseTrigger"
    assert first_event(PauseTrigger(**arguments)).payload == {"paused": True}


def looks(sagemaker, arn, count, changes=()):
    """Let a StepProgress look that often; the execution changes before the looks that are named."""
    progress = StepProgress(PipelineTrigger(arn).log)
    for number in range(count):
        if number in changes:
            sagemaker.executions[arn]["modified"] = number
        progress.show(sagemaker, arn, sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))
    return sagemaker.count("list_pipeline_execution_steps")


def test_a_poll_is_one_call_while_nothing_changes(sagemaker, arn):
    """The steps are listed at first, and again when the execution was modified."""
    assert looks(sagemaker, arn, 9) == 1
    assert looks(sagemaker, arn, 9, changes=(4, 7)) == 1 + 3


def test_the_steps_are_listed_now_and_then_all_the_same(sagemaker, arn):
    """AWS does not promise that a step's progress modifies the execution."""
    assert looks(sagemaker, arn, 31) == 4


def test_a_rescheduled_sensor_remembers_which_steps_it_has_shown(sagemaker, arn, caplog):
    """Each look is a process of its own; a step's change is printed once."""
    store = fakes.FakeStore()
    sagemaker.steps = [FAILED_STEP]
    for _ in range(3):
        sensor(sagemaker, arn, deferrable=False).poke({"task_state_store": store})
    assert sagemaker.count("list_pipeline_execution_steps") == 1


def test_a_rescheduled_sensor_stops_what_it_waited_for_too_long(sagemaker, arn, monkeypatch):
    """As the deferred one does."""

    def out_of_time(*_):
        raise AirflowSensorTimeout

    monkeypatch.setattr("airflow.sdk.BaseSensorOperator.execute", out_of_time)
    with pytest.raises(AirflowFailException, match="is being stopped"):
        sensor(sagemaker, arn, deferrable=False).execute({})
    assert sagemaker.executions[arn]["status"] == "Stopped"


def test_stopping_what_has_ended_changes_nothing(sagemaker, arn):
    """The race between its end and our stop is no error."""
    sagemaker.executions[arn]["status"] = "Succeeded"
    assert not stop(sagemaker, arn, "s" * 32)
    assert sagemaker.count("stop_pipeline_execution") == 0


def test_backoff_grows_and_ends_at_five_minutes():
    """A storm is not fed by its victims."""
    assert backoff(1.0, 1) <= 2.0
    assert 150 <= backoff(30.0, 50) <= 300


def test_what_passes_is_told_from_what_does_not():
    """The list of passing errors is the service's own."""
    assert passes(fakes.refusal("ThrottlingException"))
    assert not passes(fakes.refusal("ValidationException"))
    assert not passes(ValueError("a bug of ours"))


def test_steps_are_read_from_every_page(sagemaker, arn):
    """The provider's hook reads the first one only."""
    sagemaker.steps = [FAILED_STEP] * 3
    assert len(read_steps(sagemaker, arn)) == 3


def test_a_fail_steps_own_message_is_its_reason(sagemaker, arn):
    """The accuracy and the threshold stand in it."""
    sagemaker.steps = [{"StepName": "F", "StepStatus": "Failed", "Metadata": {"Fail": {"ErrorMessage": "0.5 < 0.7"}}}]
    assert read_steps(sagemaker, arn)[0].reason == "0.5 < 0.7"


def test_links_lead_to_the_execution(arn):
    """A configured page takes region, pipeline and execution; otherwise the region's SageMaker opens."""
    assert console_link(arn, "http://127.0.0.1:1/{pipeline}/{execution}") == "http://127.0.0.1:1/p/000000000001"
    assert console_link(arn).startswith("https://us-east-1.console.aws.amazon.com/sagemaker/")
    assert console_link("no arn") == ""


def test_a_failed_steps_log_opens_where_the_configuration_says(sagemaker, arn, monkeypatch):
    """Locally that is the local SageMaker's console, and no page of an AWS account that there is not."""
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__JOB_URL", "http://127.0.0.1:9/jobs/{kind}/{name}")
    sagemaker.executions[arn]["status"] = "Failed"
    sagemaker.steps = [FAILED_STEP]
    outcome = sensor(sagemaker, arn, fail_on=()).execute({})
    assert outcome["failed_steps"][0]["log_link"] == "http://127.0.0.1:9/jobs/processing-job/prepare-1"


def test_an_outcome_fits_an_xcom(sagemaker, arn):
    """Fifty failed steps, each with SageMaker's longest reason, stay far below what a database takes."""
    sagemaker.executions[arn]["status"] = "Failed"
    sagemaker.steps = [{**FAILED_STEP, "FailureReason": "x" * 1024}] * 50
    assert len(json.dumps(sensor(sagemaker, arn, fail_on=()).execute({}))) < 128 * 1024


@pytest.mark.parametrize(
    ("kind", "arn", "place"),
    [
        ("TransformJob", "arn:aws:sagemaker:r:1:transform-job/t-1", "/aws/sagemaker/TransformJobs: t-1/"),
        ("Lambda", "arn:aws:lambda:r:1:function:get-latest-model", "/aws/lambda/get-latest-model"),
        ("Model", "arn:aws:sagemaker:r:1:model/m", ""),
    ],
)
def test_a_jobs_log_has_a_place(kind, arn, place):
    """Log groups are AWS's own; a step without a job has none."""
    assert log_place(kind, arn) == place
