"""A version that waits for a person inside a real Airflow: over REST, as the UI does it."""

import pytest

from local.airflow import ENVIRONMENT
from local.errors import HouseError
from local.secretfile import USER
from sagemaker_batch import names, registry
from tests.integration.conftest import Laptop
from tests.integration.neighbours import REVIEWED

pytestmark = pytest.mark.timeout(900)
DAG = names.train_dag(REVIEWED)


@pytest.fixture(scope="module")
def waiting(house: Laptop) -> list[tuple[str, str]]:
    """Two runs that wait for their reviewers at once: the second one trained while the first one was asking."""
    first = house.trigger_dag(DAG)
    path = house.question(DAG, first)
    second = house.trigger_dag(DAG)
    return [(first, path), (second, house.question(DAG, second))]


def version(house: Laptop, number: int) -> registry.ModelVersion:
    arn = house.approved.arn.replace(house.cloud.group, names.model_package_group(REVIEWED, ENVIRONMENT))
    return registry.describe(house.cloud.sagemaker, arn.rsplit("/", 1)[0] + f"/{number}")


def test_a_question_shows_figures_and_blocks_no_other_run(house: Laptop, waiting: list[tuple[str, str]]) -> None:
    """Both runs are active, neither holds a worker; the page and a button have what a reviewer needs meanwhile."""
    detail = house.api.request("GET", waiting[0][1])
    assert detail["options"] == ["Approve", "Reject"]
    assert detail["subject"] == f"Approve version 1 of {REVIEWED}?"
    for part in ("| accuracy |", "| brier |", "Calibration: ", "actual yes", "rows of data", "Trained because: "):
        assert part in detail["body"]
    asking = house.buttons(DAG, waiting[0][0], "ask_reviewer")
    assert list(asking) == ["Report"]
    assert asking["Report"] in detail["body"]
    expected = {("approval_waiting", f"[warning] {REVIEWED}: version {number} waits for approval") for number in (1, 2)}

    def told() -> set[tuple[str | None, str]]:
        return {(alert.attributes.get("event"), alert.subject) for alert in house.inbox.collect()}

    house.wait(lambda: expected <= told(), "both approvals to be told")


def test_an_answer_is_recorded_and_given_once(house: Laptop, waiting: list[tuple[str, str]]) -> None:
    """The second version is approved with a comment; asking again is refused; the asset is emitted."""
    run_id, path = waiting[1]
    house.answer(path, "Approve", "better on\nevery segment")
    with pytest.raises(HouseError, match="409"):
        house.answer(path, "Reject", "changed my mind")
    assert house.finish(run_id, DAG)["state"] == "success"
    package = house.cloud.sagemaker.describe_model_package(ModelPackageName=version(house, 2).arn)
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ApprovalDescription"].startswith(f"Approved by airflow/{USER} at ")
    assert package["ApprovalDescription"].endswith(f"(run {run_id}): better on every segment")
    assert package["CustomerMetadataProperties"]["ApprovedBy"] == f"airflow/{USER}"
    events = house.api.pages("/assets/events", "asset_events")
    (extra,) = [event["extra"] for event in events if event["source_dag_id"] == DAG]
    assert extra["model_package_version"] == 2


def test_a_rejection_leaves_the_version_in_use(house: Laptop, waiting: list[tuple[str, str]]) -> None:
    """The first version is rejected after the second was approved: the second scores."""
    run_id, path = waiting[0]
    house.answer(path, "Reject", "superseded")
    run = house.finish(run_id, DAG)
    assert run["state"] == "success"
    assert house.states(run)["approve_model"] == "skipped"
    assert version(house, 1).status == "Rejected"
    group = names.model_package_group(REVIEWED, ENVIRONMENT)
    assert registry.latest_approved(house.cloud.sagemaker, group).version == 2
