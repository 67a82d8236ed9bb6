"""An Airflow home of its own, and an AWS in memory: nothing here reaches a real one."""

import os
import tempfile
import threading
from pathlib import Path

# Before anything imports Airflow: it reads its home once.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-unit-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"

import boto3
import pytest
from moto import mock_aws
from moto.s3.responses import S3Response

BUCKET = "unit-bucket"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("AWS_", "AIRFLOW__SAGEMAKER_BATCH__")):
            monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AIRFLOW__SAGEMAKER_BATCH__ENVIRONMENT": "local",
        "AIRFLOW__SAGEMAKER_BATCH__BUCKET": BUCKET,
        "AIRFLOW__SAGEMAKER_BATCH__REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3(monkeypatch):
    """A versioned bucket in memory, whose conditional puts are as indivisible as those of S3.

    moto looks at the condition and writes afterwards: of two threads at once both may find that nothing is there.
    """
    one_at_a_time, put_object = threading.Lock(), S3Response.put_object

    def put(response):
        with one_at_a_time:
            return put_object(response)

    monkeypatch.setattr(S3Response, "put_object", put)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


@pytest.fixture
def bucket():
    return BUCKET


@pytest.fixture
def repo():
    return Path(__file__).parents[3]
