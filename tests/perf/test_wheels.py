"""Each wheel of `make dist` alone in an empty environment; needs the package index, so `make test-all` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local import dist, install
from tests.sagemaker_local.test_stranger import write_project


def fresh(directory: Path, *wheels: str) -> Path:
    """Return the interpreter of a new environment with these wheels (and what they need) installed."""
    uv = install.find_uv()
    environment = install.uv_environment()
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(directory)], check=True, env=environment)
    python = directory / "bin" / "python"
    done = subprocess.run(
        [*uv, "pip", "install", "-q", "--python", str(python), *wheels],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode and "error sending request" in done.stderr:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    return python


@pytest.mark.timeout(1800)
def test_sagemaker_local_alone_runs_a_pipeline(tmp_path):
    """With pytest beside it, its fixture executes a stranger's pipeline."""
    wheel = dist.build(dist.PACKAGES[0], tmp_path / "dist")
    python = fresh(tmp_path / "venv", str(wheel), "pytest")
    project = tmp_path / "project"
    project.mkdir()
    write_project(project)
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-m", "pytest", "-q"], cwd=project, env=outside, capture_output=True, text=True, check=False
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    said = subprocess.run(
        [tmp_path / "venv/bin/sagemaker-local", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == dist.VERSION


@pytest.mark.timeout(1800)
def test_sagemaker_batch_alone_brings_its_operators(tmp_path):
    """Operators and sensor import, and Airflow finds the plugin by its entry point."""
    wheel = dist.build(dist.PACKAGES[1], tmp_path / "dist")
    python = fresh(tmp_path / "venv", str(wheel))
    check = """
from importlib.metadata import entry_points
from sagemaker_batch.operators import StartPipelineOperator
from sagemaker_batch.sensor import PipelineSensor
found = {each.name: each for each in entry_points(group="airflow.plugins")}
print(found["sagemaker_batch"].load().__name__)
"""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", check],
        env={**outside, "AIRFLOW_HOME": str(tmp_path / "airflow")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SageMakerBatchPlugin" in done.stdout, done.stdout + done.stderr
