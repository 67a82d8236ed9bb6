"""What the laptop's tools read from and write to the local AWS: input, steps, registry, verdicts, manifests."""

import csv
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import boto3

from include.infrastructure.job_logs import JOBS
from local import environment
from local.airflow import ENVIRONMENT
from local.errors import HouseError
from local.house import BUCKET
from sagemaker_batch import names

FINAL = frozenset({"Succeeded", "Failed", "Stopped"})
POLL_SECONDS = 0.2


class Cloud:
    """Clients of one house's AWS; the person's own AWS settings play no part."""

    def __init__(self, endpoint: str, use_case: str) -> None:
        self.endpoint = endpoint
        self.use_case = use_case
        self.bucket = BUCKET
        self.s3 = self.client("s3")
        self.sagemaker = self.client("sagemaker")

    def client(self, service: str) -> Any:
        """Return a boto3 client of the local AWS."""
        factory: Any = boto3.client  # its stubs want a literal service name
        return factory(
            service,
            endpoint_url=self.endpoint,
            region_name=environment.REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - a placeholder for a service on the loopback
        )

    @property
    def group(self) -> str:
        """Model package group of the use case."""
        return names.model_package_group(self.use_case, ENVIRONMENT)

    def put_training(self, file: Path) -> str:
        """Make a file the training data; return its URI. What lay there before is removed."""
        prefix = names.training_input_prefix(self.use_case)
        return self._replace(prefix, file, "training.csv")

    def put_day(self, day: date, file: Path) -> str:
        """Make a file a batch day's input; return its URI. What lay there before is removed."""
        return self._replace(names.input_prefix(self.use_case, day), file, "batch.csv")

    def put_labels(self, day: date, file: Path, name: str = "labels.csv") -> str:
        """Add a file to a batch day's labels; return its URI. Others that lie there stay."""
        key = names.ground_truth_prefix(self.use_case, day) + name
        self.s3.upload_file(str(file), self.bucket, key)
        return names.s3_uri(self.bucket, key)

    def quality(self, day: date) -> list[dict[str, Any]]:
        """Return the day's quality records, oldest execution first."""
        prefix = names.quality_key(self.use_case, day, "").removesuffix(".json")
        found = [self.read_uri(names.s3_uri(self.bucket, key)) for key in self.keys(prefix)]
        return sorted(found, key=lambda record: str(record["execution"]["created"]))

    def _replace(self, prefix: str, file: Path, name: str) -> str:
        for key in self.keys(prefix):
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.s3.upload_file(str(file), self.bucket, prefix + name)
        return names.s3_uri(self.bucket, prefix + name)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read_json(self, key: str) -> dict[str, Any] | None:
        """Return a JSON object, or None when there is none."""
        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        except self.s3.exceptions.NoSuchKey:
            return None
        return dict(json.loads(body.read()))

    def read_uri(self, uri: str) -> dict[str, Any]:
        """Return the JSON object behind a URI."""
        bucket, key = names.split_s3_uri(uri)
        return dict(json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()))

    def count_records(self, uri: str) -> int:
        """Count the CSV records of an object, by the rules of CSV: a quoted newline ends no record."""
        bucket, key = names.split_s3_uri(uri)
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"]
        lines = (line.decode() + "\n" for line in body.iter_lines())
        return sum(1 for row in csv.reader(lines) if row)

    def executions(self, pipeline: str) -> list[str]:
        """Return the ARNs of a pipeline's executions, newest first."""
        pages = self.sagemaker.get_paginator("list_pipeline_executions").paginate(
            PipelineName=pipeline, SortBy="CreationTime", SortOrder="Descending"
        )
        return [item["PipelineExecutionArn"] for page in pages for item in page["PipelineExecutionSummaries"]]

    def steps(self, execution: str) -> list[dict[str, Any]]:
        """Return an execution's steps in the order in which they started."""
        pages = self.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=execution, SortOrder="Ascending"
        )
        return [step for page in pages for step in page["PipelineExecutionSteps"]]

    def job_log(self, step: dict[str, Any], lines: int = 15) -> list[str]:
        """Return the last lines that a step's job logged; empty when the step has no job or it never spoke."""
        for kind, (member, group) in JOBS.items():
            arn = step.get("Metadata", {}).get(kind, {}).get(member)
            if not arn:
                continue
            logs = self.client("logs")
            try:
                pages = logs.get_paginator("filter_log_events").paginate(
                    logGroupName=group, logStreamNamePrefix=arn.rsplit("/", 1)[-1]
                )
                return [
                    event["message"].rstrip()
                    for page in pages
                    for event in page["events"]
                    # The local Logs answer with every stream of the group, whatever prefix was asked for.
                    if event["logStreamName"].startswith(arn.rsplit("/", 1)[-1])
                ][-lines:]
            except logs.exceptions.ResourceNotFoundException:
                return []
        return []

    def execution(self, arn: str) -> dict[str, Any]:
        """Describe an execution."""
        return dict(self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))

    def run(self, pipeline: str, parameters: Mapping[str, str] | None = None, deadline: float = 600.0) -> str:
        """Run a pipeline to its end, without Airflow; return its execution's ARN.

        Raises:
            HouseError: it took longer than `deadline` seconds, or did not succeed; with the reasons of its steps.
        """
        given = [{"Name": name, "Value": value} for name, value in (parameters or {}).items()]
        started = self.sagemaker.start_pipeline_execution(PipelineName=pipeline, PipelineParameters=given)
        arn, until = str(started["PipelineExecutionArn"]), time.monotonic() + deadline
        while (status := self.execution(arn)["PipelineExecutionStatus"]) not in FINAL:
            if time.monotonic() > until:
                raise HouseError(
                    f"{arn} did not end within {deadline:.0f} s.", f"Look at {self.endpoint}/_local/console."
                )
            time.sleep(POLL_SECONDS)
        if status != "Succeeded":
            lines = "\n".join(step_lines(self.steps(arn), {}))
            raise HouseError(f"{arn} is {status}:\n{lines}", f"Look at {self.endpoint}/_local/console.")
        return arn

    def run_day(self, day: date) -> str:
        """Score a day's input by the batch pipeline; return its execution's ARN.

        Raises:
            HouseError: as `run`.
        """
        where = {
            "InputDataUri": names.s3_uri(self.bucket, names.input_prefix(self.use_case, day)),
            "OutputPrefixUri": names.s3_uri(self.bucket, names.batch_prefix(self.use_case, day)),
        }
        return self.run(names.batch_pipeline(self.use_case, ENVIRONMENT), where)

    def seconds(self, arn: str) -> float:
        """Return how long an execution took from its start to its last change."""
        told = self.execution(arn)
        return float((told["LastModifiedTime"] - told["CreationTime"]).total_seconds())

    def packages(self) -> list[dict[str, Any]]:
        """Return the group's versions, newest first."""
        pages = self.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self.group, SortBy="CreationTime", SortOrder="Descending"
        )
        return [package for page in pages for package in page["ModelPackageSummaryList"]]

    def verdicts(self, day: date) -> list[dict[str, Any]]:
        """Return the day's verdict records, newest execution last."""
        found = [self.read_json(key) for key in self.keys(names.verdicts_prefix(self.use_case, day))]
        return sorted((record for record in found if record), key=lambda record: str(record.get("written_at", "")))

    def manifest(self, day: date) -> dict[str, Any] | None:
        """Return the day's published manifest, or None."""
        return self.read_json(names.manifest_key(self.use_case, day))


@dataclass(frozen=True)
class Figures:
    """What the evaluation measured on the test rows."""

    accuracy: float
    auc: float
    majority: float | None


def figures(evaluation: dict[str, Any]) -> Figures:
    """Read accuracy and AUC from evaluation.json (docs/contracts/evaluation.schema.json)."""
    metrics = evaluation["binary_classification_metrics"]
    baseline = metrics.get("accuracy_best_constant_classifier")
    return Figures(
        float(metrics["accuracy"]["value"]),
        float(metrics["auc"]["value"]),
        float(baseline["value"]) if baseline else None,
    )


def records(file: Path) -> int:
    """Count the records of a CSV file after its header."""
    with file.open(newline="", encoding="utf-8") as stream:
        return max(sum(1 for row in csv.reader(stream) if row) - 1, 0)


def step_lines(steps: list[dict[str, Any]], told: dict[str, str]) -> Iterator[str]:
    """Yield a line for every step whose status changed since `told`, which is brought up to date."""
    for step in steps:
        name, status = step["StepName"], step["StepStatus"]
        if told.get(name) == status:
            continue
        told[name] = status
        took = ""
        if step.get("EndTime") and step.get("StartTime"):
            took = f"{(step['EndTime'] - step['StartTime']).total_seconds():.1f} s"
        reason = step.get("FailureReason", "")
        yield f"{name:<32} {status:<10} {took:>8}  {reason}".rstrip()
