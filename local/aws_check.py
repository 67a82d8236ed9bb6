"""`make aws-check ENV=dev`: both pipelines on a real account, beside the same on the local SageMaker, field by field.

It shows what that will cost, asks, deploys, trains, approves, scores a day, collects what the API answers about every
step and job, and destroys what it made, also when something failed. What differs is written to dist/aws-check/.
The account's environment must not be deployed yet: a bucket that is in use is never touched.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3

from include.infrastructure.command import INTERRUPTED, asked
from include.infrastructure.environment import Environment, EnvironmentFileError, load_environment
from include.infrastructure.job_logs import steps_of
from include.infrastructure.machines import PRICES, PricesError, prices
from local import data, environment
from local.errors import HouseError
from local.house import House, Ports
from sagemaker_batch import names, registry

OUT = environment.REPO / "dist" / "aws-check"
USE_CASE, DAY, SEED = "churn", date(2026, 3, 3), 7
# A job's machine is billed from its start; small jobs are mostly start.
MINUTES_A_JOB = 5
JOBS = {"processing": 6, "training": 1, "transform": 1}
DEADLINE_SECONDS = 7200
FINAL = {"Succeeded", "Failed", "Stopped"}
DESCRIBE = {
    "ProcessingJob": ("describe_processing_job", "ProcessingJobName"),
    "QualityCheck": ("describe_processing_job", "ProcessingJobName"),
    "TrainingJob": ("describe_training_job", "TrainingJobName"),
    "TransformJob": ("describe_transform_job", "TransformJobName"),
}


def estimate(target: Environment, prices: dict[str, float]) -> tuple[float, list[str]]:
    """Return the estimated cost in US dollars, and a line for each kind of job.

    Raises:
        HouseError: a machine has no price.
    """
    total, lines = 0.0, []
    counts = target.instance_counts
    machines = {"processing": counts.monitoring, "training": 1, "transform": counts.transform}
    for kind, jobs in JOBS.items():
        machine = getattr(target.instances, kind)
        if machine not in prices:
            raise HouseError(f"{machine} has no price.", f"Add it to {PRICES.relative_to(environment.REPO)}.")
        # Not every processing job has several machines: rather too much than too little.
        cost = jobs * machines[kind] * MINUTES_A_JOB / 60 * prices[machine]
        total += cost
        several = f"{machines[kind]} " if machines[kind] > 1 else ""
        lines.append(f"{jobs} {kind} jobs of about {MINUTES_A_JOB} minutes on {several}{machine}: {cost:.2f} USD")
    return total, lines


def side(target: Environment) -> dict[str, list[str]]:
    """Run both pipelines where boto3 leads, and return the shape of every answer by step.

    Raises:
        HouseError: an execution did not succeed.
    """
    session: Any = boto3.Session(region_name=target.region)
    s3, sagemaker = session.client("s3"), session.client("sagemaker")
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        training, day = Path(folder) / "training.csv", Path(folder) / "day.csv"
        data.write_training(training, SEED)
        data.write_day(day, "clean", DAY, SEED)
        s3.upload_file(str(training), target.bucket, f"{names.training_input_prefix(USE_CASE)}training.csv")
        s3.upload_file(str(day), target.bucket, f"{names.input_prefix(USE_CASE, DAY)}batch.csv")
    train = names.train_pipeline(USE_CASE, target.name)
    found |= _shapes(sagemaker, train, _run(sagemaker, train, {}))
    group = names.model_package_group(USE_CASE, target.name)
    (package,) = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    registry.approve(sagemaker, package["ModelPackageArn"], "For the check.")
    described = sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    found["model package"] = sorted(shape(described))
    batch = names.batch_pipeline(USE_CASE, target.name)
    given = {
        "InputDataUri": names.s3_uri(target.bucket, names.input_prefix(USE_CASE, DAY)),
        "OutputPrefixUri": names.s3_uri(target.bucket, names.batch_prefix(USE_CASE, DAY)),
    }
    return found | _shapes(sagemaker, batch, _run(sagemaker, batch, given))


def _run(sagemaker: Any, pipeline: str, given: dict[str, str]) -> str:
    parameters = [{"Name": name, "Value": value} for name, value in given.items()]
    started = sagemaker.start_pipeline_execution(PipelineName=pipeline, PipelineParameters=parameters)
    arn: str = started["PipelineExecutionArn"]
    until = time.monotonic() + DEADLINE_SECONDS
    while (answer := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))[
        "PipelineExecutionStatus"
    ] not in FINAL:
        if time.monotonic() > until:
            raise HouseError(f"{arn} did not end within {DEADLINE_SECONDS} s.", "Look at it, then destroy.")
        time.sleep(1 if "AWS_ENDPOINT_URL" in os.environ else 20)
    if answer["PipelineExecutionStatus"] != "Succeeded":
        raise HouseError(
            f"{arn} is {answer['PipelineExecutionStatus']}: {answer.get('FailureReason')}", "make logs RUN="
        )
    return arn


def _shapes(sagemaker: Any, pipeline: str, arn: str) -> dict[str, list[str]]:
    kind = "train_baseline" if "train" in pipeline else "batch_monitor"
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    found = {f"{kind}: execution": sorted(shape(described))}
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
    for item in (item for page in pages for item in page["PipelineExecutionSteps"]):
        found[f"{kind}: step {item['StepName']}"] = sorted(shape(item))
    for step in steps_of(sagemaker, arn):
        if step.kind in DESCRIBE:
            call, argument = DESCRIBE[step.kind]
            answer = getattr(sagemaker, call)(**{argument: step.job})
            found[f"{kind}: job of {step.name}"] = sorted(shape(answer))
    return found


def shape(answer: Any, path: str = "") -> Iterator[str]:
    """Yield `path: type` for every leaf of an answer; items of a list are one, and what only HTTP says is left out."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            if key != "ResponseMetadata":
                yield from shape(value, f"{path}.{key}" if path else key)
    elif isinstance(answer, list):
        yield from {line for item in answer for line in shape(item, f"{path}[]")}
    else:
        yield f"{path}: {type(answer).__name__}"


def differences(local: dict[str, list[str]], aws: dict[str, list[str]]) -> list[str]:
    """Return a line for each field that only one side has."""
    lines = []
    for part in sorted({*local, *aws}):
        here, there = set(local.get(part, [])), set(aws.get(part, []))
        lines += [f"{part}: only on AWS: {line}" for line in sorted(there - here)]
        lines += [f"{part}: only local: {line}" for line in sorted(here - there)]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code: 0 when both sides answer alike."""
    parser = argparse.ArgumentParser(prog="make aws-check", description=__doc__)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--yes", action="store_true", help="do not ask, for CI")
    parser.add_argument("--side", type=Path, help="run one side and write its shapes there (used by the check itself)")
    given = parser.parse_args(arguments)
    try:
        target = load_environment(given.environment)
        if given.side:
            given.side.write_text(json.dumps(side(target)), encoding="utf-8")
            return 0
        return check(target, sure=given.yes)
    except (EnvironmentFileError, HouseError, PricesError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing of the check is left on the account unless it is said above.", file=sys.stderr)
        return INTERRUPTED


def check(target: Environment, *, sure: bool) -> int:
    """Show the cost, ask, run both sides, compare, destroy; returns the exit code."""
    total, lines = estimate(target, prices())
    print("\n".join([*lines, f"Together about {total:.2f} USD in account {target.account}, {target.region},"]))
    print(f"by the prices in {PRICES.relative_to(environment.REPO)}: compare them with AWS's first.")
    if target.name == "local":
        raise HouseError("local is no account.", "make aws-check ENV=<an environment of yours>")
    if not sure and (not sys.stdin.isatty() or asked("Go on? Type yes: ") != "yes"):
        print("Nothing was done.")
        return 1
    refuse_deployed(target)
    here = on_laptop(target)
    there = on_account(target)
    found = differences(here, there)
    OUT.mkdir(parents=True, exist_ok=True)
    report = OUT / f"{target.name}-{datetime.now(UTC):%Y-%m-%d}.json"
    report.write_text(json.dumps({"differences": found, "local": here, "aws": there}, indent=1) + "\n")
    print("\n".join(found) or "Both sides answer alike, field by field.")
    print(f"{len(found)} differences; {report.relative_to(environment.REPO)}. Note the date in docs/verification.md.")
    return int(bool(found))


def on_laptop(target: Environment) -> dict[str, list[str]]:
    """Deploy the same definitions to a local SageMaker of the environment's account and region, and run the side there.

    The laptop's own environment may have another engine, and so other steps.

    Raises:
        HouseError: the deployment or a pipeline failed.
    """
    with tempfile.TemporaryDirectory() as folder, House(Path(folder) / "house", Ports.free()) as house:
        aws = replace(house.aws, account=target.account, region=target.region)
        house.supervisor.wait_ready(house.supervisor.launch(aws.spec(house.logs / "aws.log")))
        # The local AWS takes a key of twelve digits for the account that calls.
        variables = environment.aws(aws.url, caller=target.account)
        variables |= {"AWS_DEFAULT_REGION": target.region, "AWS_REGION": target.region}
        if _infrastructure("apply", target.name, variables=variables).returncode != 0:
            raise HouseError("The local deployment failed; its message stands above.", "Mend it and repeat.")
        return _side(target.name, Path(folder) / "local.json", variables)


def refuse_deployed(target: Environment) -> None:
    """Refuse an environment of which anything is there, or of which that cannot be told: the check destroys with data.

    Raises:
        HouseError: something is there, or the account did not answer all that was asked.
    """
    status = _infrastructure("status", target.name, capture=True)
    lines = status.stdout.splitlines()
    if any(line.startswith(("ready", "differs")) for line in lines):
        raise HouseError(
            f"{target.name} is deployed already.", "Use an environment that is not, such as a copy of dev."
        )
    # The closing line is missing where it broke off: what was not looked at may be there.
    if not any(line.startswith(f"{target.name}: ") for line in lines):
        raise HouseError(
            f"What {target.name} has on the account could not be read, so nothing was done.\n{status.stderr.strip()}",
            "Mend that and repeat.",
        )


def on_account(target: Environment) -> dict[str, list[str]]:
    """Deploy to the account, run the side there, and destroy everything again, whatever happened.

    Raises:
        HouseError: something of the environment is there already, a step failed, or something could not be removed.
    """
    refuse_deployed(target)
    try:
        if _infrastructure("apply", target.name).returncode != 0:
            raise HouseError("The deployment failed; its message stands above.", "Mend it and repeat.")
        with tempfile.TemporaryDirectory() as folder:
            found = _side(target.name, Path(folder) / "aws.json", {})
    finally:
        removed = _infrastructure("destroy", target.name, "--data", "--yes").returncode == 0
        if not removed:
            print(f"error: not everything of {target.name} was removed; it may go on costing.", file=sys.stderr)
            print(f"  -> make deploy ACTION=destroy ENV={target.name} ARGS=--data", file=sys.stderr)
    if not removed:
        raise HouseError("The check ends here, without a comparison.", "Remove what is left, as said above.")
    return found


def _side(name: str, file: Path, variables: dict[str, str]) -> dict[str, list[str]]:
    done = _module("local.aws_check", "--environment", name, "--side", str(file), variables=variables)
    if done.returncode != 0:
        raise HouseError(f"The pipelines of {name} did not run; the reason stands above.", "Mend it and repeat.")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _infrastructure(
    verb: str, name: str, *others: str, variables: dict[str, str] | None = None, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    return _module("include.infrastructure", verb, "--environment", name, *others, variables=variables, capture=capture)


def _module(
    module: str, *arguments: str, variables: dict[str, str] | None = None, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    # For the laptop nothing of the person's AWS settings: a profile's name would be looked for in no file.
    settings = {**environment.base(), **variables} if variables else dict(os.environ)
    settings["PYTHONPATH"] = environment.python_path()
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=settings, cwd=environment.REPO, check=False, capture_output=capture, text=True)


if __name__ == "__main__":
    sys.exit(main())
