"""The monthly job as a person sees it: run the DAG, watch its pipeline, look at the figures, approve the version."""

import time
from collections.abc import Callable
from typing import Any

from local.airflow import ENVIRONMENT
from local.cloud import Cloud, Figures, figures, step_lines
from local.errors import HouseError
from local.rest import FINAL_STATES, POLL_SECONDS, AirflowApi
from sagemaker_batch import names, registry
from sagemaker_batch.registry import ModelVersion

DEADLINE_SECONDS = 600.0
LOG_LINES = 12


def train(api: AirflowApi, cloud: Cloud, say: Callable[[str], None], conf: dict[str, Any] | None = None) -> str:
    """Run the monthly DAG to its end and show each pipeline step; return the execution's ARN.

    Raises:
        HouseError: the run failed; with the tasks' and the pipeline's own reasons.
    """
    dag = names.train_dag(cloud.use_case)
    pipeline = names.train_pipeline(cloud.use_case, ENVIRONMENT)
    before = set(cloud.executions(pipeline))
    api.unpause(dag)
    run = api.trigger(dag, conf)
    say(f"{dag}: run {run}")
    execution, told = "", dict[str, str]()
    until = time.monotonic() + DEADLINE_SECONDS
    while True:
        state = api.run(dag, run)["state"]
        execution = execution or next((arn for arn in cloud.executions(pipeline) if arn not in before), "")
        for line in step_lines(cloud.steps(execution), told) if execution else ():
            say(line)
        if state in FINAL_STATES:
            break
        api.check()
        if time.monotonic() > until:
            raise HouseError(f"{dag} did not end within {DEADLINE_SECONDS:.0f} s.", f"Look at {api.url}/dags/{dag}.")
        time.sleep(POLL_SECONDS)
    if state != "success":
        raise HouseError(
            f"The run of {dag} ended {state}.\n{why(api, cloud, dag, run, execution)}",
            "Mend what it names and run it again.",
        )
    say(f"pipeline {pipeline}: {cloud.seconds(execution):.1f} s of SageMaker time")
    return execution


def candidate(cloud: Cloud, execution: str) -> tuple[ModelVersion, Figures]:
    """Return the version that an execution registered, and what its evaluation measured.

    Raises:
        HouseError: it registered none.
    """
    for package in cloud.packages():
        version = registry.describe(cloud.sagemaker, package["ModelPackageArn"])
        if version.execution_arn == execution:
            return version, figures(cloud.read_uri(version.evaluation_uri))
    raise HouseError(
        f"Execution {execution} registered no version in the group {cloud.group}.",
        "The step RegisterModel says why; ListPipelineExecutionSteps shows it.",
    )


def approve(cloud: Cloud, version: ModelVersion, reason: str) -> ModelVersion:
    """Approve as a person would, by the same command that the review asks for."""
    return registry.approve(cloud.sagemaker, version.arn, reason)


def why(api: AirflowApi, cloud: Cloud, dag: str, run: str, execution: str) -> str:
    """Collect the reasons of a failed run: the execution's failed steps, and the ends of the failed tasks' logs."""
    lines = []
    if execution:
        told = cloud.execution(execution)
        lines.append(f"execution {execution}: {told['PipelineExecutionStatus']}: {told.get('FailureReason', '')}")
        for step in cloud.steps(execution):
            if step["StepStatus"] == "Failed":
                lines.append(f"step {step['StepName']}: {step.get('FailureReason', '')}")
                lines += [f"  {line[:500]}" for line in cloud.job_log(step)]
    for task in api.tasks(dag, run):
        if task["state"] == "failed":
            log = [line for line in api.log(dag, run, task) if line.strip()]
            lines += [f"task {task['task_id']}:", *[f"  {line[:500]}" for line in log[-LOG_LINES:]]]
    return "\n".join(lines)
