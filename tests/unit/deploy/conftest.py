"""The local AWS without its runner, for what deployment makes: real S3, Lambda, IAM, SNS and SQS answers."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from include.infrastructure.compiled import read_compiled
from include.infrastructure.environment import load_environment
from sagemaker_batch.use_case import load_use_case

ROOT = Path(__file__).parents[3]
START_SECONDS = 60


@pytest.fixture(scope="session")
def environment():
    return load_environment("local")


@pytest.fixture(scope="session")
def churn():
    return load_use_case(ROOT / "dags" / "use_cases" / "churn.yaml")


@pytest.fixture(scope="session")
def compiled(churn, environment):
    return read_compiled(churn, environment)


@pytest.fixture(scope="session")
def compiled_all(environment):
    """Every use case of the repository."""
    files = sorted((ROOT / "dags" / "use_cases").glob("*.yaml"))
    return [read_compiled(load_use_case(path), environment) for path in files]


def healthy(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_local/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def aws(tmp_path, monkeypatch, environment):
    """Start the local AWS on a free port, point boto3 at it, return a maker of clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    command = [sys.executable, "-m", "sagemaker_local", "--port", str(port), "--state-dir", str(tmp_path / "state")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--api-only"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log
        )
    clients = {}

    def client(service):
        if service not in clients:
            clients[service] = boto3.client(service, region_name=environment.region)
        return clients[service]

    try:
        deadline = time.monotonic() + START_SECONDS
        while not healthy(port):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        yield client
    finally:
        for item in clients.values():
            item.close()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(tmp_path / "state", ignore_errors=True)
