"""The door: what is passed on unchanged, what survives which end, and what a person is told."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

API_ONLY = True
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes through /proc")
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def bucket(s3):
    s3.create_bucket(Bucket="objects")
    return "objects"


def raw(local_aws, method, target, body=None, **headers):
    """Return status, headers and body of a request that no client has touched."""
    connection = http.client.HTTPConnection("127.0.0.1", local_aws.port, timeout=30)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body=body, headers=names)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def call(local_aws, operation, body):
    status, _, answer = raw(local_aws, "POST", "/", body, X_Amz_Target=f"SageMaker.{operation}")
    return status, json.loads(answer)


def test_health_names_both_halves(local_aws):
    """Both are ready, and the rest of AWS was started once."""
    health = local_aws.health()
    assert (health["sagemaker"], health["aws"], health["aws_starts"]) == ("ready", "ready", 1)
    assert health["version"]
    assert health["endpoint_url"] == local_aws.endpoint_url


def test_a_large_object_goes_through_unchanged(s3, bucket):
    """64 MB in, the same 64 MB out, also in parts of a multipart upload and as a range."""
    data = os.urandom(64 * MEGABYTE)
    s3.put_object(Bucket=bucket, Key="large", Body=data)
    body = s3.get_object(Bucket=bucket, Key="large")["Body"]
    with body:
        assert hashlib.sha256(body.read()).digest() == hashlib.sha256(data).digest()
    s3.upload_fileobj(io.BytesIO(data), bucket, "parts")
    assert s3.head_object(Bucket=bucket, Key="parts")["ContentLength"] == len(data)
    with s3.get_object(Bucket=bucket, Key="parts", Range="bytes=1000-1999")["Body"] as body:
        assert body.read() == data[1000:2000]


@pytest.mark.parametrize("key", ["a b", "a+b", "a%2Fb", "\u00fc/\u00e9", "a//b", "x?y=1&z", "dt=2026-03-03/part#1"])
def test_any_key_keeps_its_name(s3, bucket, key):
    """The encoding of a key is not touched on the way."""
    s3.put_object(Bucket=bucket, Key=f"keys/{key}", Body=key.encode())
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=f"keys/{key}")["Contents"]]
    assert listed == [f"keys/{key}"]
    with s3.get_object(Bucket=bucket, Key=f"keys/{key}")["Body"] as body:
        assert body.read() == key.encode()


@pytest.mark.parametrize("key", ["../outside", "../../../../outside", "a/../../../../../outside", "/outside", ".."])
def test_a_key_that_climbs_stays_in_its_bucket(local_aws, s3, bucket, key):
    """It is a name like any other: kept, listed, and no file beside the store's own."""
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    with s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
        assert body.read() == key.encode()
    assert key in [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    s3.delete_object(Bucket=bucket, Key=key)
    store = local_aws.state_dir / "ministack" / "s3"
    above = [local_aws.state_dir, *local_aws.state_dir.parents[:4], store.parent, store]
    assert [folder for folder in above if (folder / "outside").exists()] == []


def test_conditional_puts_are_decided_once(s3, bucket):
    """If-None-Match and If-Match answer 412 when they fail; of 16 racing puts one wins."""
    etag = s3.put_object(Bucket=bucket, Key="once", Body=b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=bucket, Key="once", Body=b"2", **condition)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    s3.put_object(Bucket=bucket, Key="once", Body=b"3", IfMatch=etag)

    def wins(number):
        try:
            s3.put_object(Bucket=bucket, Key="race", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {409, 412}:
                raise
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(wins, range(16))) == 1


def test_head_tells_the_size_and_sends_no_body(local_aws, s3, bucket):
    """The length of a HEAD answer is the object's."""
    s3.put_object(Bucket=bucket, Key="head", Body=b"12345")
    status, headers, body = raw(local_aws, "HEAD", f"/{bucket}/head")
    assert (status, body) == (200, b"")
    assert {name.lower(): value for name, value in headers.items()}["content-length"] == "5"


def test_a_bucket_may_stand_in_the_host_name(local_aws, s3, bucket):
    """Virtual-host style reaches the same object as path style."""
    s3.put_object(Bucket=bucket, Key="host", Body=b"here")
    for host in (f"{bucket}.localhost:{local_aws.port}", f"{bucket}.s3.us-east-1.amazonaws.com"):
        status, _, body = raw(local_aws, "GET", "/host", Host=host)
        assert (status, body) == (200, b"here")


def test_a_chunked_upload_goes_through(local_aws, s3, bucket):
    """A body without a length arrives whole."""
    chunks = [b"a" * 100_000, b"b" * 100_000]
    status, _, _ = raw(local_aws, "PUT", f"/{bucket}/chunked", iter(chunks))
    assert status == 200
    assert s3.head_object(Bucket=bucket, Key="chunked")["ContentLength"] == 200_000


def test_queues_and_topics_answer_behind_the_same_door(local_aws):
    """A message published to a topic arrives in a queue that subscribed to it."""
    sns, sqs = local_aws.client("sns"), local_aws.client("sqs")
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    assert f":{local_aws.port}/" in url
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=topic, Message="hello")
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert [message["Body"] for message in messages] == ["hello"]


FUNCTION = """
import os, boto3
def handler(event, context):
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=event["name"])
    return {"path": [name for name in ("sagemaker_local", "sagemaker_batch") if _importable(name)]}
def _importable(name):
    import importlib.util
    return importlib.util.find_spec(name) is not None
"""


def create_function(client, code=FUNCTION):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("function.py", code)
    client.create_function(
        FunctionName="ours",
        Runtime=f"python3.{sys.version_info.minor}",
        Role="arn:aws:iam::000000000000:role/lambda",
        Handler="function.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=30,
    )


def test_a_function_reaches_our_sagemaker_and_nothing_of_ours(local_aws, sagemaker):
    """Lambda's boto3 needs no endpoint of its own, and the function finds only what its zip holds."""
    function = local_aws.client("lambda")
    create_function(function)
    answer = function.invoke(FunctionName="ours", Payload=json.dumps({"name": "from-lambda"}))
    with answer["Payload"] as payload:
        assert json.load(payload) == {"path": []}
    assert sagemaker.describe_model_package_group(ModelPackageGroupName="from-lambda")["ModelPackageGroupStatus"]


@pytest.mark.parametrize(
    ("operation", "body", "expected", "part"),
    [
        ("ListEndpoints", "{}", (501, "NotImplementedException"), "ListEndpoints"),
        ("NoSuchThing", "{}", (404, "UnknownOperationException"), "NoSuchThing"),
        ("CreateModel", "{", (400, "SerializationException"), "JSON"),
        ("CreateModel", "[]", (400, "SerializationException"), "Structure"),
        ("CreateModel", '{"ModelName": 7}', (400, "SerializationException"), "String"),
        ("CreateModel", '{"ModelName": "\\ud800"}', (400, "SerializationException"), "String"),
        ("ListModels", '{"MaxResults": NaN}', (400, "SerializationException"), "JSON"),
        ("ListModels", '{"MaxResults": 1e400}', (400, "SerializationException"), "Integer"),
        ("ListModels", '{"MaxResults": 101}', (400, "ValidationException"), "less than or equal to 100"),
        ("ListModels", '{"CreationTimeAfter": 1e300}', (400, "SerializationException"), "Timestamp"),
        ("ListModels", "[" * 100_000, (400, "SerializationException"), "JSON"),
        ("Search", '{"Resource": "ModelPackage", "SearchExpression": {}}', (400, "ValidationException"), "needs"),
        ("CreateModel", "{}", (400, "ValidationException"), "Value null at 'modelName' failed to satisfy constraint"),
        ("DescribeModel", '{"ModelName": "a_b"}', (400, "ValidationException"), "regular expression pattern"),
    ],
)
def test_bad_input_is_never_a_500(local_aws, operation, body, expected, part):
    """What a client did wrong is told as AWS would, with a status that is not retried."""
    status, answer = call(local_aws, operation, body)
    assert (status, answer.get("__type")) == expected
    assert part in answer["message"]


def test_a_deeply_nested_request_is_refused(local_aws):
    """Neither the parser nor the check of a recursive shape gives up with a 500."""
    expression = '{"SubExpressions":[' * 300 + '{"Filters":[{"Name":"ModelPackageArn"}]}' + "]}" * 300
    status, answer = call(local_aws, "Search", f'{{"Resource":"ModelPackage","SearchExpression":{expression}}}')
    assert status in {200, 400}, answer


def test_an_answer_does_not_wait_for_an_acknowledgement(sagemaker, s3, bucket):
    """Neither ours nor one that is passed on: with Nagle's algorithm at work each would take 40 ms and more."""
    s3.put_object(Bucket=bucket, Key="small", Body=b"1")
    for ask in (sagemaker.list_models, lambda: s3.head_object(Bucket=bucket, Key="small")):
        seconds = []
        for _ in range(31):
            begin = time.perf_counter()
            ask()
            seconds.append(time.perf_counter() - begin)
        assert min(seconds) < 0.03  # the best of many: other work on the machine slows some


def test_a_request_of_another_region_is_told_so(local_aws):
    """One server is one region, and says which."""
    scope = "AWS4-HMAC-SHA256 Credential=key/20260303/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
    status, _, body = raw(local_aws, "POST", "/", "{}", X_Amz_Target="SageMaker.ListModels", Authorization=scope)
    assert status == 400
    assert "--region eu-west-1" in json.loads(body)["message"]


def test_a_taken_port_is_one_clear_sentence(local_aws, tmp_path):
    """The message names the port and the option to choose another."""
    ended = start_beside(local_aws, tmp_path, local_aws.port)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert str(local_aws.port) in ended.stderr
    assert "--port" in ended.stderr


def test_two_servers_do_not_share_a_directory(local_aws):
    """The second one says who is there and what to do."""
    ended = start_beside(local_aws, local_aws.state_dir, 0)
    assert ended.returncode == 2
    assert "--state-dir" in ended.stderr


def test_a_wrong_runtimes_file_is_one_clear_sentence(local_aws, tmp_path):
    """The message names the file, and nothing was started."""
    missing = tmp_path / "missing.yaml"
    ended = start_beside(local_aws, tmp_path / "aws", 0, "--runtimes", str(missing))
    assert ended.returncode == 2
    assert str(missing) in ended.stderr
    assert "Traceback" not in ended.stderr


def start_beside(local_aws, state_dir, port, *arguments):
    arguments = arguments or ("--api-only",)
    return subprocess.run(
        [sys.executable, "-m", "sagemaker_local", "--port", str(port), "--state-dir", str(state_dir), *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@NEEDS_PROC
def test_the_rest_of_aws_is_started_again_when_it_dies(make_local_aws, wait_for):
    """Health counts the second start; objects are still there, and so is what was made a moment before."""
    server = make_local_aws("aws", "--api-only").start()
    s3 = server.client("s3", retries={"total_max_attempts": 10, "mode": "standard"})
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=b"v")
    make_others(server)
    saved = server.state_dir / "ministack" / "saved"
    wait_for(lambda: "kept-target" in text_of(saved / "eventbridge.json"), 30, "the rule's target to be saved")
    wait_for(lambda: "kept message" in text_of(saved / "sqs.json"), 30, "the message to be saved")
    os.kill(child_of(server), signal.SIGKILL)
    wait_for(lambda: server.health()["aws_starts"] == 2 and server.health()["ready"], 60, "the second start")
    with s3.get_object(Bucket="kept", Key="k")["Body"] as body:
        assert body.read() == b"v"
    events = server.client("events")
    assert events.describe_rule(Name="kept")["State"] == "ENABLED"
    assert [each["Id"] for each in events.list_targets_by_rule(Rule="kept")["Targets"]] == ["kept-target"]
    queue = server.client("sqs").get_queue_url(QueueName="kept")["QueueUrl"]
    assert server.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "kept message"
    assert server.client("lambda").get_function(FunctionName="ours")["Configuration"]["FunctionName"] == "ours"
    assert [topic["TopicArn"].rpartition(":")[2] for topic in server.client("sns").list_topics()["Topics"]] == ["kept"]
    assert server.client("iam").get_role(RoleName="kept")["Role"]["RoleName"] == "kept"


def make_others(server):
    """Make a queue with a message, a topic, a role, a function, and a rule with a target."""
    create_function(server.client("lambda"))
    server.client("sns").create_topic(Name="kept")
    server.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")
    queue = server.client("sqs").create_queue(QueueName="kept")["QueueUrl"]
    events = server.client("events")
    events.put_rule(Name="kept", EventPattern='{"source": ["aws.sagemaker"]}')
    arn = "arn:aws:sqs:us-east-1:000000000000:kept"
    events.put_targets(Rule="kept", Targets=[{"Id": "kept-target", "Arn": arn}])
    server.client("sqs").send_message(QueueUrl=queue, MessageBody="kept message")


def text_of(path):
    return path.read_text(encoding="utf-8") if path.exists() else ""


@NEEDS_PROC
def test_everything_survives_a_graceful_end(make_local_aws):
    """SIGTERM keeps queues, functions, objects and our state, and leaves no process."""
    server = make_local_aws("aws", "--api-only").start()
    server.client("sqs").create_queue(QueueName="kept")
    create_function(server.client("lambda"))
    server.client("s3").create_bucket(Bucket="kept")
    server.client("sagemaker").create_model_package_group(ModelPackageGroupName="kept")
    assert server.stop() == 0
    assert server.processes() == []
    server.start()
    assert server.client("sqs").get_queue_url(QueueName="kept")["QueueUrl"]
    assert server.client("lambda").get_function(FunctionName="ours")["Configuration"]["FunctionName"] == "ours"
    assert server.client("s3").list_buckets()["Buckets"][0]["Name"] == "kept"
    groups = server.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in groups] == ["kept"]


SLOW_JOB = {
    "ProcessingJobName": "slow",
    "RoleArn": "arn:aws:iam::000000000000:role/sagemaker-batch-execution-local",
    "AppSpecification": {
        "ImageUri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        "ContainerEntrypoint": ["python3", "-c", "import time; time.sleep(600)"],
    },
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
}


@NEEDS_PROC
def test_the_end_of_the_server_is_the_end_of_its_jobs(make_local_aws, wait_for):
    """SIGTERM while a job runs leaves neither the job's process nor any other."""
    server = make_local_aws("aws").start()
    before = set(server.processes())
    server.client("sagemaker").create_processing_job(**SLOW_JOB)
    wait_for(lambda: set(server.processes()) - before, 30, "the job's process")
    assert server.stop() == 0
    wait_for(lambda: server.processes() == [], 10, "no process to be left")


@NEEDS_PROC
def test_a_killed_server_leaves_no_process_and_keeps_its_state(make_local_aws, wait_for):
    """After SIGKILL the child ends by itself, and what was answered is there after the next start."""
    server = make_local_aws("aws", "--api-only").start()
    sagemaker = server.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="kept")
    server.client("sqs").create_queue(QueueName="kept")
    created: list[str] = []
    stop = threading.Event()

    def create():
        while not stop.is_set():
            try:
                answer = sagemaker.create_model_package(ModelPackageGroupName="kept")
            except Exception:  # noqa: BLE001 - any way in which a killed server fails its clients
                return
            created.append(answer["ModelPackageArn"])

    thread = threading.Thread(target=create)
    thread.start()
    wait_for(lambda: len(created) > 20, 30, "some packages")
    server.stop(signal.SIGKILL)
    stop.set()
    thread.join()
    wait_for(lambda: server.processes() == [], 30, "the child to end by itself")
    server.start()
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName="kept")
    kept = [package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]]
    assert kept[: len(created)] == created
    assert len(kept) <= len(created) + 1
    assert server.client("sqs").get_queue_url(QueueName="kept")["QueueUrl"]


def child_of(server):
    children = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    (child,) = {int(pid) for path in children for pid in path.read_text().split()}
    return child


def test_listening_elsewhere_is_warned_of_and_the_admin_routes_stay_local(make_local_aws):
    """There is no sign-in: whoever reaches the port can run commands."""
    aws = make_local_aws("aws", "--api-only", "--host", "0.0.0.0").start()  # noqa: S104 - what is warned of
    assert "listening on 0.0.0.0: whoever reaches it can run commands on this machine" in aws.log.read_text()
    address = _address_of_this_machine()
    if address is None:
        pytest.skip("this machine has no address besides its loopback one")
    connection = http.client.HTTPConnection(address, aws.port, timeout=10)
    try:
        connection.request("GET", "/_local/faults")
        response = connection.getresponse()
        assert (response.status, json.load(response)["error"]) == (
            403,
            "The admin routes answer processes of the same machine only.",
        )
    finally:
        connection.close()


def _address_of_this_machine():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; chooses the way out
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address
