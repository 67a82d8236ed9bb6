"""Pipelines for the tests of what runs: steps, and waiting for an execution's end."""

from __future__ import annotations

import hashlib
import json
import textwrap
import uuid
from pathlib import Path
from typing import Any

from tests.sagemaker_local.conftest import ROLE, LocalAws, wait_for

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ANALYZER = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"
CLUSTER = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}}
FINAL = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
BUCKET = "bucket"
SCRIPTS: dict[str, str] = {}


def alive(pid: int) -> bool:
    """Tell whether a process is there and has not ended; it may end while it is looked at."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def get(path: str) -> dict[str, str]:
    return {"Get": path}


def processing_arguments(script: str, *arguments: Any, **extra: Any) -> dict[str, Any]:
    """Return the Arguments of a job that runs a script, which `start` (or `put_scripts`) stores as its code input."""
    text = textwrap.dedent(script)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    SCRIPTS[f"code/{digest}/script.py"] = text
    code = inputs(code=f"s3://{BUCKET}/code/{digest}/")
    return {
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/script.py"],
            **({"ContainerArguments": list(arguments)} if arguments else {}),
        },
        "ProcessingResources": CLUSTER,
        "RoleArn": ROLE,
        **extra,
        "ProcessingInputs": [*extra.get("ProcessingInputs", []), *code],
    }


def put_scripts(aws: LocalAws) -> None:
    """Store all scripts that steps were made with so far."""
    for key, text in SCRIPTS.items():
        put(aws, key, text)


def processing(
    name: str, script: str, *arguments: Any, step: dict[str, Any] | None = None, **extra: Any
) -> dict[str, Any]:
    """Return a Processing step; `step` holds keys of the step besides its Arguments."""
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": processing_arguments(script, *arguments, **extra),
        **(step or {}),
    }


def inputs(**uris: Any) -> list[dict[str, Any]]:
    return [
        {
            "InputName": name,
            "S3Input": {
                "S3Uri": uri,
                "LocalPath": f"/opt/ml/processing/input/{name}",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
        for name, uri in uris.items()
    ]


def outputs(**uris: Any) -> dict[str, Any]:
    return {
        "Outputs": [
            {
                "OutputName": name,
                "S3Output": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/output/{name}",
                    "S3UploadMode": "EndOfJob",
                },
            }
            for name, uri in uris.items()
        ]
    }


def definition(*steps: dict[str, Any], parameters: list[dict[str, Any]] | None = None) -> str:
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters or [], "Steps": list(steps)})


class Run:
    """One execution, as boto3 shows it."""

    def __init__(self, aws: LocalAws, arn: str) -> None:
        self.aws = aws
        self.arn = arn
        self.sagemaker = aws.client("sagemaker")

    def describe(self) -> dict[str, Any]:
        return self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=self.arn)

    def status(self) -> str:
        return self.describe()["PipelineExecutionStatus"]

    def steps(self) -> dict[str, dict[str, Any]]:
        pages = self.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=self.arn)
        return {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}

    def statuses(self) -> dict[str, str]:
        return {name: step["StepStatus"] for name, step in self.steps().items()}

    def wait(self, status: str = "Succeeded", seconds: float = 60) -> dict[str, dict[str, Any]]:
        """Wait for the end, check its status, return the steps."""
        wait_for(lambda: self.status() in FINAL, seconds, lambda: f"{self.describe()}\n{self.steps()}")
        steps = self.steps()
        assert self.status() == status, (self.describe().get("FailureReason"), steps)
        return steps

    def wait_step(self, name: str, *statuses: str, seconds: float = 30) -> None:
        wait_for(
            lambda: self.statuses().get(name) in statuses, seconds, lambda: f"{name} in {statuses}: {self.steps()}"
        )

    def job(self, step: str) -> dict[str, Any]:
        """Return the description of a Processing step's job."""
        arn = self.steps()[step]["Metadata"]["ProcessingJob"]["Arn"]
        return self.sagemaker.describe_processing_job(ProcessingJobName=arn.rpartition("/")[2])


def start(aws: LocalAws, text: str, **parameters: str) -> Run:
    """Create a pipeline from a definition and start it."""
    put_scripts(aws)
    sagemaker = aws.client("sagemaker")
    name = f"pipeline-{uuid.uuid4().hex[:8]}"
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE)
    return again(aws, name, **parameters)


def again(aws: LocalAws, name: str, **parameters: str) -> Run:
    given = [{"Name": key, "Value": value} for key, value in parameters.items()]
    return Run(
        aws,
        aws.client("sagemaker").start_pipeline_execution(PipelineName=name, PipelineParameters=given)[
            "PipelineExecutionArn"
        ],
    )


def put(aws: LocalAws, key: str, text: str | bytes) -> str:
    """Store an object and return its URI."""
    s3 = aws.client("s3")
    if BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode() if isinstance(text, str) else text)
    return f"s3://{BUCKET}/{key}"


def read(aws: LocalAws, key: str) -> str:
    return aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


def log_lines(aws: LocalAws, group: str, job: str) -> list[str]:
    """Return what a job said, read by boto3."""
    logs = aws.client("logs")
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=job)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)[
            "events"
        ]
    ]
