"""A pipeline execution as the DAGs see it: its outcome, its steps, where their logs lie, how to stop it."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sagemaker_batch.settings import job_url
from sagemaker_batch.status import Meaning, is_terminal, meaning

# The service's own refusals that mean "it has ended already".
ALREADY_ENDED = {"ValidationException", "ConflictException"}
LOG_GROUPS = {
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
    "QualityCheck": "/aws/sagemaker/ProcessingJobs",
    "Lambda": "/aws/lambda",
}


@dataclass(frozen=True)
class Step:
    """One step of an execution. `kind` and `arn` are those of the job behind it, empty where there is none.

    `seconds` is how long it took, the start of its machines included; None for one that has not ended.
    """

    name: str
    status: str
    reason: str = ""
    kind: str = ""
    arn: str = ""
    log: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How an execution ended (or stands). Plain values only, so that it fits an XCom."""

    status: str
    arn: str
    created: str
    failure_reason: str = ""
    failed_steps: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as the XCom carries it."""
        return asdict(self)

    def sentence(self) -> str:
        """Say how it ended, with every failed step's own reason and log."""
        what = f"Pipeline execution {self.arn} is {self.status} ({meaning(self.status).value})."
        if self.failure_reason:
            what += f" SageMaker says: {self.failure_reason}"
        for step in self.failed_steps:
            what += f"\n  step {step['name']}: {step['reason'] or 'no reason given'}"
            if step["log"]:
                what += f"\n    log: {step['log']}"
            if step["log_link"]:
                what += f"\n    {step['log_link']}"
        return what


def read_steps(client: Any, arn: str) -> list[Step]:
    """Return all steps in the order in which they started (ListPipelineExecutionSteps, every page)."""
    return [_step(item) for item in _pages(client, arn)]


def outcome_of(client: Any, arn: str, answer: dict[str, Any]) -> Outcome:
    """Make the outcome of what Describe answered; the steps are listed when it has ended.

    `created` is in UTC, whatever the zone of this machine: such texts are compared.

    Raises:
        ExecutionError: its status is unknown to this version.
    """
    status = answer["PipelineExecutionStatus"]
    steps = read_steps(client, arn) if is_terminal(status) else []
    created: datetime | None = answer.get("CreationTime")
    return Outcome(
        status=status,
        arn=arn,
        created=created.astimezone(UTC).isoformat() if created else "",
        failure_reason=answer.get("FailureReason", ""),
        failed_steps=[
            {
                "name": step.name,
                "reason": step.reason,
                "log": step.log,
                "log_link": log_link(step.arn, step.log, job_url()),
                "metadata": step.metadata,
            }
            for step in steps
            if step.status == "Failed"
        ],
        steps=[
            {
                "name": step.name,
                "status": step.status,
                "kind": step.kind,
                "arn": step.arn,
                "metadata": step.metadata,
                "seconds": step.seconds,
            }
            for step in steps
        ],
    )


def stop(client: Any, arn: str, token: str) -> bool:
    """Ask SageMaker to stop the execution; returns whether there was anything to stop.

    `token` (32-128 characters) makes a repeated request the same request.
    """
    answer = client.describe_pipeline_execution(PipelineExecutionArn=arn)
    if meaning(answer["PipelineExecutionStatus"]) is not Meaning.ACTIVE:
        return False
    if answer["PipelineExecutionStatus"] == "Stopping":
        return True
    try:
        client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token)
    except client.exceptions.ClientError as error:
        # It may have ended between the two calls.
        if error.response["Error"]["Code"] not in ALREADY_ENDED:
            raise
        answer = client.describe_pipeline_execution(PipelineExecutionArn=arn)
        if meaning(answer["PipelineExecutionStatus"]) is Meaning.ACTIVE:
            raise
        return False
    return True


def console_link(arn: str, console_url: str = "") -> str:
    """Return the page of an execution: the configured one, or SageMaker Studio's entry of its region.

    AWS's Studio has a host of its own per domain, which an ARN does not tell: set `[sagemaker_batch] console_url` to
    `https://studio-<domain>.studio.{region}.sagemaker.aws/pipelines/view/{pipeline}/executions/{execution}/graph`.
    """
    found = re.fullmatch(r"arn:([^:]+):sagemaker:([^:]*):[^:]*:pipeline/([^/]+)/execution/([^/]+)", arn)
    if found is None:
        return ""
    partition, region, pipeline, execution = found.groups()
    if console_url:
        fields = {"region": region, "pipeline": pipeline, "execution": execution, "arn": quote(arn, safe="")}
        return re.sub(r"{(\w+)}", lambda match: fields.get(match[1], match[0]), console_url)
    host = "amazonaws.cn" if partition == "aws-cn" else "aws.amazon.com"
    return f"https://{region}.console.{host}/sagemaker/home?region={region}#/studio-landing"


def log_place(kind: str, arn: str) -> str:
    """Return where a job's log lies in CloudWatch Logs, as `<group>: <prefix of streams>`; empty when it has none."""
    group = LOG_GROUPS.get(kind)
    if not group or not arn:
        return ""
    name = re.split(r"[:/]", arn)[-1]
    return f"{group}/{name}" if kind == "Lambda" else f"{group}: {name}/"


def log_link(arn: str, place: str, template: str = "") -> str:
    """Return the page of a job's log, from the job's ARN and `log_place`: the configured one, or CloudWatch's.

    Empty where the step has no log. A Lambda function has no page of its own where one is configured.
    """
    found = re.match(r"arn:([^:]+):[^:]+:([^:]+):[^:]*:(.+)", arn)
    if found is None or not place:
        return ""
    partition, region, resource = found.groups()
    kind, slash, name = resource.partition("/")
    if template:
        fields = {"region": region, "kind": kind, "name": quote(name, safe="")}
        return re.sub(r"{(\w+)}", lambda match: fields.get(match[1], match[0]), template) if slash else ""
    group, _, prefix = place.partition(": ")
    host = "amazonaws.cn" if partition == "aws-cn" else "aws.amazon.com"
    # The console's own way of writing: twice quoted, with $ for %.
    page = f"#logsV2:log-groups/log-group/{quote(quote(group, safe=''), safe='').replace('%', '$')}"
    if prefix:
        page += f"$3FlogStreamNameFilter$3D{quote(quote(prefix, safe=''), safe='').replace('%', '$')}"
    return f"https://{region}.console.{host}/cloudwatch/home?region={region}{page}"


def _pages(client: Any, arn: str) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending"
    )
    for page in pages:
        yield from page.get("PipelineExecutionSteps", [])


def _step(item: dict[str, Any]) -> Step:
    metadata = item.get("Metadata", {})
    kind = next((name for name in metadata if name in LOG_GROUPS or name in {"Model", "RegisterModel"}), "")
    arn = metadata.get(kind, {}).get("Arn") or metadata.get(kind, {}).get("CheckJobArn") or ""
    began, ended = item.get("StartTime"), item.get("EndTime")
    reason = item.get("FailureReason") or metadata.get("Fail", {}).get("ErrorMessage") or ""
    return Step(
        name=item["StepName"],
        status=item.get("StepStatus", ""),
        reason=reason,
        kind=kind,
        arn=arn,
        log=log_place(kind, arn),
        metadata=metadata,
        seconds=(ended - began).total_seconds() if began and ended else None,
    )
