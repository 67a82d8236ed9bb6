"""The unmodified SageMaker hook of Airflow's Amazon provider, in Airflow's own environment, against our answers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

API_ONLY = True
AIRFLOW_PYTHON = Path(__file__).parents[2] / ".venv/bin/python"
pytestmark = pytest.mark.skipif(not AIRFLOW_PYTHON.exists(), reason="the Airflow environment is not installed")

SCRIPT = """
import json
from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerProcessingOperator

hook = SageMakerHook(aws_conn_id=None, region_name="us-east-1")
told = {}
told["group"] = [hook.create_model_package_group("airflow"), hook.create_model_package_group("airflow")]
definition = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "Name", "Type": "String"}],
    "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "the end"}}],
}
role = "arn:aws:iam::000000000000:role/airflow"
hook.conn.create_pipeline(PipelineName="airflow", PipelineDefinition=json.dumps(definition), RoleArn=role)
arn = hook.start_pipeline(pipeline_name="airflow", pipeline_params={"Name": "x"})
told["started"] = hook.describe_pipeline_exec(arn, verbose=True)["PipelineExecutionStatus"]
told["stopped"] = [hook.stop_pipeline(arn), hook.stop_pipeline(arn)]

config = {
    "ProcessingJobName": "airflow",
    "RoleArn": role,
    "AppSpecification": {"ImageUri": "image"},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    },
}
def process(action):
    operator = SageMakerProcessingOperator(
        task_id=action, config=dict(config), aws_conn_id=None, region_name="us-east-1",
        wait_for_completion=False, action_if_job_exists=action,
    )
    return operator.execute({})["Processing"]["ProcessingJobName"]
told["jobs"] = [process("timestamp"), process("timestamp")]
try:
    process("fail")
except Exception as error:
    told["refused"] = str(error)
print("TOLD" + json.dumps(told))
"""


def test_the_hook_and_an_operator_are_content(local_aws, tmp_path):
    """Groups are made once, executions start and stop (also twice), a job's name that is taken is noticed."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))},
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    ended = subprocess.run(
        [AIRFLOW_PYTHON, "-c", SCRIPT],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(ended.stdout.split("TOLD")[1])
    assert told["group"] == [True, False]
    assert told["started"] == "Executing"
    assert told["stopped"] == ["Stopping", "Stopping"]
    first, second = told["jobs"]
    assert first == "airflow"
    assert second.startswith("airflow-")
    assert "already exists" in told["refused"]
