"""Clients as they come: Airflow's own operator and sensor, and the SageMaker SDK, each in its own environment."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.sagemaker_local.conftest import REPOSITORY, ROLE
from tests.sagemaker_local.run_support import BUCKET, SKLEARN, Run, definition, processing, put, put_scripts

AIRFLOW = REPOSITORY / ".venv/bin/python"
AUTHORING = REPOSITORY / ".venv-authoring/bin/python"


def run_script(python: Path, script: str, home: Path, **environment: str) -> str:
    """Run a script with the keys of the local AWS and return what it printed last."""
    done = subprocess.run(
        [str(python), "-c", textwrap.dedent(script)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.skipif(not AIRFLOW.exists(), reason="the Airflow environment is not installed (.venv)")
@pytest.mark.airflow
def test_airflows_operator_and_sensor_work_unmodified(local_aws, sagemaker, tmp_path):
    """SageMakerStartPipelineOperator starts an execution that SageMakerPipelineSensor sees succeed."""
    text = definition(
        processing("Greet", "import sys; print('hello', sys.argv[1])", {"Get": "Parameters.Name"}),
        parameters=[{"Name": "Name", "Type": "String"}],
    )
    put_scripts(local_aws)
    sagemaker.create_pipeline(PipelineName="from-airflow", PipelineDefinition=text, RoleArn=ROLE)
    script = """
        from airflow.providers.amazon.aws.operators.sagemaker import SageMakerStartPipelineOperator
        from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerPipelineSensor
        start = SageMakerStartPipelineOperator(
            task_id="start", pipeline_name="from-airflow", pipeline_params={"Name": "Ada"}, aws_conn_id=None
        )
        arn = start.execute({})
        sensor = SageMakerPipelineSensor(task_id="wait", pipeline_exec_arn=arn, aws_conn_id=None, poke_interval=1)
        sensor.execute({})
        print(arn)
    """
    environment = {
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    arn = run_script(AIRFLOW, script, tmp_path, **environment)
    assert Run(local_aws, arn).status() == "Succeeded"


@pytest.mark.skipif(not AUTHORING.exists(), reason="the authoring environment is not installed (.venv-authoring)")
@pytest.mark.authoring
def test_the_sdk_upserts_and_starts_unmodified(local_aws, tmp_path):
    """SDK v3 writes a pipeline with upsert(), twice, and starts it; the execution succeeds."""
    put(local_aws, "sdk/script.py", "print('from the SDK')\n")
    iam = local_aws.client("iam")
    iam.create_role(RoleName="sdk", AssumeRolePolicyDocument="{}")
    script = f"""
        from sagemaker.core.processing import ScriptProcessor
        from sagemaker.core.workflow.parameters import ParameterString
        from sagemaker.core.workflow.pipeline_context import PipelineSession
        from sagemaker.mlops.workflow.pipeline import Pipeline
        from sagemaker.mlops.workflow.steps import ProcessingStep
        role = "arn:aws:iam::000000000000:role/sdk"
        session = PipelineSession(default_bucket="{BUCKET}")
        kind = ParameterString(name="InstanceType", default_value="ml.m5.large")
        processor = ScriptProcessor(
            image_uri="{SKLEARN}", command=["python3"], role=role, instance_count=1, instance_type=kind,
            sagemaker_session=session,
        )
        step = ProcessingStep(name="Script", step_args=processor.run(code="s3://{BUCKET}/sdk/script.py"))
        pipeline = Pipeline(name="from-the-sdk", parameters=[kind], steps=[step], sagemaker_session=session)
        pipeline.upsert(role_arn=role)
        pipeline.upsert(role_arn=role)
        print(pipeline.start().arn)
    """
    settings = tmp_path / "config.yaml"
    settings.write_text("SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n")
    environment = {
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings),
        "SAGEMAKER_VALIDATE_ROLE": "false",
    }
    arn = run_script(AUTHORING, script, tmp_path, **environment)
    Run(local_aws, arn).wait()
