"""Changes of state reach the rules that users keep on EventBridge."""

from __future__ import annotations

import io
import json
import signal
import uuid
import zipfile

import pytest

from sagemaker_local.control import Control
from sagemaker_local.events import pattern, targets
from tests.sagemaker_local.conftest import ROLE, wait_for
from tests.sagemaker_local.run_support import definition, processing, put, read, start

PACKAGE = "SageMaker Model Package State Change"
EXECUTION = "SageMaker Model Building Pipeline Execution Status Change"
STEP = "SageMaker Model Building Pipeline Execution Step Status Change"


def queue_for(aws, detail_type, detail=None, **target):
    """Return a queue to which a rule brings the events of a type."""
    name = f"q-{uuid.uuid4().hex[:8]}"
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = {"source": ["aws.sagemaker"], "detail-type": [detail_type], **({"detail": detail} if detail else {})}
    events.put_rule(Name=name, EventPattern=json.dumps(rule))
    answer = events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn, **target}])
    assert answer["FailedEntryCount"] == 0
    return url, name


def received(aws, url, count, seconds=20):
    """Return the bodies of so many messages, each deleted."""
    sqs, found = aws.client("sqs"), []

    def more():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message["Body"])
        return len(found) >= count

    wait_for(more, seconds, lambda: f"{count} messages, there are {found}")
    return [json.loads(body) if body.startswith("{") else body for body in found]


def package(sagemaker, group=None):
    group = group or f"g-{uuid.uuid4().hex[:8]}"
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    return group, sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]


def test_an_approval_is_told_once_to_the_rule_that_asks_for_it(local_aws, sagemaker):
    """A rule for Approved hears of the approval, not of the registration nor of another description."""
    url, _ = queue_for(local_aws, PACKAGE, {"ModelApprovalStatus": ["Approved"]})
    group, arn = package(sagemaker)
    sagemaker.update_model_package(ModelPackageArn=arn, ApprovalDescription="looks good")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    event = received(local_aws, url, 1)[0]
    assert event["source"] == "aws.sagemaker"
    assert event["resources"] == [arn]
    assert (event["account"], event["region"], event["version"]) == ("000000000000", "us-east-1", "0")
    detail = event["detail"]
    assert (detail["ModelPackageGroupName"], detail["ModelPackageVersion"]) == (group, 1)
    assert detail["UpdatedModelPackageFields"] == ["ModelApprovalStatus", "ApprovalDescription"]
    assert detail["CreationTime"].endswith("Z")


def test_an_execution_and_its_steps_tell_each_status(make_local_aws):
    """Executing, then Succeeded, with names in the lower camel case of AWS; the job tells its own."""
    aws = make_local_aws().start()
    executions, _ = queue_for(aws, EXECUTION)
    steps, _ = queue_for(aws, STEP)
    jobs, _ = queue_for(aws, "SageMaker Processing Job State Change", {"ProcessingJobStatus": ["Completed"]})
    run = start(aws, definition(processing("Work", "print('done')")))
    run.wait()
    told = [event["detail"] for event in received(aws, executions, 2)]
    assert [each["currentPipelineExecutionStatus"] for each in told] == ["Executing", "Succeeded"]
    assert told[1]["previousPipelineExecutionStatus"] == "Executing"
    assert "executionEndTime" in told[1]
    assert "executionEndTime" not in told[0]
    told = [event["detail"] for event in received(aws, steps, 2)]
    assert [each["currentStepStatus"] for each in told][-1] == "Succeeded"
    assert {each["stepType"] for each in told} == {"Processing"}
    assert told[-1]["stepName"] == "Work"
    arn = told[-1]["metadata"]["processingJob"]["arn"]
    event = received(aws, jobs, 1)[0]
    assert event["resources"] == [arn]
    assert event["detail"]["ProcessingEndTime"] > 10**12


def test_what_was_not_delivered_is_delivered_after_a_kill(make_local_aws):
    """With the queue unreachable and the server killed, the event arrives when both are back."""
    aws = make_local_aws().start()
    url, _ = queue_for(aws, PACKAGE, {"ModelApprovalStatus": ["Approved"]})
    _, arn = package(aws.client("sagemaker"))
    control = Control(aws.endpoint_url)
    control.add_fault("error", operation="sqs:SendMessage", status=503, code="ServiceUnavailable")
    aws.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    wait_for(lambda: control.faults()[0]["fired"] > 0, 20, "the first attempt")
    aws.stop(signal.SIGKILL)
    wait_for(lambda: aws.processes() == [], 30, "the rest of AWS to save its queues")
    aws.start()
    assert received(aws, url, 1)[0]["resources"] == [arn]


def test_a_rule_shapes_what_its_target_is_given(local_aws, sagemaker):
    """Input, InputPath and InputTransformer."""
    transformer = {
        "InputPathsMap": {"arn": "$.detail.ModelPackageArn", "version": "$.detail.ModelPackageVersion"},
        "InputTemplate": '{"text": "approve <arn>", "version": <version>, "rule": <aws.events.rule-name>}',
    }
    group = f"g-{uuid.uuid4().hex[:8]}"
    detail = {"ModelPackageGroupName": [group]}
    fixed, _ = queue_for(local_aws, PACKAGE, detail, Input='{"fixed": true}')
    path, _ = queue_for(local_aws, PACKAGE, detail, InputPath="$.detail.ModelApprovalStatus")
    shaped, name = queue_for(local_aws, PACKAGE, detail, InputTransformer=transformer)
    _, arn = package(sagemaker, group)
    assert received(local_aws, fixed, 1) == [{"fixed": True}]
    assert received(local_aws, path, 1) == ['"PendingManualApproval"']
    assert received(local_aws, shaped, 1) == [{"text": f"approve {arn}", "version": 1, "rule": name}]


def test_a_topic_and_a_function_are_targets_too(local_aws, sagemaker):
    """SNS hands on to its queue; the function runs with the event."""
    sqs, sns, events = (local_aws.client(each) for each in ("sqs", "sns", "events"))
    url, rule = queue_for(local_aws, PACKAGE, {"ModelPackageGroupName": [{"prefix": "both-"}]})
    topic = sns.create_topic(Name="packages")["TopicArn"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    put(local_aws, "marker", "")
    code = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        "    s3 = boto3.client('s3')\n"
        "    s3.put_object(Bucket='bucket', Key='heard', Body=json.dumps(event).encode())\n"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", code)
    function = local_aws.client("lambda").create_function(
        FunctionName="hear",
        Runtime="python3.12",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
    )["FunctionArn"]
    events.put_targets(Rule=rule, Targets=[{"Id": "2", "Arn": topic}, {"Id": "3", "Arn": function}])
    _, arn = package(sagemaker, f"both-{uuid.uuid4().hex[:6]}")
    assert [event["resources"] for event in received(local_aws, url, 2)] == [[arn], [arn]]
    s3 = local_aws.client("s3")
    wait_for(lambda: s3.list_objects_v2(Bucket="bucket", Prefix="heard").get("KeyCount"), 30, "the function's object")
    assert json.loads(read(local_aws, "heard"))["resources"] == [arn]


def test_a_target_that_is_gone_sends_the_event_to_the_dead_letters(local_aws, sagemaker):
    """The dead-letter queue says which rule, which target and why; a disabled rule is told nothing."""
    dead, _ = queue_for(local_aws, "nothing")
    sqs, events = local_aws.client("sqs"), local_aws.client("events")
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    group = f"g-{uuid.uuid4().hex[:8]}"
    url, rule = queue_for(local_aws, PACKAGE, {"ModelPackageGroupName": [group]}, DeadLetterConfig={"Arn": dead_arn})
    sqs.delete_queue(QueueUrl=url)
    package(sagemaker, group)
    messages = []

    def arrived():
        answer = sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"])
        messages.extend(answer.get("Messages", []))
        return messages

    wait_for(arrived, 20, "the dead letter")
    attributes = messages[0]["MessageAttributes"]
    assert attributes["RULE_ARN"]["StringValue"].endswith(f"rule/{rule}")
    assert "NonExistentQueue" in attributes["ERROR_CODE"]["StringValue"]
    events.disable_rule(Name=rule)
    sagemaker.create_model_package(ModelPackageGroupName=group)
    wait_for(local_aws.has_told, 20, "its event to be told")  # else the rule that follows may still hear of it
    waiting, _ = queue_for(local_aws, PACKAGE, {"ModelPackageGroupName": [group]})
    sagemaker.create_model_package(ModelPackageGroupName=group)
    assert received(local_aws, waiting, 1)[0]["detail"]["ModelPackageVersion"] == 3
    assert sqs.receive_message(QueueUrl=dead).get("Messages", []) == []


EVENT = {
    "source": "aws.sagemaker",
    "account": "000000000000",
    "resources": ["arn:a/1", "arn:b/2"],
    "detail": {"status": "Failed", "count": 3, "flag": True, "none": None, "steps": [{"name": "A"}, {"name": "B"}]},
}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"source": ["aws.sagemaker", "other"]}, True),
        ({"source": ["other"]}, False),
        ({"resources": ["arn:b/2"]}, True),
        ({"resources": [{"prefix": "arn:c"}]}, False),
        ({"resources": [{"suffix": "/2"}]}, True),
        ({"detail": {"status": [{"anything-but": ["Succeeded", "Stopped"]}]}}, True),
        ({"detail": {"status": [{"anything-but": "Failed"}]}}, False),
        ({"detail": {"status": [{"anything-but": {"prefix": "Fa"}}]}}, False),
        ({"detail": {"status": [{"equals-ignore-case": "fAILED"}]}}, True),
        ({"detail": {"status": [{"wildcard": "F*d"}]}}, True),
        ({"detail": {"count": [{"numeric": [">", 2, "<=", 3]}]}}, True),
        ({"detail": {"count": [{"numeric": ["<", 3]}]}}, False),
        ({"detail": {"count": [3]}}, True),
        ({"detail": {"flag": [True]}}, True),
        ({"detail": {"missing": [{"exists": False}]}}, True),
        ({"detail": {"missing": [{"exists": True}]}}, False),
        ({"detail": {"steps": {"name": ["B"]}}}, True),
        ({"detail": {"steps": {"name": ["C"]}}}, False),
        ({"$or": [{"source": ["x"]}, {"detail": {"count": [3]}}]}, True),
        ({"detail": {"status": ["Failed"], "missing": ["x"]}}, False),
    ],
)
def test_patterns_match_as_eventbridge_matches(local_aws, rule, expected):
    """Each pattern, by ours and by the TestEventPattern of the EventBridge beside it."""
    assert pattern.matches(rule, EVENT) is expected
    event = {**EVENT, "id": "1", "detail-type": "t", "time": "2026-03-03T00:00:00Z", "region": "us-east-1"}
    answer = local_aws.client("events").test_event_pattern(EventPattern=json.dumps(rule), Event=json.dumps(event))
    assert answer["Result"] is expected


@pytest.mark.parametrize("rule", [[], {"a": "b"}, {"a": [{"odd": 1}]}, {"a": [{"numeric": ["~", 1]}]}, {"$or": {}}])
def test_a_pattern_that_is_none_is_told(rule):
    """It never counts as a match."""
    with pytest.raises(pattern.PatternError):
        pattern.matches(rule, {"a": 1})


def test_a_target_of_another_kind_is_told():
    """Kinesis and the like are named, not dropped in silence."""
    with pytest.raises(targets.TargetError, match="SQS, SNS and Lambda"):
        targets.send(None, {"Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/a"}, "rule", {"time": ""})


def test_events_do_not_pile_up_without_rules(local_aws, sagemaker):
    """What no rule asks for leaves the store at once."""
    package(sagemaker)
    wait_for(local_aws.has_told, 20, "the store to be free of events")
