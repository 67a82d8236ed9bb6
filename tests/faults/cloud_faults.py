"""AWS that loses answers, throttles, fails and refuses; executions that end badly."""

from contextlib import ExitStack
from uuid import uuid4

from sagemaker_batch import names
from tests.faults import workers
from tests.faults.cloudfaults import CloudFault
from tests.faults.house import DOOMED, THROTTLED
from tests.faults.registry import Expected, fault
from tests.faults.trial import ASSESS, FINISH, PUBLISH, START, Trial

# What botocore sends of one call before it gives up: the call and the repetitions that sagemaker_batch.aws asks for.
ATTEMPTS = 9
THROTTLES = 500


@fault("Response lost after the start succeeded", "the answer of StartPipelineExecution was dropped once", pace="short")
def start_response_lost(trial: Trial) -> Expected:
    with trial.fault("lose_response", operation="StartPipelineExecution", key=trial.key, count=1) as lost:
        trial.start()
        trial.wait(lambda: bool(trial.executions()), "the execution to be started")
        trial.finish()
        assert lost.fired == 1
    return Expected()


@fault(
    "Every response of a try lost", f"the first {ATTEMPTS} answers of StartPipelineExecution were dropped", pace="long"
)
def start_responses_lost(trial: Trial) -> Expected:
    with trial.fault("lose_response", operation="StartPipelineExecution", key=trial.key, count=ATTEMPTS) as lost:
        trial.start()
        trial.finish()
        assert lost.fired == ATTEMPTS
    return Expected()


@fault(
    "Response of the manifest's put lost",
    "the answer of the conditional put was dropped: its repetition gets a 412",
    pace="short",
)
def manifest_response_lost(trial: Trial) -> Expected:
    key = names.manifest_key(trial.use_case, trial.day)
    with trial.fault("lose_response", operation="s3:PutObject", key=key, count=1) as lost:
        trial.start()
        trial.until(PUBLISH, "success")
        assert lost.fired == 1
    return Expected(tasks={PUBLISH: "success"})


@fault(
    f"{THROTTLES} throttles in a row",
    f"eight days waited, and the next {THROTTLES} looks at their executions were answered with ThrottlingException",
    use_case=THROTTLED,
    days=8,
    pace="long",
)
def throttled(trial: Trial) -> Expected:
    hold = {"operation": "s3:GetObject", "key": f"{THROTTLED}/input/*", "seconds": 1800}
    looks = {"operation": "DescribePipelineExecution", "key": f"*{trial.pipeline}*", "count": THROTTLES}
    with trial.fault("latency", **hold) as held:
        number = trial.backfill(trial.days, max_active_runs=len(trial.days))
        trial.wait(lambda: held.fired >= len(trial.days), "every day's execution to be at work")
        trial.wait(lambda: trial.days_in("deferred") == len(trial.days), "every day to wait in the triggerer")
        storm = trial.control.add_fault("throttle", **looks)
    runs = trial.backfilled(number, seconds=1800)
    assert CloudFault(trial.control, storm["id"]).fired == THROTTLES
    for day, run in runs.items():
        assert list(trial.executions(day).values()) == ["Succeeded"], f"{day}: {trial.executions(day)}"
        assert trial.manifest(day) is not None, f"{day} is not published"
        tries = {trial.task(task, run)["try_number"] for task in (START, FINISH)}
        assert tries == {1}, f"{day}: throttling used up a retry"
    return Expected()


@fault("5xx storm", "three starts and twenty looks were answered with 503 and 500", pace="long")
def server_errors(trial: Trial) -> Expected:
    start = {"operation": "StartPipelineExecution", "key": trial.key, "count": 3}
    with trial.fault("error", status=503, code="ServiceUnavailable", **start) as refused, trial.waiting():
        (arn,) = trial.executions()
        look = {"operation": "DescribePipelineExecution", "key": f"*{arn}*", "count": 20}
        with trial.fault("error", status=500, code="InternalFailure", **look) as failed:
            trial.wait(lambda: failed.fired == 20, "twenty looks to fail")
        assert refused.fired == 3
    return Expected(tasks={START: "success", FINISH: "success"})


@fault("Connection loss", "the connection was closed without an answer at twenty looks in a row", pace="long")
def connection_lost(trial: Trial) -> Expected:
    with trial.waiting():
        (arn,) = trial.executions()
        look = {"operation": "DescribePipelineExecution", "key": f"*{arn}*", "count": 20}
        with trial.fault("lose_response", **look) as lost:
            trial.wait(lambda: lost.fired == 20, "twenty looks to be lost")
    return Expected(tasks={START: "success", FINISH: "success"})


@fault(
    "Account's quota reached",
    "StartPipelineExecution was refused with ResourceLimitExceeded until it was raised",
    alone=True,
)
def quota_reached(trial: Trial) -> Expected:
    control = trial.control
    before = control.quotas()["concurrent_executions"]
    control.reset_calls()
    control.set_quotas(concurrent_executions=0)
    try:
        trial.start()
        trial.wait(lambda: "StartPipelineExecution" in control.calls()["errors"], "a start to be refused")
        trial.wait(lambda: trial.task(START)["state"] != "running", "the start to wait")
        assert not trial.executions()
    finally:
        control.set_quotas(concurrent_executions=before)
    return Expected()


@fault("Execution stopped by hand", "StopPipelineExecution while waiting, as from the console", pace="short")
def stopped_by_hand(trial: Trial) -> Expected:
    with trial.waiting():
        (arn,) = trial.executions()
        trial.laptop.cloud.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid4().hex)
    return Expected(executions=("Stopped",), runs=("failed",), published=None, tasks={PUBLISH: "upstream_failed"})


@fault("A step failing", "the job of PrepareBatch was killed")
def step_failed(trial: Trial) -> Expected:
    with trial.waiting():
        (arn,) = trial.executions()
    workers.kill_job("processing-job", arn, "PrepareBatch")
    return Expected(executions=("Failed",), runs=("failed",), published=None, tasks={ASSESS: "failed"})


@fault(
    "Transform killed on a warned day",
    "the transform's job was killed on a day with drift below the critical share",
    kind="nulls",
    pace="short",
)
def transform_killed(trial: Trial) -> Expected:
    with trial.waiting():
        (arn,) = trial.executions()
    workers.kill_job("transform-job", arn, "MonitorBatchTransform")
    expected = {ASSESS: "failed", "hold_predictions": "upstream_failed", PUBLISH: "upstream_failed"}
    return Expected(executions=("Failed",), runs=("failed",), published=None, tasks=expected)


@fault("Execution deleted", "execution stopped and its pipeline deleted while waiting", use_case=DOOMED)
def execution_deleted(trial: Trial) -> Expected:
    sagemaker = trial.laptop.cloud.sagemaker
    polls = {"operation": "DescribePipelineExecution", "key": f"*{trial.pipeline}*", "seconds": 600}
    with ExitStack() as stack:
        with trial.waiting():
            (arn,) = trial.executions()
            poll = stack.enter_context(trial.fault("latency", **polls))
            trial.wait(lambda: poll.fired > 0, "the triggerer's look to be held")
            sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid4().hex)
        trial.wait(lambda: trial.executions()[arn] == "Stopped", "the execution to stop")
        trial.gone = trial.executions()
        sagemaker.delete_pipeline(PipelineName=trial.pipeline, ClientRequestToken=uuid4().hex)
    return Expected(executions=("Stopped",), runs=("failed",), published=None, tasks={PUBLISH: "upstream_failed"})
