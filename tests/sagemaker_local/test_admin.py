"""Faults, quotas and counts that tests of any project switch while the server runs."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from sagemaker_local.control import Control, ControlError
from tests.sagemaker_local.conftest import ROLE
from tests.sagemaker_local.run_support import definition, processing, start

API_ONLY = True
NOTHING = definition({"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}})


@pytest.fixture
def control(local_aws):
    control = Control(local_aws.endpoint_url)
    quotas = control.quotas()
    yield control
    control.clear_faults()
    control.set_quotas(**quotas)


@pytest.fixture
def pipeline(sagemaker):
    name = f"p-{uuid.uuid4().hex[:8]}"
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=NOTHING, RoleArn=ROLE)
    return name


def test_a_throttled_operation_is_refused_as_often_as_asked_and_no_other_is(control, sagemaker, pipeline):
    """Two starts are refused, the third is taken; describing is not touched."""
    control.add_fault("throttle", operation="StartPipelineExecution", count=2)
    for _ in range(2):
        with pytest.raises(ClientError, match=r"ThrottlingException.*Rate exceeded"):
            sagemaker.start_pipeline_execution(PipelineName=pipeline)
        sagemaker.describe_pipeline(PipelineName=pipeline)
    sagemaker.start_pipeline_execution(PipelineName=pipeline)
    assert control.faults()[0]["fired"] == 2


def test_a_client_that_retries_gets_through_throttling(control, local_aws, pipeline):
    """botocore's own retries end the matter."""
    patient = local_aws.client("sagemaker", retries={"total_max_attempts": 4})
    with control.fault("throttle", operation="*", count=2) as fault:
        assert patient.describe_pipeline(PipelineName=pipeline)["PipelineName"] == pipeline
        assert control.faults()[0]["fired"] == 2
    assert fault["id"] not in [each["id"] for each in control.faults()]


def test_a_fault_hits_the_requests_whose_json_matches(control, sagemaker, pipeline):
    """Of many clients' calls only those that name something are hurt."""
    control.add_fault("throttle", operation="DescribePipeline", key=f'*"{pipeline}"*')
    with pytest.raises(ClientError, match="ThrottlingException"):
        sagemaker.describe_pipeline(PipelineName=pipeline)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.describe_pipeline(PipelineName=f"{pipeline}-other")


def test_an_error_is_the_one_asked_for(control, sagemaker, pipeline):
    """Code, status and message go over the wire."""
    control.add_fault("error", operation="DescribePipeline", code="ServiceUnavailable", status=503, message="Later.")
    with pytest.raises(ClientError, match=r"ServiceUnavailable.*Later\.") as caught:
        sagemaker.describe_pipeline(PipelineName=pipeline)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_latency_is_added(control, sagemaker, pipeline):
    """A call takes at least as long as asked."""
    control.add_fault("latency", operation="DescribePipeline", seconds=0.3)
    begun = time.monotonic()
    sagemaker.describe_pipeline(PipelineName=pipeline)
    assert time.monotonic() - begun >= 0.3


def test_a_held_request_goes_on_when_its_fault_is_removed(control, sagemaker, s3, pipeline):
    """A test holds a request of SageMaker or of S3 until something has happened, however long that takes."""
    bucket = f"b-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    with ThreadPoolExecutor() as pool:
        for operation, call in (
            ("DescribePipeline", lambda: sagemaker.describe_pipeline(PipelineName=pipeline)),
            ("s3:PutObject", lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"x")),
        ):
            with control.fault("latency", operation=operation, seconds=600):
                answer = pool.submit(call)
                while not control.faults()[0]["fired"]:
                    assert not answer.done()
            assert answer.result(timeout=60)


def test_a_lost_response_leaves_what_was_asked_for_done(control, sagemaker, pipeline):
    """The client sees a closed connection, the execution is there, and the same token comes to it."""
    token = uuid.uuid4().hex * 2
    control.add_fault("lose_response", operation="StartPipelineExecution", count=1)
    with pytest.raises(ConnectionClosedError):
        sagemaker.start_pipeline_execution(PipelineName=pipeline, ClientRequestToken=token)
    arn = sagemaker.start_pipeline_execution(PipelineName=pipeline, ClientRequestToken=token)["PipelineExecutionArn"]
    listed = sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]
    assert [each["PipelineExecutionArn"] for each in listed] == [arn]


def test_the_rest_of_aws_fails_as_asked_too(control, s3, local_aws):
    """S3 by key, a JSON service, a Query service and CBOR: each client reads its own form of error."""
    s3.create_bucket(Bucket="faulty")
    control.add_fault("lose_response", operation="s3:PutObject", key="out/*", count=1)
    s3.put_object(Bucket="faulty", Key="in/a", Body=b"a")
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket="faulty", Key="out/a", Body=b"kept")
    with s3.get_object(Bucket="faulty", Key="out/a")["Body"] as body:
        assert body.read() == b"kept"

    control.add_fault("throttle", operation="s3:GetObject", count=1)
    with pytest.raises(ClientError, match="SlowDown"):
        s3.get_object(Bucket="faulty", Key="out/a")
    calls = [
        ("sqs:ListQueues", lambda: local_aws.client("sqs").list_queues()),
        ("sns:ListTopics", lambda: local_aws.client("sns").list_topics()),
        ("lambda:GetFunction", lambda: local_aws.client("lambda").get_function(FunctionName="f")),
        ("cloudwatch:ListMetrics", lambda: local_aws.client("cloudwatch").list_metrics()),
    ]
    control.reset_calls()
    for operation, call in calls:
        control.add_fault("error", operation=operation, code="Broken", status=400, count=1)
        with pytest.raises(ClientError, match="Broken"):
            call()
    assert control.calls()["errors"] == {operation: {"Broken": 1} for operation, _ in calls}
    assert control.calls()["operations"] == {operation: 1 for operation, _ in calls}


def test_a_rate_with_a_seed_hits_the_same_requests_each_time(control, sagemaker, pipeline):
    """Half of the requests fail, and the same half when the seed is the same."""

    def outcomes(seed):
        with control.fault("error", operation="DescribePipeline", rate=0.5, seed=seed, status=400, code="Chance"):
            found = ""
            for _ in range(40):
                try:
                    sagemaker.describe_pipeline(PipelineName=pipeline)
                    found += "."
                except ClientError:
                    found += "x"
            return found

    first = outcomes(1)
    assert 5 < first.count("x") < 35
    assert outcomes(1) == first
    assert outcomes(2) != first


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"kind": "earthquake"}, "no fault of kind 'earthquake'"),
        ({"kind": "throttle", "operation": "StartPipeline"}, "no operation 'StartPipeline'"),
        ({"kind": "throttle", "operation": "s3:PutObjekt"}, "no operation 'PutObjekt'"),
        ({"kind": "throttle", "operation": "s4:PutObject"}, "no service 's4'"),
        ({"kind": "latency"}, "needs seconds"),
        ({"kind": "kill_step"}, "name of a step"),
        ({"kind": "throttle", "rate": 2}, "rate must be a number from 0 to 1"),
        ({"kind": "throttle", "count": 0}, "count must be a whole number"),
        ({"kind": "throttle", "step": "A"}, "not 'step'"),
        ([], "JSON object"),
    ],
)
def test_a_wrong_fault_is_refused_in_one_sentence(control, local_aws, fault, sentence):
    """400, and the sentence names what is wrong; nothing is set."""
    status, body = admin(local_aws, "POST", "faults", json.dumps(fault))
    assert status == 400
    assert sentence in body["error"]
    assert control.faults() == []


def admin(local_aws, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", local_aws.port, timeout=10)
    try:
        connection.request(method, f"/_local/{path}", body, headers)
        response = connection.getresponse()
        return response.status, json.load(response)
    finally:
        connection.close()


def test_what_is_no_request_of_the_route_is_told(control, local_aws):
    """Wrong method, path, JSON, id, and a page of another origin."""
    assert admin(local_aws, "PATCH", "faults")[0] == 405
    assert admin(local_aws, "GET", "nothing")[0] == 404
    assert admin(local_aws, "POST", "faults", "{")[0] == 400
    assert admin(local_aws, "POST", "faults", "[" * 60000)[0] == 400
    assert admin(local_aws, "POST", "faults", "x" * 70000)[0] == 413
    assert admin(local_aws, "GET", "faults", Origin="http://evil.example")[0] == 403
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert admin(local_aws, "GET", "faults", **rebound)[0] == 403
    assert admin(local_aws, "GET", "faults", Host="ec2-1-2-3-4.compute-1.amazonaws.com")[0] == 403
    with pytest.raises(ControlError, match="no fault"):
        control.remove_fault(999)


def test_quotas_change_while_the_server_runs(control, sagemaker, pipeline):
    """The second execution is one too many until the quota is raised, in AWS's wording."""
    control.reset_calls()
    running = control.calls()["concurrent_executions"]["now"]
    control.set_quotas(concurrent_executions=running + 1)
    sagemaker.start_pipeline_execution(PipelineName=pipeline)
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded, match=f"current utilization of {running + 1} and"):
        sagemaker.start_pipeline_execution(PipelineName=pipeline)
    control.set_quotas(concurrent_executions=None)
    sagemaker.start_pipeline_execution(PipelineName=pipeline)
    assert control.calls()["concurrent_executions"] == {"now": running + 2, "most": running + 2}
    assert control.calls()["errors"] == {"StartPipelineExecution": {"ResourceLimitExceeded": 1}}
    for wrong in ({"concurrent_executions": -1}, {"concurrent_moons": 1}, {"tags_per_resource": True}, {}):
        with pytest.raises(ControlError):
            control.set_quotas(**wrong)


def test_jobs_have_a_quota_of_their_own(control, sagemaker):
    """Processing jobs are refused, and nothing of the refused one is kept."""
    control.set_quotas(concurrent_processing_jobs=0)
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded, match="processing jobs' is 0"):
        sagemaker.create_processing_job(
            ProcessingJobName="too-many",
            RoleArn=ROLE,
            AppSpecification={"ImageUri": "image"},
            ProcessingResources={
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
        )
    assert sagemaker.list_processing_jobs(NameContains="too-many")["ProcessingJobSummaries"] == []


def test_a_step_is_killed_and_its_retry_succeeds(make_local_aws):
    """The job dies as when its instance is lost; with the fault used up, a retry of the execution runs through."""
    aws = make_local_aws().start()
    control = Control(aws.endpoint_url)
    control.add_fault("kill_step", step="Slow", count=1)
    run = start(aws, definition(processing("Slow", "import time, sys\nprint('ran', flush=True)\ntime.sleep(2)")))
    steps = run.wait("Failed")
    assert "137" in steps["Slow"]["FailureReason"] or "-9" in steps["Slow"]["FailureReason"]
    aws.client("sagemaker").retry_pipeline_execution(PipelineExecutionArn=run.arn, ClientRequestToken="t" * 32)
    run.wait("Succeeded")


def test_names_that_a_client_makes_up_do_not_fill_the_memory():
    """A thousand are counted one by one, the rest together."""
    from sagemaker_local.admin.calls import Calls

    calls = Calls()
    for number in range(3000):
        calls.count(f"sns:{number}")
        calls.error(f"sns:{number}", "Broken")
    counted = calls.document(0)
    assert counted["operations"]["other"] == 2000
    assert len(counted["operations"]) == len(counted["errors"]) == 1001
