"""A local SageMaker for the tests of any project: started, used and ended by a few lines of Python.

With pytest installed, the fixture `sagemaker_local` is one for the whole run (`sagemaker_local/pytest_plugin.py`);
without it, ``with LocalSageMaker(directory) as aws:`` does the same.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from sagemaker_local.api import DEFAULT_ACCOUNT, DEFAULT_REGION
from sagemaker_local.control import Control

Document = dict[str, Any]

ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/test"
_START_SECONDS = 120.0
_FINAL = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")


class LocalSageMakerError(Exception):
    """The server cannot be started, or an execution did not end in time; the message says why."""


@dataclass(frozen=True)
class Execution:
    """How an execution ended.

    Attributes:
        arn: of the execution.
        status: ``Succeeded``, ``Failed``, ``Stopped`` or ``CompletedWithFailures``.
        steps: by name, as ListPipelineExecutionSteps shows them.
        reason: its own FailureReason and those of its steps, one a line; empty when all went well.
    """

    arn: str
    status: str
    steps: dict[str, Document]
    reason: str


class LocalSageMaker:
    """One server on a free port of this machine, with its state in a directory."""

    region = DEFAULT_REGION
    account = DEFAULT_ACCOUNT
    role = ROLE

    def __init__(self, directory: Path, runtimes: Path | None = None) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            directory: for state and log.
            runtimes: which program stands for which image; those of the package when left out.
        """
        self.directory = directory
        self.log = directory / "server.log"
        self.endpoint_url = ""
        self._runtimes = runtimes
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.close()

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            LocalSageMakerError: it ended, or was not ready in time; with what it said.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "sagemaker_local", "--port", "0", "--state-dir", str(self.directory / "state")]
        if self._runtimes is not None:
            command += ["--runtimes", str(self._runtimes)]
        package = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": path},
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text(errors="replace")
                self.close()
                raise LocalSageMakerError(f"The local SageMaker did not start. It said:\n{said}")
            time.sleep(0.05)
        return self

    def close(self) -> None:
        """End the server and all that it runs."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    @property
    def environment(self) -> dict[str, str]:
        """What makes boto3, the SDK and Airflow speak to this server and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def control(self) -> Control:
        """Faults, quotas and counts."""
        return Control(self.endpoint_url)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        if service not in self._clients:
            session: Any = boto3.session.Session()
            self._clients[service] = session.client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=self.region,
                aws_access_key_id="local",
                aws_secret_access_key="local",  # noqa: S106 - no secret
                config=Config(s3={"addressing_style": "path"}),
            )
        return self._clients[service]

    def upload(self, source: str | Path | bytes, uri: str) -> str:
        """Put text, bytes, a file or the files of a directory below an S3 URI; make the bucket when needed."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        s3 = self.client("s3")
        if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=bucket)
        if isinstance(source, Path) and source.is_dir():
            for path in sorted(each for each in source.rglob("*") if each.is_file()):
                s3.upload_file(str(path), bucket, f"{key.rstrip('/')}/{path.relative_to(source).as_posix()}")
        else:
            body = source.read_bytes() if isinstance(source, Path) else source
            s3.put_object(Bucket=bucket, Key=key, Body=body.encode() if isinstance(body, str) else body)
        return uri

    def read(self, uri: str) -> bytes:
        """Return the content of an S3 object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def execute(self, definition: str | Document, /, *, seconds: float = 300, **parameters: Any) -> Execution:
        """Create a pipeline of a definition, execute it to its end, and return how it ended.

        Args:
            definition: as ``Pipeline.definition()`` of the SDK returns it, or parsed.
            seconds: how long it may take.
            parameters: of the pipeline, by name.

        Raises:
            LocalSageMakerError: it did not end in time.
        """
        text = definition if isinstance(definition, str) else json.dumps(definition)
        sagemaker = self.client("sagemaker")
        name = f"test-{uuid.uuid4().hex[:12]}"
        sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=self.role)
        given = [{"Name": key, "Value": _as_text(value)} for key, value in parameters.items()]
        arn = sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)["PipelineExecutionArn"]
        deadline = time.monotonic() + seconds
        while True:
            described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
            if described["PipelineExecutionStatus"] in _FINAL:
                return self._execution(arn, described)
            if time.monotonic() > deadline:
                raise LocalSageMakerError(f"{arn} is {described['PipelineExecutionStatus']} after {seconds} s.")
            time.sleep(0.05)

    def _execution(self, arn: str, described: Document) -> Execution:
        pages = (
            self.client("sagemaker").get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
        )
        steps = {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}
        reasons = [described.get("FailureReason", "")]
        reasons += [f"{name}: {step['FailureReason']}" for name, step in steps.items() if "FailureReason" in step]
        return Execution(arn, described["PipelineExecutionStatus"], steps, "\n".join(filter(None, reasons)))

    def _ready(self) -> bool:
        if not self.endpoint_url:
            # The port is chosen by the system, and said in the first line.
            words = self.log.read_text(errors="replace").split()
            self.endpoint_url = next((word for word in words if word.startswith("http://")), "")
            return False
        address = urlsplit(self.endpoint_url)
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=10)
        try:
            connection.request("GET", "/_local/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
