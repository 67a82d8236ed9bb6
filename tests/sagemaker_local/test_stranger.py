"""What a stranger does with it: ten lines of test execute a pipeline of their own; two wheels carry what they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from local import dist

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
PREPARE = """
import pathlib, sys
rows = pathlib.Path(sys.argv[1], "a.csv")
pathlib.Path(sys.argv[2], "count.txt").write_text(str(len(rows.read_text().split())))
"""
TEST = """
from pathlib import Path


def test_my_pipeline(sagemaker_local):
    sagemaker_local.upload(Path("src"), "s3://my-bucket/code")
    sagemaker_local.upload("1,2\\n3,4\\n", "s3://my-bucket/in/a.csv")
    execution = sagemaker_local.execute(Path("pipeline.json").read_text(), InputUri="s3://my-bucket/in/")
    assert execution.status == "Succeeded", execution.reason
    assert sagemaker_local.read("s3://my-bucket/out/count.txt") == b"2"


def test_its_failure_is_told(sagemaker_local):
    execution = sagemaker_local.execute(Path("pipeline.json").read_text(), InputUri="s3://my-bucket/nowhere/")
    assert execution.status == "Failed"
    assert "Prepare: ClientError: Failed to download data" in execution.reason
"""


def definition() -> dict:
    def source(name: str, uri: object) -> dict:
        place = {"LocalPath": f"/opt/ml/processing/input/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
        return {"InputName": name, "S3Input": {"S3Uri": uri, **place}}

    out = {"S3Uri": "s3://my-bucket/out", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
    arguments = {
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/prepare.py"],
            "ContainerArguments": ["/opt/ml/processing/input/data", "/opt/ml/processing/output"],
        },
        "ProcessingInputs": [
            source("code", "s3://my-bucket/code/"),
            source("data", {"Get": "Parameters.InputUri"}),
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": out}]},
        "ProcessingResources": {"ClusterConfig": cluster},
        "RoleArn": "arn:aws:iam::000000000000:role/any",
    }
    return {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "InputUri", "Type": "String"}],
        "Steps": [{"Name": "Prepare", "Type": "Processing", "Arguments": arguments}],
    }


def write_project(directory: Path) -> None:
    (directory / "src").mkdir()
    (directory / "src" / "prepare.py").write_text(PREPARE)
    (directory / "pipeline.json").write_text(json.dumps(definition()))
    (directory / "test_pipeline.py").write_text(TEST)


def test_a_fixture_executes_a_pipeline_in_ten_lines(tmp_path):
    """In a project that knows nothing of ours but the fixture; the server ends with the test run."""
    write_project(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "sagemaker_local.pytest_plugin", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTEST_DEBUG_TEMPROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_wheels_are_the_same_bytes_and_hold_what_they_promise(tmp_path):
    """Each wheel's entry points name what it holds, its RECORD fits, and building twice makes the same file."""
    for package in dist.PACKAGES:
        first, second = dist.build(package, tmp_path / "a"), dist.build(package, tmp_path / "b")
        assert first.read_bytes() == second.read_bytes()
        with zipfile.ZipFile(first) as wheel:
            names = set(wheel.namelist())
            information = f"{package.name}-{dist.VERSION}.dist-info"
            record = wheel.read(f"{information}/RECORD").decode().splitlines()
            points = wheel.read(f"{information}/entry_points.txt").decode()
        assert {line.split(",")[0] for line in record} == names
        for line in points.splitlines():
            module = line.partition("= ")[2].partition(":")[0].replace(".", "/")
            assert not module or {f"{module}.py", f"{module}/__init__.py"} & names
        assert not [name for name in names if "__pycache__" in name]
    with zipfile.ZipFile(tmp_path / "a" / "sagemaker_local-0.1.0-py3-none-any.whl") as wheel:
        assert "sagemaker_local/runtimes.yaml" in wheel.namelist()
