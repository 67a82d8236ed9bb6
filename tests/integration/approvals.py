"""Versions that are approved by boto3, and the queue that hears of it by the template's own EventBridge rule."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from include.infrastructure.environment import load_environment
from include.infrastructure.template import template
from local.airflow import ENVIRONMENT
from sagemaker_batch import names
from sagemaker_batch.use_case import load_use_case
from tests.faults import workers
from tests.integration.conftest import Laptop, registry_queue
from tests.integration.neighbours import KEPT

WATCHER, TELL, DELETE = "model_registry_watcher", "tell_approvals", "delete_messages"
# Two use cases of one queue, whose versions no other test counts.
APPROVED = ("undeclared", "hanging")
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


@contextmanager
def heard(house: Laptop) -> Iterator[str]:
    """Have the queue, the rule that fills it, and the watcher awake; yields the queue's URL."""
    sqs, events = house.cloud.client("sqs"), house.cloud.client("events")
    url = registry_queue(house.house.ports)
    made = sqs.create_queue(QueueName=url.rsplit("/", 1)[1])["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    folder = house.house.state / "test-use-cases"
    stack = template(load_environment(ENVIRONMENT), [load_use_case(folder / f"{name}.yaml") for name in APPROVED])
    rule = stack["Resources"]["ApprovedModels"]["Properties"]
    events.put_rule(Name=rule["Name"], EventPattern=json.dumps(rule["EventPattern"]))
    assert events.put_targets(Rule=rule["Name"], Targets=[{"Id": "watcher", "Arn": arn}])["FailedEntryCount"] == 0
    house.api.wait_for_dags([WATCHER])
    house.api.unpause(WATCHER)
    try:
        yield url
    finally:
        house.api.request("PATCH", f"/dags/{WATCHER}", json={"is_paused": True})
        events.remove_targets(Rule=rule["Name"], Ids=["watcher"])
        events.delete_rule(Name=rule["Name"])


def approve(house: Laptop, use_case: str) -> str:
    """Register one more version of a use case and approve it as somebody outside Airflow does; return its ARN."""
    package = house.cloud.sagemaker.describe_model_package(ModelPackageName=house.approved.arn)
    copy = {name: package[name] for name in KEPT} | {"ModelApprovalStatus": "PendingManualApproval"}
    # Who approved the original is no part of the copy.
    copy["CustomerMetadataProperties"] = {
        name: value for name, value in copy["CustomerMetadataProperties"].items() if not name.endswith(("At", "By"))
    }
    group = names.model_package_group(use_case, ENVIRONMENT)
    arn = str(house.cloud.sagemaker.create_model_package(ModelPackageGroupName=group, **copy)["ModelPackageArn"])
    house.cloud.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    return arn


def counted(house: Laptop, url: str) -> list[int]:
    """Return how many messages the queue shows, and how many it hides from everyone for a while."""
    told = house.cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return [int(told[name]) for name in COUNTS]


def told(house: Laptop) -> list[tuple[str, dict]]:
    """Return asset and extra of each event that the watcher's task has emitted."""
    assets = {asset["id"]: asset["name"] for asset in house.api.pages("/assets", "assets")}
    events = house.api.pages("/assets/events", "asset_events", {"source_dag_id": WATCHER})
    return sorted((assets[event["asset_id"]], event["extra"]) for event in events)


def first_try(house: Laptop, task_id: str) -> Callable[[], str]:
    """Return what tells the id that a task instance of the watcher's first run has."""

    def instances() -> list[str]:
        runs = sorted(house.api.runs(WATCHER), key=lambda run: run["queued_at"])
        tasks = (task for run in runs for task in house.api.tasks(WATCHER, run["dag_run_id"]))
        return [task["id"] for task in tasks if task["task_id"] == task_id]

    def first() -> str:
        house.wait(lambda: bool(instances()), "the watcher to start")
        return instances()[0]

    return first


def kill(house: Laptop, task_id: str) -> None:
    """End the process of a task of the watcher's first run before it has run code of ours."""
    worker = workers.catch(first_try(house, task_id), task_id)
    worker.kill_task()
    worker.thaw()
