"""QualityCheck steps: the four lifecycles of a baseline, and what a violation does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sagemaker_local.conftest import ROLE
from tests.sagemaker_local.run_support import (
    ANALYZER,
    BUCKET,
    CLUSTER,
    XGBOOST,
    definition,
    get,
    processing,
    put,
    start,
)

RUNTIMES = Path(__file__).with_name("runtimes_with_analyzer.yaml")
SAME, OTHER = f"s3://{BUCKET}/same/", f"s3://{BUCKET}/other/"


@pytest.fixture(scope="module", autouse=True)
def data(local_aws):
    put(local_aws, "same/data.csv", "1\n2\n3\n")
    put(local_aws, "other/data.csv", "1\n2\n")
    put(local_aws, "supplied/statistics.json", '{"rows": 3}')
    put(local_aws, "supplied/constraints.json", '{"rows": 3}')


def supplied(member: str) -> str:
    return f"s3://{BUCKET}/supplied/{member}.json"


def check(
    dataset: str,
    *,
    skip: object = False,
    register: object = False,
    fail: object = True,
    group: str | None = None,
    baseline: bool = True,
    kind: str = "DATA_QUALITY",
    name: str = "Check",
) -> dict:
    source = {
        "S3Uri": dataset,
        "LocalPath": "/opt/ml/processing/input/baseline_dataset_input",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    output = {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}/out", get("Execution.PipelineExecutionId")]}}
    return {
        "Name": name,
        "Type": "QualityCheck",
        "CheckType": kind,
        "ModelPackageGroupName": group,
        "SkipCheck": skip,
        "RegisterNewBaseline": register,
        "FailOnViolation": fail,
        "SuppliedBaselineStatistics": supplied("statistics") if baseline else None,
        "SuppliedBaselineConstraints": supplied("constraints") if baseline else None,
        "Arguments": {
            "AppSpecification": {"ImageUri": ANALYZER},
            "ProcessingResources": CLUSTER,
            "RoleArn": ROLE,
            "Environment": {
                "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
                "output_path": "/opt/ml/processing/output",
            },
            "ProcessingInputs": [{"InputName": "baseline_dataset_input", "S3Input": source}],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "quality_check_output",
                        "S3Output": {
                            "S3Uri": output,
                            "LocalPath": "/opt/ml/processing/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
    }


@pytest.mark.parametrize(
    ("skip", "register", "used"),
    [(False, False, "supplied"), (False, True, "new"), (True, False, "supplied"), (True, True, "new")],
)
def test_the_lifecycle_table(local_aws, skip, register, used):
    """A new baseline is always calculated; the one used for drift is the former unless the new one is registered."""
    run = start(local_aws, definition(check(SAME, skip=skip, register=register)))
    steps = run.wait()
    shown = steps["Check"]["Metadata"]["QualityCheck"]
    new = {member: f"s3://{BUCKET}/out/{run.arn[-12:]}/{member}.json" for member in ("statistics", "constraints")}
    wanted = new if used == "new" else {member: supplied(member) for member in new}
    assert shown["CalculatedBaselineStatistics"] == new["statistics"]
    assert shown["CalculatedBaselineConstraints"] == new["constraints"]
    assert shown["BaselineUsedForDriftCheckStatistics"] == wanted["statistics"]
    assert shown["BaselineUsedForDriftCheckConstraints"] == wanted["constraints"]
    assert (shown["SkipCheck"], shown["RegisterNewBaseline"], shown["CheckType"]) == (skip, register, "DATA_QUALITY")
    job = run.sagemaker.describe_processing_job(ProcessingJobName=shown["CheckJobArn"].rpartition("/")[2])
    assert ("baseline_constraints" in job["Environment"]) is not skip
    assert job["ExitMessage"].startswith("Completed: ")
    assert "ViolationReport" not in shown


def test_a_violation_fails_the_step_or_is_only_reported(local_aws):
    """With FailOnViolation true the step fails and names what was violated; with false it succeeds with a report."""
    text = definition(
        check(OTHER, fail=get("Parameters.Fail")),
        processing("After", "print(1)", step={"DependsOn": ["Check"]}),
        parameters=[{"Name": "Fail", "Type": "Boolean", "DefaultValue": True}],
    )
    steps = start(local_aws, text).wait("Failed")
    assert (
        "found 1 violations and FailOnViolation is true (rows: baseline_drift_check)" in steps["Check"]["FailureReason"]
    )
    report = steps["Check"]["Metadata"]["QualityCheck"]["ViolationReport"]
    assert report.endswith("/constraint_violations.json")
    assert set(steps) == {"Check"}

    steps = start(local_aws, text, Fail="false").wait()
    assert "ViolationReport" in steps["Check"]["Metadata"]["QualityCheck"]
    assert set(steps) == {"Check", "After"}


def test_the_latest_approved_package_is_the_baseline(local_aws, sagemaker):
    """Without supplied baselines those of the latest approved version are used; without any the step fails."""
    step = check(OTHER, group="quality", baseline=False, kind="MODEL_QUALITY")
    reason = start(local_aws, definition(step)).wait("Failed")["Check"]["FailureReason"]
    assert "There is no baseline (statistics and constraints) to check against" in reason
    sagemaker.create_model_package_group(ModelPackageGroupName="quality")
    source = {
        member: {"ContentType": "application/json", "S3Uri": supplied(member.lower())}
        for member in ("Statistics", "Constraints")
    }
    for status in ("Approved", "PendingManualApproval"):
        sagemaker.create_model_package(
            ModelPackageGroupName="quality",
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [{"Image": XGBOOST, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            **({"DriftCheckBaselines": {"ModelQuality": source}} if status == "Approved" else {}),
        )
    steps = start(local_aws, definition(step)).wait("Failed")
    assert "found 1 violations" in steps["Check"]["FailureReason"]
    used = steps["Check"]["Metadata"]["QualityCheck"]["BaselineUsedForDriftCheckConstraints"]
    assert used == supplied("constraints")


def test_later_steps_refer_to_the_baselines(local_aws):
    """Steps.Check.CalculatedBaselineConstraints and its three siblings resolve."""
    script = "import sys; assert sys.argv[1].endswith('/constraints.json'), sys.argv"
    use = processing("Use", script, get("Steps.Check.CalculatedBaselineConstraints"))
    start(local_aws, definition(check(SAME, skip=True, register=True, baseline=False), use)).wait()
