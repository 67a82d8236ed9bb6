"""A server that is killed at counted points of its work, and what must be true afterwards."""

from __future__ import annotations

import contextlib
import json
import signal
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.sagemaker_local.conftest import ROLE, LocalAws, wait_for
from tests.sagemaker_local.run_support import BUCKET, CLUSTER, FINAL, Run, get, put

RUNTIMES = Path(__file__).with_name("runtimes_shell.yaml")
IMAGE = "shell"
PIPELINE, FLAWED, GROUP = "killed", "flawed", "killed-models"
ENDED = ("Completed", "Failed", "Stopped")
# One line for each time that a command begins: its marker holds the job's ARN and the host.
COUNT = 'echo "$SAGEMAKER_LOCAL_JOB" >> "$RUNS"; '
AGAIN = [{"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "MaxAttempts": 9, "IntervalSeconds": 0, "BackoffRate": 1}]
CUT_OFF = "ended while the job ran"


def shell(name: str, script: str, runs: Path, *, instances: int = 1, **step: Any) -> dict[str, Any]:
    """Return a Processing step that runs a shell script and uploads what it wrote to output/out."""
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["/bin/sh", "-c", COUNT + script]},
            "Environment": {"RUNS": str(runs)},
            "ProcessingResources": {"ClusterConfig": {**CLUSTER["ClusterConfig"], "InstanceCount": instances}},
            "RoleArn": ROLE,
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": output(name),
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
        **step,
    }


def output(step: str) -> dict[str, Any]:
    return {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}/killed", get("Execution.PipelineExecutionId"), step]}}


def definition(runs: Path) -> str:
    """Return a pipeline with parallel steps, two instances, a condition, a model and a registration."""
    write = "echo '{\"good\": true}' > /opt/ml/processing/out/result.json"
    files = [{"PropertyFileName": "Result", "OutputName": "out", "FilePath": "result.json"}]
    train = {
        "Name": "Train",
        "Type": "Training",
        "DependsOn": ["Left"],
        "RetryPolicies": AGAIN,
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", f"{COUNT} echo model > /opt/ml/model/model.txt"],
            },
            "Environment": {"RUNS": str(runs)},
            "OutputDataConfig": {"S3OutputPath": output("Train")},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "RoleArn": ROLE,
        },
    }
    container = {"Image": IMAGE, "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    model = {
        "Name": "Create",
        "Type": "Model",
        "Arguments": {"PrimaryContainer": container, "ExecutionRoleArn": ROLE},
    }
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": GROUP,
            "CustomerMetadataProperties": {
                "execution": get("Execution.PipelineExecutionId"),
                "model": get("Steps.Create.ModelName"),
            },
        },
    }
    good = {
        "Std:JsonGet": {"PropertyFile": get("Steps.Left.PropertyFiles.Result"), "Path": "good"},
    }
    check = {
        "Name": "Check",
        "Type": "Condition",
        "DependsOn": ["Right"],
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": good, "RightValue": True}],
            "IfSteps": [model, register],
            "ElseSteps": [{"Name": "Bad", "Type": "Fail", "Arguments": {"ErrorMessage": "no good"}}],
        },
    }
    first = {"DependsOn": ["Prepare"]}
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Steps": [
                shell("Prepare", write, runs, RetryPolicies=AGAIN),
                shell("Left", write, runs, instances=2, PropertyFiles=files, RetryPolicies=AGAIN, **first),
                shell("Right", write, runs, **first),
                train,
                check,
            ],
        }
    )


def flawed(runs: Path) -> str:
    """Return a pipeline whose second step fails until a flag is there."""
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Steps": [
                shell("Sound", "true", runs),
                shell("Flawed", f'test -e "{runs}.flag"', runs, DependsOn=["Sound"], RetryPolicies=AGAIN),
            ],
        }
    )


@dataclass
class Killed:
    """One server over all its deaths."""

    aws: LocalAws
    directory: Path
    points: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def armed(self) -> Path:
        return self.directory / "kill"

    @property
    def told_of_death(self) -> Path:
        return self.directory / "kill.died"

    @property
    def runs(self) -> Path:
        return self.directory / "runs"

    def prepare(self) -> None:
        """Start, create what is needed, and let both pipelines run undisturbed once."""
        self.aws.start()
        put(self.aws, "anything", "")
        sagemaker = self.aws.client("sagemaker")
        for name, text in ((PIPELINE, definition(self.runs)), (FLAWED, flawed(self.runs))):
            sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE)
        self.runs.touch()
        self.check([self.start()])
        assert set(self.outcomes) == {"Succeeded"}, self.outcomes

    def count(self) -> int:
        """Return how many points an undisturbed execution passes."""
        self.settle()
        self.armed.write_text(str(10**6))
        self.check([self.start()])
        self.settle()
        total = 10**6 - int(self.armed.read_text())
        self.armed.unlink()
        return total

    def start(self, pipeline: str = PIPELINE) -> str:
        return self.aws.client("sagemaker").start_pipeline_execution(PipelineName=pipeline)["PipelineExecutionArn"]

    def kill(self, number: int, *, stop: bool = False, retry: bool = False, recovering: int = 0) -> None:
        """Kill the server at the n-th point of an execution, and again while it recovers; check what became of all."""
        before = set(self.executions())
        if retry:
            self.fail_once()
        self.settle()
        self.armed.write_text(str(number))
        with contextlib.suppress(BotoCoreError, ClientError):  # it may die before it answers
            if retry:
                (self.directory / "runs.flag").touch()
                self.aws.client("sagemaker").retry_pipeline_execution(PipelineExecutionArn=self.flawed)
            else:
                arn = self.start()
                if stop:
                    self.aws.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=arn)
        if not self.died():  # the execution took another way, with fewer points
            self.outcomes["not reached"] += 1
        else:
            self.note()
            self.revive(recovering)
        made = [arn for arn in self.executions() if arn not in before or (retry and arn == self.flawed)]
        self.check(made)

    def died(self) -> bool:
        """Wait for the server to be killed, or to have nothing left to do; nothing is armed afterwards."""
        process = self.aws.process
        assert process is not None
        wait_for(
            lambda: process.poll() is not None or (self.quiet() and self.aws.has_told()),
            120,
            "the server to be killed or to come to rest",
        )
        self.armed.unlink(missing_ok=True)
        # Since we looked, it may have come to its point and be about to die.
        if self.quiet() and not self.told_of_death.exists():
            return False
        assert process.wait(30) == -signal.SIGKILL
        return True

    def settle(self) -> None:
        """Wait until the server does nothing that passes a point: events are told after all else has ended."""
        wait_for(self.aws.has_told, 30, "all events to be told")

    def fail_once(self) -> None:
        """Make an execution that failed, and that a retry would let succeed."""
        (self.directory / "runs.flag").unlink(missing_ok=True)
        self.flawed = self.start(FLAWED)
        Run(self.aws, self.flawed).wait("Failed")

    def quiet(self) -> bool:
        """Tell whether all executions have ended."""
        try:
            return all(status in FINAL for status in self.executions().values())
        except (BotoCoreError, ClientError):  # it dies while we ask
            return False

    def note(self) -> None:
        self.points[self.told_of_death.read_text()] += 1
        self.told_of_death.unlink()
        # Nothing outlives the server, before the next one is there already.
        wait_for(lambda: not self.aws.processes(), 30, lambda: f"no process to be left; left {self.aws.processes()}")

    def revive(self, recovering: int) -> None:
        """Start the server again; it is killed once more, at that point of its recovery."""
        if recovering:
            self.armed.write_text(str(recovering))
        try:
            self.aws.start()
        except (AssertionError, HTTPException):  # it may die in the middle of an answer
            assert self.aws.process is not None
            assert self.aws.process.wait() == -signal.SIGKILL
        if recovering and self.died():
            self.note()
            self.outcomes["killed while recovering"] += 1
            self.aws.start()

    def executions(self) -> dict[str, str]:
        sagemaker = self.aws.client("sagemaker")
        return {
            each["PipelineExecutionArn"]: each["PipelineExecutionStatus"]
            for name in (PIPELINE, FLAWED)
            for page in sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=name)
            for each in page["PipelineExecutionSummaries"]
        }

    def check(self, arns: list[str]) -> None:
        """Hold executions to their promise: ended, with the right result or a reason, nothing twice, nothing left."""
        for arn in arns:
            run = Run(self.aws, arn)
            wait_for(lambda run=run: run.status() in FINAL, 60, lambda run=run: f"{run.describe()}\n{run.steps()}")
            described, steps = run.describe(), run.steps()
            self.outcomes[described["PipelineExecutionStatus"]] += 1
            assert all(step["StepStatus"] in ("Succeeded", "Failed", "Stopped") for step in steps.values()), steps
            failed = [step for step in steps.values() if step["StepStatus"] == "Failed"]
            assert all(CUT_OFF in step["FailureReason"] for step in failed), failed
            assert bool(failed) == (described["PipelineExecutionStatus"] == "Failed"), (described, steps)
            assert ("FailureReason" in described) == bool(failed)
            if described["PipelineExecutionStatus"] == "Succeeded" and f"pipeline/{PIPELINE}/" in arn:
                self.check_result(arn.rpartition("/")[2], steps)
        self.check_jobs()

    def check_result(self, execution: str, steps: dict[str, Any]) -> None:
        s3, sagemaker = self.aws.client("s3"), self.aws.client("sagemaker")
        assert set(steps) == {"Prepare", "Left", "Right", "Train", "Check", "Create", "Register"}
        for step in ("Prepare", "Left", "Right"):
            key = f"killed/{execution}/{step}/result.json"
            assert json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == {"good": True}
        assert steps["Check"]["Metadata"]["Condition"]["Outcome"] == "True"
        pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=GROUP)
        arns = [each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]]
        owners = [
            sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]["execution"]
            for arn in arns[-3:]
        ]
        assert owners.count(execution) == 1, "one registration, and not two"
        assert steps["Register"]["Metadata"]["RegisterModel"]["Arn"] in arns

    def check_jobs(self) -> None:
        """Every job has ended, has run at most once on each host, and once on each when it completed."""
        runs = Counter(self.runs.read_text().split())
        assert not [marker for marker, times in runs.items() if times > 1]
        sagemaker = self.aws.client("sagemaker")
        known: dict[str, str] = {}
        for operation, title in (("list_processing_jobs", "ProcessingJob"), ("list_training_jobs", "TrainingJob")):
            for page in sagemaker.get_paginator(operation).paginate():
                for job in page[f"{title}Summaries"]:
                    known[job[f"{title}Arn"]] = job[f"{title}Status"]
        assert set(known.values()) <= set(ENDED), known
        ran = Counter(marker.rpartition("/")[0] for marker in runs)
        assert set(ran) <= set(known), "what ran is a job"
        for arn, status in known.items():
            hosts = 2 if "-Left-" in arn else 1
            assert status != "Completed" or ran[arn] == hosts, (arn, ran[arn])
