"""What each page shows, out of the API's own answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sagemaker_local.api import Api
from sagemaker_local.console import markup
from sagemaker_local.console.drawing import drawing
from sagemaker_local.console.files import uri_link
from sagemaker_local.console.logs import lines_of
from sagemaker_local.console.markup import Html, badge, facts, join, link, moment, page, span, table, tag
from sagemaker_local.engine.graph import build
from sagemaker_local.jobs.clients import Clients

Document = dict[str, Any]

_SHOWN = 50
_REFRESH_SECONDS = 2
JOBS = {
    "ProcessingJob": "processing-job",
    "TrainingJob": "training-job",
    "TransformJob": "transform-job",
    "HyperParameterTuningJob": "hyper-parameter-tuning-job",
}
_GROUPS = {title: f"/aws/sagemaker/{title}s" for title in JOBS}
_RUNNING = ("Executing", "Stopping", "InProgress")


def index(api: Api) -> Html:
    """Return the first page: executions, pipelines, models."""
    pipelines = api.call("ListPipelines", {"SortBy": "CreationTime", "SortOrder": "Descending"})["PipelineSummaries"]
    executions: list[Document] = []
    for pipeline in pipelines:
        request = {"PipelineName": pipeline["PipelineName"], "MaxResults": _SHOWN}
        found = api.call("ListPipelineExecutions", request)["PipelineExecutionSummaries"]
        executions += [{**each, "PipelineName": pipeline["PipelineName"]} for each in found]
    executions.sort(key=lambda each: each["StartTime"], reverse=True)
    groups = api.call("ListModelPackageGroups", {"SortOrder": "Descending"})["ModelPackageGroupSummaryList"]
    busy = any(each["PipelineExecutionStatus"] in _RUNNING for each in executions[:_SHOWN])
    return page(
        "Executions",
        table(
            f"The latest {_SHOWN} executions",
            ["Pipeline", "Execution", "Status", "Began"],
            [
                [
                    each["PipelineName"],
                    _execution_link(each["PipelineExecutionArn"], each.get("PipelineExecutionDisplayName")),
                    badge(each["PipelineExecutionStatus"], _identifier(each["PipelineExecutionArn"])),
                    moment(each["StartTime"]),
                ]
                for each in executions[:_SHOWN]
            ],
            "Nothing has been executed yet: StartPipelineExecution makes an execution appear here.",
        ),
        table(
            "Model package groups",
            ["Group", "Made"],
            [
                [
                    link(each["ModelPackageGroupName"], "groups", each["ModelPackageGroupName"]),
                    moment(each["CreationTime"]),
                ]
                for each in groups
            ],
            "No model has been registered yet.",
        ),
        refresh=_REFRESH_SECONDS if busy else 0,
    )


def execution(api: Api, pipeline: str, identifier: str) -> Html:
    """Return the page of an execution: its graph, steps and parameters."""
    arn = f"arn:aws:sagemaker:{api.region}:{api.account}:pipeline/{pipeline}/execution/{identifier}"
    request = {"PipelineExecutionArn": arn}
    described = api.call("DescribePipelineExecution", request)
    text = api.call("DescribePipelineDefinitionForExecution", request)["PipelineDefinition"]
    steps = {
        step["StepName"]: step for step in _pages(api, "ListPipelineExecutionSteps", request, "PipelineExecutionSteps")
    }
    parameters = _pages(api, "ListPipelineParametersForExecution", request, "PipelineParameters")
    links = {name: address for name, step in steps.items() if (address := _step_address(step)) is not None}
    rows = [
        [
            tag("a", name, href=links[name]) if name in links else name,
            badge(step["StepStatus"], name),
            span(step.get("StartTime"), step.get("EndTime")),
            _detail(step),
        ]
        for name, step in sorted(steps.items(), key=lambda pair: pair[1].get("StartTime", 0))
    ]
    status = described["PipelineExecutionStatus"]
    return page(
        f"{pipeline}: {described.get('PipelineExecutionDisplayName', identifier)}",
        facts(
            [
                ("Status", badge(status, "Execution")),
                ("Began", moment(described["CreationTime"])),
                ("Last change", moment(described.get("LastModifiedTime"))),
                ("ARN", arn),
            ]
        ),
        _reason(described),
        tag("h2", "Graph"),
        drawing(build(json.loads(text)), {name: step["StepStatus"] for name, step in steps.items()}, links),
        table("Steps", ["Step", "Status", "Took", "What came of it"], rows, "No step has begun yet."),
        table(
            "Parameters", ["Name", "Value"], [[each["Name"], uri_link(each["Value"])] for each in parameters], "None."
        ),
        refresh=_REFRESH_SECONDS if status in _RUNNING else 0,
    )


def job(api: Api, clients: Clients, kind: str, name: str) -> Html:
    """Return the page of a job: what went in and came out, metrics, log."""
    title = next(title for title, path in JOBS.items() if path == kind)
    described = api.call(f"Describe{title}", {f"{title}Name": name})
    prefix = title.removesuffix("Job")
    begin, end = described.get(f"{prefix}StartTime"), described.get(f"{prefix}EndTime")
    status = described[f"{title}Status"]
    best = described.get("BestTrainingJob", {}).get("FinalHyperParameterTuningJobObjectiveMetric")
    metrics = [best] if best else described.get("FinalMetricDataList", [])
    return page(
        name,
        facts(
            [
                ("Status", badge(status, "Job")),
                ("Created", moment(described["CreationTime"])),
                ("Ran for", span(begin, end)),
                ("Exit message", described.get("ExitMessage", "")),
            ]
        ),
        _reason(described),
        table("Inputs and outputs", ["What", "Where"], _places(described), "It names no place in S3."),
        table(
            "Metrics",
            ["Name", "Last value"],
            [[each["MetricName"], each["Value"]] for each in metrics],
            "It reported none.",
        ),
        _searched(api, name) if title == "HyperParameterTuningJob" else _log(clients, title, name),
        tag("h2", "Request"),
        tag("pre", json.dumps(described, indent=2, default=str), tabindex="0", role="region", aria_label="Request"),
        refresh=_REFRESH_SECONDS if status in _RUNNING else 0,
    )


def _log(clients: Clients, title: str, name: str) -> Html:
    lines = "\n".join(lines_of(clients, _GROUPS[title], name)) or "It has said nothing."
    return join(tag("h2", "Log"), tag("pre", lines, tabindex="0", role="region", aria_label="Log"))


def _searched(api: Api, name: str) -> Html:
    """Return the training jobs of a tuning job."""
    request = {"HyperParameterTuningJobName": name, "SortBy": "CreationTime"}
    rows = [
        [
            link(each["TrainingJobName"], "jobs", JOBS["TrainingJob"], each["TrainingJobName"]),
            badge(each["TrainingJobStatus"], each["TrainingJobName"]),
            ", ".join(f"{key} = {value}" for key, value in each["TunedHyperParameters"].items()),
            each.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value", "-"),
        ]
        for each in _pages(api, "ListTrainingJobsForHyperParameterTuningJob", request, "TrainingJobSummaries")
    ]
    head = ["Training job", "Status", "Hyperparameters", "Objective"]
    return table("Training jobs", head, rows, "None has begun yet.")


def group(api: Api, name: str) -> Html:
    """Return the page of a model package group: its versions and their baselines."""
    request = {"ModelPackageGroupName": name, "SortOrder": "Descending", "MaxResults": _SHOWN}
    versions = api.call("ListModelPackages", request)["ModelPackageSummaryList"]
    rows: list[list[Any]] = []
    for version in versions:
        described = api.call("DescribeModelPackage", {"ModelPackageName": version["ModelPackageArn"]})
        rows.append(
            [
                f"{name}, version {described.get('ModelPackageVersion', '-')}",
                badge(described.get("ModelApprovalStatus", "-")),
                moment(described["CreationTime"]),
                join(*(tag("div", f"{path}: ", uri_link(uri)) for path, uri in _uris(described))),
                join(
                    *(
                        tag("div", f"{key}: ", uri_link(value))
                        for key, value in described.get("CustomerMetadataProperties", {}).items()
                    )
                ),
            ]
        )
    head = ["Version", "Approval", "Registered", "Model and baselines", "Metadata"]
    return page(name, table("Model packages", head, rows, "No version has been registered in it."))


def _pages(api: Api, operation: str, request: Document, member: str) -> Iterator[Document]:
    token: Document = {}
    while True:
        answer = api.call(operation, {**request, **token})
        yield from answer[member]
        if "NextToken" not in answer:
            return
        token = {"NextToken": answer["NextToken"]}


def _identifier(arn: str) -> str:
    return arn.rpartition("/")[2]


def _execution_link(arn: str, text: str | None) -> Html:
    pipeline, _, identifier = arn.rpartition(":pipeline/")[2].partition("/execution/")
    return link(text or identifier, "executions", pipeline, identifier)


def _step_address(step: Document) -> str | None:
    arns = [value.get("Arn") or value.get("CheckJobArn") for value in step.get("Metadata", {}).values()]
    for arn in filter(None, arns):
        kind, _, name = str(arn).rpartition(":")[2].partition("/")
        if kind in JOBS.values():
            return markup.address("jobs", kind, name)
        if kind == "model-package":
            return markup.address("groups", name.partition("/")[0])
    return None


def _detail(step: Document) -> Html:
    parts: list[Any] = []
    if "FailureReason" in step:
        parts.append(tag("div", step["FailureReason"], class_="reason"))
    parts += [
        tag("div", f"{name}: ", _execution_link(step[name]["SourcePipelineExecutionArn"], None))
        for name in ("CacheHitResult", "SelectiveExecutionResult")
        if name in step
    ]
    for value in step.get("Metadata", {}).values():
        shown = {key: each for key, each in value.items() if key not in {"Arn", "CheckJobArn"}}
        parts += [tag("div", f"{key}: ", uri_link(_text(each))) for key, each in shown.items()]
    return join(*parts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _reason(described: Document) -> Html | None:
    return tag("p", described["FailureReason"], class_="reason") if described.get("FailureReason") else None


def _places(described: Document) -> list[list[Any]]:
    return [[path, uri_link(uri)] for path, uri in _uris(described)]


def _uris(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every S3 URI of a document with where it stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _uris(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            name = next(
                (
                    str(item[key])
                    for key in ("OutputName", "InputName", "ChannelName")
                    if isinstance(item, dict) and key in item
                ),
                "",
            )
            yield from _uris(item, f"{path}[{name}]")
    elif isinstance(value, str) and value.startswith("s3://"):
        yield path, value
