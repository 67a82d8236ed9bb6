"""A day of the example by its batch pipeline: the local AWS alone, without Airflow."""

from __future__ import annotations

import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import boto3

from local import data
from local.house import House, Ports
from sagemaker_batch import names, registry

USE_CASE, ENVIRONMENT, BUCKET = "churn", "local", "sagemaker-batch-local"
SEED, FIRST = 7, date(2026, 3, 3)
FINAL = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})
LONGEST = 600.0


def measure(days: int) -> tuple[list[float], int]:
    """Return the seconds of each day's execution, from its creation to its end, and the rows of a day."""
    with tempfile.TemporaryDirectory() as folder, House(Path(folder) / "house", Ports.free()) as house:
        house.start_aws()
        session: Any = boto3.Session("local", "local", region_name="us-east-1")
        s3, sagemaker = (session.client(name, endpoint_url=house.aws.url) for name in ("s3", "sagemaker"))
        training = Path(folder) / "training.csv"
        data.write_training(training, SEED)
        s3.upload_file(str(training), BUCKET, f"{names.training_input_prefix(USE_CASE)}training.csv")
        _run(sagemaker, names.train_pipeline(USE_CASE, ENVIRONMENT), {})
        group = names.model_package_group(USE_CASE, ENVIRONMENT)
        (package,) = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
        registry.approve(sagemaker, package["ModelPackageArn"], "For the measurement.")
        found, rows = [], 0
        for number in range(days):
            day = FIRST + timedelta(days=number)
            file = Path(folder) / f"{day}.csv"
            rows = data.write_day(file, "clean", day, SEED)
            s3.upload_file(str(file), BUCKET, f"{names.input_prefix(USE_CASE, day)}batch.csv")
            given = {
                "InputDataUri": names.s3_uri(BUCKET, names.input_prefix(USE_CASE, day)),
                "OutputPrefixUri": names.s3_uri(BUCKET, names.batch_prefix(USE_CASE, day)),
            }
            found.append(_run(sagemaker, names.batch_pipeline(USE_CASE, ENVIRONMENT), given))
        return found, rows


def _run(sagemaker: Any, pipeline: str, given: dict[str, str]) -> float:
    """Run a pipeline; return its seconds by the server's own times."""
    parameters = [{"Name": name, "Value": value} for name, value in given.items()]
    started = sagemaker.start_pipeline_execution(PipelineName=pipeline, PipelineParameters=parameters)
    until = time.monotonic() + LONGEST
    while True:
        answer = sagemaker.describe_pipeline_execution(PipelineExecutionArn=started["PipelineExecutionArn"])
        if answer["PipelineExecutionStatus"] in FINAL:
            break
        assert time.monotonic() < until, answer
        time.sleep(0.1)
    assert answer["PipelineExecutionStatus"] == "Succeeded", answer
    taken = answer["LastModifiedTime"] - answer["CreationTime"]
    return float(taken.total_seconds())
