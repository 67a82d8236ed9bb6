"""What one execution works with: the service, the jobs, and everything expressions may refer to."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_local.admin import permissions
from sagemaker_local.api import Api
from sagemaker_local.engine.expressions import ExpressionError, Scope
from sagemaker_local.engine.graph import Step
from sagemaker_local.jobs.clients import Clients, access_key
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.manager import Jobs
from sagemaker_local.jobs.objects import split_uri
from sagemaker_local.jobs.tuning import objective_of

Document = dict[str, Any]

# Kind of job -> title in AWS's members.
JOB_TITLES = {
    "processing_job": "ProcessingJob",
    "training_job": "TrainingJob",
    "transform_job": "TransformJob",
    "tuning_job": "HyperParameterTuningJob",
}


@dataclass
class ExecutionContext:
    """One execution, shared by the threads of its steps.

    Attributes:
        execution: the execution's document as it was when its thread began.
        parameters: typed values.
        steps: all steps of the definition.
        scheduled: those of them that run: all, or the selected ones.
        role: ARN of the pipeline's role, as which its steps call.
        stopping: set when the execution shall end.
        closing: set when the server ends.
    """

    api: Api
    jobs: Jobs
    clients: Clients
    execution: Document
    parameters: Document
    steps: dict[str, Step]
    scheduled: dict[str, Step]
    role: str
    stopping: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    _signals: dict[str, threading.Event] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The execution's ARN."""
        return str(self.execution["PipelineExecutionArn"])

    def call(self, operation: str, request: Document) -> Document:
        """Call an operation as the execution's role does.

        Raises:
            ApiError: its refusal.
        """
        api = self.api
        needed = permissions.of_sagemaker(operation, request, api.region, api.account)
        api.access.note(access_key(self.role), needed)
        return api.call(operation, request)

    @property
    def execution_id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]

    def signal(self, step: str) -> threading.Event:
        """Return what wakes a step that waits for an answer; also set when the execution stops or the server ends."""
        return self._signals.setdefault(step, threading.Event())

    def wake(self) -> None:
        """Wake all steps that wait for an answer."""
        for signal in list(self._signals.values()):
            signal.set()

    def read_step(self, name: str) -> Document | None:
        """Return the document of a step, None when it has not begun."""
        with self.api.store.read() as tx:
            return tx.get("step", f"{self.arn}/{name}")

    def update_step(self, name: str, **changes: Any) -> None:
        """Change members of a step; a dict is merged into `_local` and `Metadata`, None removes a member."""
        key = f"{self.arn}/{name}"
        with self.api.store.transaction() as tx:
            document = tx.get("step", key) or {"StepName": name, "_local": {}}
            for member, value in changes.items():
                if member in {"_local", "Metadata"} and value is not None:
                    document[member] = {**document.get(member, {}), **value}
                elif value is None:
                    document.pop(member, None)
                else:
                    document[member] = value
            tx.put("step", key, document, parent=self.arn)
            execution = tx.get("pipeline_execution", self.arn)
            if "StepStatus" in changes and execution is not None:
                # Who polls the execution alone sees that there is something new to list.
                execution["LastModifiedTime"] = self.api.clock()
                tx.put("pipeline_execution", self.arn, execution)

    def forget_attempt(self, name: str, attempt: int, retries: list[int]) -> None:
        """Make room for another attempt of a step: what the former one put on record does not bind it."""
        key = f"{self.arn}/{name}"
        with self.api.store.transaction() as tx:
            document = tx.get("step", key) or {"StepName": name}
            tx.put("step", key, {**document, "_local": {"retries": retries}, "AttemptCount": attempt}, parent=self.arn)

    def mark_stopping(self) -> list[Document]:
        """Show every step that runs as Stopping; return their documents."""
        found: list[Document] = []
        with self.api.store.transaction() as tx:
            for document in tx.list("step", self.arn):
                if document["StepStatus"] in {"Starting", "Executing", "Stopping"}:
                    document["StepStatus"] = "Stopping"
                    tx.put("step", f"{self.arn}/{document['StepName']}", document, parent=self.arn)
                    found.append(document)
        return found

    def scope(self, job_name: str = "") -> Scope:
        """Return what expressions of a step refer to; `job_name` is that of the job that the step is about to start."""
        return _ExecutionScope(self, job_name)


class _ExecutionScope:
    def __init__(self, context: ExecutionContext, job_name: str) -> None:
        self._context = context
        self._job_name = job_name

    def parameter(self, name: str) -> Any:
        return self._context.parameters[name]

    def execution(self, name: str) -> str:
        execution = self._context.execution
        if name in {"StartDateTime", "CurrentDateTime"}:
            seconds = execution["CreationTime"] if name == "StartDateTime" else self._context.api.clock()
            return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if name in {"TrainingJobName", "ProcessingJobName"}:
            if not self._job_name:
                raise ExpressionError(f"Execution.{name} is known to the step that starts the job only.")
            return self._job_name
        return {
            "PipelineName": execution["PipelineArn"].rpartition("/")[2],
            "PipelineArn": execution["PipelineArn"],
            "PipelineExecutionId": self._context.execution_id,
            "PipelineExecutionArn": self._context.arn,
        }[name]

    def properties(self, step: str) -> Any:
        document = self._context.read_step(step)
        if document is None or document["StepStatus"] != "Succeeded":
            raise ExpressionError(f"Step {step} has not succeeded, so Steps.{step} refers to nothing.")
        local = document["_local"]
        if "properties" in local:
            return local["properties"]
        if "job" in local:
            if self._context.steps[step].type == "QualityCheck":
                return document["Metadata"]["QualityCheck"]
            kind, name = local["job"]
            title = JOB_TITLES[kind]
            described = self._context.call(f"Describe{title}", {f"{title}Name": name})
            return {**described, **self._trained(name, described)} if kind == "tuning_job" else described
        if "describe" in local:
            operation, request = local["describe"]
            return self._context.call(operation, request)
        return {}

    def _trained(self, name: str, described: Document) -> Document:
        """Return the training jobs of a tuning step as properties: the best first."""
        order = "Descending" if objective_of(described)["Type"] == "Maximize" else "Ascending"
        request = {"HyperParameterTuningJobName": name, "MaxResults": 100, "SortOrder": order}
        return self._context.call(
            "ListTrainingJobsForHyperParameterTuningJob", {**request, "SortBy": "FinalObjectiveMetricValue"}
        )

    def property_file(self, step: str, name: str) -> Any:
        body = self._context.steps[step].body
        declared = next(entry for entry in body["PropertyFiles"] if entry["PropertyFileName"] == name)
        outputs = self.properties(step)["ProcessingOutputConfig"]["Outputs"]
        output = next(each for each in outputs if each["OutputName"] == declared["OutputName"])
        return self.json_at(f"{output['S3Output']['S3Uri'].rstrip('/')}/{declared['FilePath']}")

    def json_at(self, uri: str) -> Any:
        try:
            bucket, key = split_uri(uri)
            return json.loads(
                self._context.clients.get("s3", self._context.role).get_object(Bucket=bucket, Key=key)["Body"].read()
            )
        except (ClientError, BotoCoreError, JobFailedError) as error:
            raise ExpressionError(f"{uri} cannot be read: {error}") from error
        except ValueError as error:
            raise ExpressionError(f"{uri} is no JSON: {error}") from error
