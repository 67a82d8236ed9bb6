"""DAGs in an Airflow of their own (SQLite in a temporary home), and an AWS in memory."""

import os
import tempfile
from pathlib import Path

REPO = Path(__file__).parents[2]
# Before anything imports Airflow: it reads its home once.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-dags-")
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(REPO / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(REPO / "plugins")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

import boto3  # noqa: E402 - after the home is set
import pytest  # noqa: E402 - after the home is set
from moto import mock_aws  # noqa: E402 - after the home is set

from tests.unit.plugin import metadata  # noqa: E402 - after the home is set

BUCKET = "dags-bucket"


def pytest_configure(config):
    """Airflow 3.3.1's own reader of .airflowignore warns; ours stay errors."""
    config.addinivalue_line("filterwarnings", "ignore:GitWildMatchPattern:DeprecationWarning")


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
        # What the tests play has ended before anyone looks.
        "AIRFLOW__SAGEMAKER_BATCH__POLL_SECONDS": "0.1",
        "AIRFLOW__SAGEMAKER_BATCH__FIRST_POLL_SECONDS": "0",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3():
    """A versioned bucket in memory."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


@pytest.fixture
def bucket():
    return BUCKET


@pytest.fixture(scope="session")
def database():
    """Airflow's metadata, made once."""
    metadata.make()


def load(name, folder=None):
    """Execute a DAG file as the DAG processor does, and return its DAGs by id."""
    import runpy

    from airflow.sdk import DAG

    if folder is not None:
        os.environ["AIRFLOW__SAGEMAKER_BATCH__USE_CASES_FOLDER"] = str(folder)
    try:
        found = runpy.run_path(str(REPO / "dags" / f"{name}.py"))
    finally:
        os.environ.pop("AIRFLOW__SAGEMAKER_BATCH__USE_CASES_FOLDER", None)
    return {value.dag_id: value for value in found.values() if isinstance(value, DAG)}


@pytest.fixture
def dags():
    """Load the DAG files, from the repository's use cases or from a folder."""
    return load
