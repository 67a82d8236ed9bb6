"""The logs of a run: what each job of a pipeline execution wrote to CloudWatch, step by step.

    python -m include.infrastructure.job_logs churn/2026-03-03 --environment prod
    python -m include.infrastructure.job_logs arn:aws:sagemaker:...:pipeline/.../execution/...

A day means its newest verdict's execution.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from include.infrastructure import command
from include.infrastructure.site import DeploymentError, Site, find
from sagemaker_batch import history

# Kind of a step's metadata, the member that names its job, and the log group of such jobs.
JOBS = {
    "ProcessingJob": ("Arn", "/aws/sagemaker/ProcessingJobs"),
    "QualityCheck": ("CheckJobArn", "/aws/sagemaker/ProcessingJobs"),
    "TrainingJob": ("Arn", "/aws/sagemaker/TrainingJobs"),
    "TransformJob": ("Arn", "/aws/sagemaker/TransformJobs"),
}


@dataclass(frozen=True)
class Step:
    """A step of an execution, with the kind and the name of its job, empty where there is none."""

    name: str
    status: str
    reason: str
    kind: str = ""
    job: str = ""


def steps_of(sagemaker: Any, execution: str) -> list[Step]:
    """Return the steps of an execution in the order in which they started."""
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution, SortOrder="Ascending"
    )
    found = []
    for item in (item for page in pages for item in page["PipelineExecutionSteps"]):
        metadata = item.get("Metadata", {})
        kind = next((kind for kind in JOBS if JOBS[kind][0] in metadata.get(kind, {})), "")
        job = metadata[kind][JOBS[kind][0]].rsplit("/", 1)[-1] if kind else ""
        found.append(Step(item["StepName"], item["StepStatus"], item.get("FailureReason", ""), kind, job))
    return found


def execution_of(site: Site, run: str) -> str:
    """Return the execution's ARN for what a person typed.

    Raises:
        DeploymentError: it is neither an ARN nor a day, or the day has no verdict.
    """
    if run.startswith("arn:"):
        return run
    found = re.fullmatch(r"([a-z0-9_]+)/(\d{4}-\d{2}-\d{2})", run)
    if found is None:
        raise DeploymentError(f"{run!r} is neither an execution's ARN nor <use case>/<day>, such as churn/2026-03-03.")
    use_case, day = found[1], _day(found[2])
    judged = history.judged_days(site.s3, site.environment.bucket, use_case, day, day)
    if not judged:
        raise DeploymentError(f"{use_case} has no verdict for {day} in {site.environment.name}: it was not judged.")
    return str(judged[0]["execution"]["arn"])


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DeploymentError(f"{text} is no day of the calendar. Type RUN=<use case>/<year>-<month>-<day>.") from error


def lines_of(site: Site, step: Step) -> Iterator[str]:
    """Yield the lines of a step's job, with the moment of each; none for a step without a job."""
    if not step.job:
        return
    group, prefix = JOBS[step.kind][1], f"{step.job}/"

    def streams() -> list[dict[str, Any]]:
        pages = site.logs.get_paginator("describe_log_streams").paginate(logGroupName=group, logStreamNamePrefix=prefix)
        return [item for page in pages for item in page["logStreams"] if item["logStreamName"].startswith(prefix)]

    for stream in find(streams) or []:
        yield from _events(site, group, stream["logStreamName"])


def _events(site: Site, group: str, stream: str) -> Iterator[str]:
    token: dict[str, str] = {}
    while True:
        answer = site.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        for event in answer["events"]:
            moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            yield f"{moment:%H:%M:%S} {event['message'].rstrip()}"
        # The end is told by the same token twice; a page may be empty before it.
        if token.get("nextToken") == answer["nextForwardToken"]:
            return
        token = {"nextToken": answer["nextForwardToken"]}


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make logs", description="Print the logs of a run's jobs.")
    parser.add_argument("run", help="<use case>/<day>, or the ARN of an execution")
    command.add_environment(parser)
    given = parser.parse_args(arguments)

    def work() -> int:
        with Site(command.environment(given), [], act=False) as site:
            arn = execution_of(site, given.run)
            print(arn)
            for step in steps_of(site.sagemaker, arn):
                print(f"\n== {step.name}: {step.status}{f' ({step.reason})' if step.reason else ''}")
                for line in lines_of(site, step):
                    print(line)
        return 0

    return command.run(work)


if __name__ == "__main__":
    sys.exit(main())
