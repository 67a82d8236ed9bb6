"""Use cases beside churn in the tests' house, each with one thing wrong; the others run on undisturbed.

REVIEWED has nothing wrong: it has churn's training data and pipeline, and its versions are approved in Airflow. The
second use case is the repository's own, but judged by drift_report.json, where churn is judged by the violations.

Their files are churn's under another name. What AWS holds of them (model package group, pipeline, model) is churn's
too, with the one change that makes them bad.
"""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from local import energy, environment
from local.airflow import ENVIRONMENT
from local.cloud import Cloud
from sagemaker_batch import names
from sagemaker_batch.registry import ModelVersion

USE_CASES = environment.REPO / "dags" / "use_cases"
BROKEN = "broken"
REVIEWED = "reviewed"
NAMES = ("unapproved", "bare", "undeclared", "hanging", "headless", "cracked")
KEPT = (
    "InferenceSpecification",
    "ModelMetrics",
    "DriftCheckBaselines",
    "CustomerMetadataProperties",
    "ModelApprovalStatus",
)
HANGING_SECONDS = 2
Package = dict[str, Any]
Definition = dict[str, Any]


def write_use_cases(folder: Path) -> Path:
    """Write the repository's files, churn's neighbours' and a broken one; return the folder."""
    folder.mkdir(parents=True)
    for path in USE_CASES.glob("*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    energy_use = folder / f"{energy.USE_CASE}.yaml"
    judged = energy_use.read_text(encoding="utf-8").replace("severity:\n", "severity:\n  report: drift_report\n")
    energy_use.write_text(judged, encoding="utf-8")
    text = (USE_CASES / "churn.yaml").read_text(encoding="utf-8")
    for name in NAMES:
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    reviewed = text.replace("approval: manual", "approval: airflow")
    (folder / f"{REVIEWED}.yaml").write_text(reviewed, encoding="utf-8")
    broken = text.replace("accuracy_threshold:", "acuracy_threshold:")
    (folder / f"{BROKEN}.yaml").write_text(broken, encoding="utf-8")
    return folder


def settle(cloud: Cloud, approved: ModelVersion) -> None:
    """Make groups, pipelines and models of the neighbours."""
    settled = {
        "unapproved": (None, _same),
        "bare": (_without_baselines, _same),
        "undeclared": (_same, _without_parameter),
        "hanging": (_same, _hanging),
        "headless": (lambda package: _headless(cloud, package), _same),
        "cracked": (lambda package: _cracked(cloud, package), _same),
    }
    package = cloud.sagemaker.describe_model_package(ModelPackageName=approved.arn)
    pipeline = cloud.sagemaker.describe_pipeline(PipelineName=names.batch_pipeline("churn", ENVIRONMENT))
    for name, (change_package, change_definition) in settled.items():
        group = names.model_package_group(name, ENVIRONMENT)
        cloud.sagemaker.create_model_package_group(ModelPackageGroupName=group)
        if change_package is not None:
            copy = json.loads(json.dumps({key: package[key] for key in KEPT}))
            cloud.sagemaker.create_model_package(ModelPackageGroupName=group, **change_package(copy))
        text = pipeline["PipelineDefinition"].replace(cloud.group, group)
        cloud.sagemaker.create_pipeline(
            PipelineName=names.batch_pipeline(name, ENVIRONMENT),
            PipelineDefinition=json.dumps(change_definition(json.loads(text))),
            RoleArn=pipeline["RoleArn"],
        )


def settle_reviewed(cloud: Cloud) -> None:
    """Give REVIEWED churn's training data and pipeline, and an empty group."""
    group = names.model_package_group(REVIEWED, ENVIRONMENT)
    cloud.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    pipeline = cloud.sagemaker.describe_pipeline(PipelineName=names.train_pipeline("churn", ENVIRONMENT))
    cloud.sagemaker.create_pipeline(
        PipelineName=names.train_pipeline(REVIEWED, ENVIRONMENT),
        PipelineDefinition=pipeline["PipelineDefinition"].replace(cloud.group, group),
        RoleArn=pipeline["RoleArn"],
    )
    for key in cloud.keys(names.training_input_prefix("churn")):
        copy = key.replace("churn/", f"{REVIEWED}/", 1)
        cloud.s3.copy_object(Bucket=cloud.bucket, Key=copy, CopySource={"Bucket": cloud.bucket, "Key": key})


def _same(content: dict[str, Any]) -> dict[str, Any]:
    return content


def _without_baselines(package: Package) -> Package:
    del package["DriftCheckBaselines"]
    del package["CustomerMetadataProperties"]["FeatureSchemaUri"]
    return package


def _without_parameter(definition: Definition) -> Definition:
    text = json.dumps(definition).replace('{"Get": "Parameters.ModelPackageArn"}', '""')
    found = json.loads(text)
    found["Parameters"] = [item for item in found["Parameters"] if item["Name"] != "ModelPackageArn"]
    return dict(found)


def _hanging(definition: Definition) -> Definition:
    step = next(item for item in definition["Steps"] if item["Name"] == "PrepareBatch")
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-c", "import time; time.sleep(600)"]
    step["Arguments"]["StoppingCondition"] = {"MaxRuntimeInSeconds": HANGING_SECONDS}
    return definition


def _headless(cloud: Cloud, package: Package) -> Package:
    """Name a baseline that is not there any more."""
    baseline = package["DriftCheckBaselines"]["ModelDataQuality"]["Constraints"]
    baseline["S3Uri"] = names.s3_uri(cloud.bucket, "headless/constraints.json")
    return package


def _cracked(cloud: Cloud, package: Package) -> Package:
    """Name a model whose archive holds no model."""
    model = cloud.sagemaker.describe_model(ModelName=package["CustomerMetadataProperties"]["ModelName"])
    key = "cracked/model.tar.gz"
    cloud.s3.put_object(Bucket=cloud.bucket, Key=key, Body=_archive({"xgboost-model": b"no model at all"}))
    container = {**model["PrimaryContainer"], "ModelDataUrl": names.s3_uri(cloud.bucket, key)}
    container.pop("ModelDataSource", None)
    cloud.sagemaker.create_model(
        ModelName="cracked", PrimaryContainer=container, ExecutionRoleArn=model["ExecutionRoleArn"]
    )
    package["CustomerMetadataProperties"]["ModelName"] = "cracked"
    return package


def _archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()
