"""The house of the fault table: as the tests' house, with short patience, and use cases that may be broken.

Airflow's own patience is what a fault's row would otherwise measure: five minutes until a silent worker counts as dead.
The mechanisms are the same with seconds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local import environment, signals
from local.cloud import Cloud
from local.house import House, Ports, quietly
from sagemaker_batch import names
from tests.integration import neighbours
from tests.integration.conftest import USE_CASE, Laptop, open_house, train_and_approve

# `berlin` has days of 23 and of 25 hours; the pipeline of `doomed` is deleted while its execution is waited for; to
# look at an execution of `throttled` is refused.
BERLIN, DOOMED, THROTTLED = "berlin", "doomed", "throttled"
COPIES = (BERLIN, DOOMED, THROTTLED)
STATE = environment.REPO / ".local" / "faults"
USE_CASES = STATE / "use-cases"
PATIENCE = {
    # A worker that has not spoken for so long is dead; it speaks every two seconds.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "25",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "15",
    # The same for a scheduler and for a triggerer.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}


def write_use_cases(folder: Path) -> Path:
    """Write churn's file and its copies with a retry after one second; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (neighbours.USE_CASES / f"{USE_CASE}.yaml").read_text(encoding="utf-8")
    text = changed(text, "retry_delay_seconds: 10", "retry_delay_seconds: 1")
    for name in (USE_CASE, *COPIES):
        own = changed(text, "timezone: UTC", "timezone: Europe/Berlin") if name == BERLIN else text
        (folder / f"{name}.yaml").write_text(own, encoding="utf-8")
    return folder


def changed(text: str, before: str, after: str) -> str:
    """Replace a part of the use case file that must be there."""
    if before not in text:
        raise ValueError(f"{USE_CASE}.yaml has no {before!r} any more; the fault table's house changes it.")
    return text.replace(before, after)


def new_house(airflow_venv: str = ".venv") -> House:
    """Return the house of the faults, not yet taken, with nothing of a former one left."""
    overrides = {**PATIENCE, "AIRFLOW__SAGEMAKER_BATCH__USE_CASES_FOLDER": str(USE_CASES)}
    house = House(STATE, Ports.free(), overrides=overrides, airflow_venv=airflow_venv)
    house.empty()
    return house


def settle(house: House) -> Laptop:
    """Fill a taken house: churn's model trained and approved, its copies in their places."""
    laptop = open_house(house)
    train_and_approve(laptop)
    for name in COPIES:
        copy_use_case(laptop.cloud, name, laptop.approved.arn)
    laptop.api.wait_for_dags([names.batch_dag(name) for name in COPIES])
    for name in COPIES:
        laptop.api.unpause(names.batch_dag(name))
    return laptop


def copy_use_case(cloud: Cloud, name: str, approved: str) -> None:
    """Give a use case churn's approved model and daily pipeline under its own names."""
    package = cloud.sagemaker.describe_model_package(ModelPackageName=approved)
    pipeline = cloud.sagemaker.describe_pipeline(PipelineName=names.batch_pipeline(USE_CASE, neighbours.ENVIRONMENT))
    group = names.model_package_group(name, neighbours.ENVIRONMENT)
    cloud.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    cloud.sagemaker.create_model_package(ModelPackageGroupName=group, **{key: package[key] for key in neighbours.KEPT})
    cloud.sagemaker.create_pipeline(
        PipelineName=names.batch_pipeline(name, neighbours.ENVIRONMENT),
        PipelineDefinition=pipeline["PipelineDefinition"].replace(cloud.group, group),
        RoleArn=pipeline["RoleArn"],
    )


@contextmanager
def opened(say: Callable[[str], None] = quietly, airflow_venv: str = ".venv") -> Iterator[Laptop]:
    """A house for the time of the block; no process of it is left, also after Ctrl-C or SIGTERM, but its logs are."""
    with new_house(airflow_venv) as house:
        write_use_cases(USE_CASES)
        house.say = say
        with signals.watched(house.supervisor):
            laptop = settle(house)
            yield laptop
            laptop.close()
