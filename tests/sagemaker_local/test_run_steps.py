"""Caching, selective execution, callbacks, parallelism: shell scripts as jobs, so that a step takes milliseconds."""

from __future__ import annotations

import itertools
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_local.conftest import ROLE
from tests.sagemaker_local.run_support import BUCKET, CLUSTER, Run, again, definition, get, put, read, start

RUNTIMES = Path(__file__).with_name("runtimes_shell.yaml")
OUT = "/opt/ml/processing/out"


def shell(name: str, script: str, *, environment: dict | None = None, **step: Any) -> dict:
    """Return a Processing step whose script may write to $OUT, and whose environment is part of what is cached."""
    uri = {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}/steps", get("Execution.PipelineExecutionId"), name]}}
    out = {"S3Uri": uri, "LocalPath": OUT, "S3UploadMode": "EndOfJob"}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": "shell", "ContainerEntrypoint": ["/bin/sh", "-c", script]},
            "Environment": environment or {},
            "ProcessingResources": CLUSTER,
            "RoleArn": ROLE,
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": out}]},
        },
        **step,
    }


def uri_of(step: str) -> dict:
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri")


def create(aws: Any, text: str) -> str:
    put(aws, "anything", "")
    name = f"pipeline-{uuid.uuid4().hex[:8]}"
    aws.client("sagemaker").create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE)
    return name


def cached(path: Path, expire: str | None = "P1D", *, enabled: bool = True) -> str:
    """Return a pipeline of two steps that count their runs in a file; only the first is cached."""
    config = {"Enabled": enabled, **({"ExpireAfter": expire} if expire else {})}
    count = f'echo "$WHO" >> {path}; echo out > {OUT}/result'
    return definition(
        shell("Cached", count, environment={"WHO": get("Parameters.Who")}, CacheConfig=config),
        shell("Always", f"echo always >> {path}", environment={"FROM": uri_of("Cached")}),
        parameters=[{"Name": "Who", "Type": "String", "DefaultValue": "a"}],
    )


def test_a_cached_step_runs_once_for_the_same_arguments(local_aws, tmp_path):
    """A hit shows the source execution and its job; what follows reads the former outputs; other arguments run anew."""
    name = create(local_aws, cached(tmp_path / "runs"))
    first = again(local_aws, name)
    one = first.wait()
    second = again(local_aws, name)
    two = second.wait()
    other = again(local_aws, name, Who="b").wait()
    third = again(local_aws, name).wait()
    assert (tmp_path / "runs").read_text().split() == ["a", "always", "always", "b", "always", "always"]
    assert "CacheHitResult" not in one["Cached"]
    assert "CacheHitResult" not in other["Cached"]
    for steps in (two, third):
        assert steps["Cached"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first.arn}
        assert steps["Cached"]["Metadata"] == one["Cached"]["Metadata"]
    source = second.job("Always")["Environment"]["FROM"]
    assert source == f"s3://{BUCKET}/steps/{first.arn[-12:]}/Cached"


def test_a_cache_entry_expires(local_aws, tmp_path, monkeypatch):
    """ExpireAfter counts from the end of the run that was remembered; without Enabled nothing is reused."""
    sagemaker = local_aws.client("sagemaker")
    name = create(local_aws, cached(tmp_path / "runs", expire="T0h0m1s"))
    again(local_aws, name).wait()
    sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=cached(tmp_path / "runs", expire="30dT5h"))
    assert "CacheHitResult" in again(local_aws, name).wait()["Cached"]
    sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=cached(tmp_path / "runs", enabled=False))
    assert "CacheHitResult" not in again(local_aws, name).wait()["Cached"]
    with pytest.raises(ClientError, match="no ISO 8601 duration"):
        create(local_aws, cached(tmp_path / "runs", expire="tomorrow"))
    with pytest.raises(ClientError, match="takes no CacheConfig"):
        create(
            local_aws,
            definition(
                {
                    "Name": "F",
                    "Type": "Fail",
                    "Arguments": {"ErrorMessage": "x"},
                    "CacheConfig": {"Enabled": True},
                }
            ),
        )


def chain(path: Path) -> str:
    """Return Prepare -> Train -> Evaluate -> Report, each counting its runs."""
    steps = [shell("Prepare", f"echo prepare >> {path}; echo 1 > {OUT}/value.json")]
    for before, name in (("Prepare", "Train"), ("Train", "Evaluate"), ("Evaluate", "Report")):
        steps.append(shell(name, f"echo {name.lower()} >> {path}", environment={"FROM": uri_of(before)}))
    return definition(*steps)


def select(aws: Any, pipeline: str, *names: str, source: str | None = None) -> Run:
    config: dict = {"SelectedSteps": [{"StepName": name} for name in names]}
    if source:
        config["SourcePipelineExecutionArn"] = source
    arn = aws.client("sagemaker").start_pipeline_execution(PipelineName=pipeline, SelectiveExecutionConfig=config)
    return Run(aws, arn["PipelineExecutionArn"])


def test_selected_steps_run_on_what_another_execution_left(local_aws, tmp_path):
    """Only the selected steps run; those whose outputs they read show the source execution; nothing after them runs."""
    name = create(local_aws, chain(tmp_path / "runs"))
    source = again(local_aws, name)
    source.wait()
    run = select(local_aws, name, "Train", "Evaluate", source=source.arn)
    steps = run.wait()
    assert set(steps) == {"Prepare", "Train", "Evaluate"}
    assert steps["Prepare"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source.arn}
    assert "SelectiveExecutionResult" not in steps["Train"]
    assert run.job("Train")["Environment"]["FROM"].endswith(f"{source.arn[-12:]}/Prepare")
    assert run.job("Evaluate")["Environment"]["FROM"].endswith(f"{run.arn[-12:]}/Train")
    assert (tmp_path / "runs").read_text().split()[4:] == ["train", "evaluate"]
    assert [each["StepName"] for each in run.describe()["SelectiveExecutionConfig"]["SelectedSteps"]] == [
        "Train",
        "Evaluate",
    ]
    assert set(select(local_aws, name, "Prepare").wait()) == {"Prepare"}, "which needs no source"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Prepare", "Evaluate"], "paths between selected steps must be selected too: Train"),
        (["Nobody"], "which the pipeline does not have"),
        (["Train"], "give SourcePipelineExecutionArn"),
    ],
)
def test_a_selection_that_cannot_run_is_refused(local_aws, tmp_path, names, message):
    """The message says which rule of selective execution is broken."""
    name = create(local_aws, chain(tmp_path / "runs"))
    with pytest.raises(ClientError, match=message):
        select(local_aws, name, *names)


def queue(aws: Any) -> str:
    return aws.client("sqs").create_queue(QueueName=f"queue-{uuid.uuid4().hex[:8]}")["QueueUrl"]


def message(aws: Any, url: str) -> dict:
    found = aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
    return json.loads(found[0]["Body"])


def callback(url: str, **step: Any) -> dict:
    return {
        "Name": "Ask",
        "Type": "Callback",
        "SqsQueueUrl": url,
        "Arguments": {"question": get("Parameters.Question")},
        "OutputParameters": [{"OutputName": "answer", "OutputType": "Integer"}],
        **step,
    }


QUESTION = [{"Name": "Question", "Type": "String", "DefaultValue": "how many?"}]


def test_a_callback_step_waits_for_the_answer_to_its_token(local_aws, tmp_path):
    """The queue gets token and arguments; outputs of the answer are typed and referable; a token is used up once."""
    url = queue(local_aws)
    text = definition(
        callback(url),
        shell(
            "After",
            f'echo "$ANSWER" > {OUT}/answer',
            environment={"ANSWER": {"Std:Join": {"On": "", "Values": [get("Steps.Ask.OutputParameters['answer']")]}}},
        ),
        parameters=QUESTION,
    )
    run = start(local_aws, text)
    sent = message(local_aws, url)
    assert sent["arguments"] == {"question": "how many?"}
    assert (sent["status"], sent["pipelineExecutionArn"]) == ("Executing", run.arn)
    assert run.statuses() == {"Ask": "Executing"}
    answer = {"CallbackToken": sent["token"], "OutputParameters": [{"Name": "answer", "Value": "42"}]}
    done = local_aws.client("sagemaker").send_pipeline_execution_step_success(**answer)
    assert done["PipelineExecutionArn"] == run.arn
    steps = run.wait()
    shown = steps["Ask"]["Metadata"]["Callback"]
    assert shown == {
        "CallbackToken": sent["token"],
        "SqsQueueUrl": url,
        "OutputParameters": answer["OutputParameters"],
    }
    assert read(local_aws, f"steps/{run.arn[-12:]}/After/answer").strip() == "42"
    with pytest.raises(local_aws.client("sagemaker").exceptions.ConflictException):
        local_aws.client("sagemaker").send_pipeline_execution_step_success(**answer)
    with pytest.raises(local_aws.client("sagemaker").exceptions.ResourceNotFound):
        local_aws.client("sagemaker").send_pipeline_execution_step_failure(CallbackToken="a" * 10)


def test_a_callback_may_fail_the_step_or_answer_wrongly(local_aws):
    """The reason of the failure, or the output that is missing, stands in the step's FailureReason."""
    url = queue(local_aws)
    sagemaker = local_aws.client("sagemaker")
    run = start(local_aws, definition(callback(url), parameters=QUESTION))
    token = message(local_aws, url)["token"]
    sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="nobody knows")
    assert "nobody knows" in run.wait("Failed")["Ask"]["FailureReason"]
    run = start(local_aws, definition(callback(url), parameters=QUESTION))
    sagemaker.send_pipeline_execution_step_success(CallbackToken=message(local_aws, url)["token"])
    assert "The answer has no 'answer'" in run.wait("Failed")["Ask"]["FailureReason"]
    run = start(local_aws, definition(callback(f"{url}-gone"), parameters=QUESTION))
    assert "cannot be reached" in run.wait("Failed")["Ask"]["FailureReason"]


def test_a_callback_step_that_is_stopped_tells_the_queue_and_waits(local_aws):
    """Stopping sends a second message with status Stopping; the execution is Stopped once the answer has come."""
    url = queue(local_aws)
    run = start(local_aws, definition(callback(url), parameters=QUESTION))
    token = message(local_aws, url)["token"]
    run.sagemaker.stop_pipeline_execution(PipelineExecutionArn=run.arn)
    told = message(local_aws, url)
    assert (told["token"], told["status"]) == (token, "Stopping")
    assert run.status() == "Stopping"
    run.sagemaker.send_pipeline_execution_step_failure(CallbackToken=token)
    assert run.wait("Stopped")["Ask"]["StepStatus"] == "Stopped"


def test_no_more_steps_run_at_a_time_than_asked_for(local_aws, tmp_path):
    """MaxParallelExecutionSteps of 1 makes independent steps run one after the other; the update of a run counts."""
    text = definition(*(shell(name, f"mkdir {tmp_path}/lock && rmdir {tmp_path}/lock") for name in "ABCD"))
    name = create(local_aws, text)
    arn = local_aws.client("sagemaker").start_pipeline_execution(
        PipelineName=name, ParallelismConfiguration={"MaxParallelExecutionSteps": 1}
    )["PipelineExecutionArn"]
    steps = Run(local_aws, arn).wait()
    spans = sorted((step["StartTime"], step["EndTime"]) for step in steps.values())
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
