"""The whole loop over REST on a real Airflow, as `make demo STORY=drift` plays it, step by step.

Nobody touches a file and nobody starts the second training: data and labels arrive, a reviewer answers twice. What is
asserted is read back from Airflow, S3, the registry and the inbox after the story, not taken from what it printed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from local import environment, loop
from local.console import Console
from local.house import House, Ports
from local.loop import DRIFTING_DAYS, USE_CASE, Loop
from local.secretfile import USER
from sagemaker_batch import names, registry

pytestmark = pytest.mark.timeout(1_800)
SEED = 7
STATE = environment.REPO / ".local" / "loop"


@dataclass
class Played:
    """The story, and the days that it was about: those that drifted, and the next one."""

    story: Loop
    drifting: list[date]
    after: date

    def runs(self, dag: str, kind: str) -> list[dict[str, Any]]:
        """Return a DAG's runs of a kind, oldest first."""
        return sorted(
            (run for run in self.story.api.runs(dag) if run["run_type"] == kind), key=lambda run: run["queued_at"]
        )

    def events(self, asset: str) -> list[dict[str, Any]]:
        """Return what was emitted of an asset, oldest first."""
        known = {item["id"]: item["name"] for item in self.story.api.pages("/assets", "assets")}
        found = self.story.api.pages("/assets/events", "asset_events")
        return sorted((item for item in found if known[item["asset_id"]] == asset), key=lambda item: item["timestamp"])


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """Play it in a house of its own, whose schedule is on; its logs stay until the next time."""
    house = House(STATE, Ports.free(), schedule=True, overrides=loop.settings(STATE))
    house.empty()
    with house:
        loop.write_use_cases(house.state / loop.FOLDER)
        house.start()
        begun = datetime.now(UTC).date()
        story = loop.play(house, Console(), SEED)
        days = [begun - timedelta(days=DRIFTING_DAYS + 1 - number) for number in range(DRIFTING_DAYS + 1)]
        yield Played(story, days[:-1], days[-1])
        story.api.client.close()


def test_the_story_itself_finds_nothing_wrong(played: Played) -> None:
    """As the demo would say."""
    assert played.story.wrong == []


def test_three_days_of_drift_are_held_by_the_first_version_and_told(played: Played) -> None:
    """Each is judged by version 1 to drift in enough of the features, is not published, and is told once."""
    alerts = played.story.inbox.collect()
    for day in played.drifting:
        (record,) = played.story.cloud.verdicts(day)
        assert (record["verdict"], record["model"]["version"]) == ("held", 1)
        assert len(record["violated_features"]) >= 0.3 * record["monitored_features"]
        assert played.story.cloud.manifest(day) is None
        told = [alert.attributes["event"] for alert in alerts if alert.attributes.get("batch_day") == day.isoformat()]
        assert told == ["drift_critical"]


def test_the_third_day_requests_a_model_once(played: Played) -> None:
    """One request in S3 and one asset event, by the watchdog's last look, with the reason."""
    cloud = played.story.cloud
    (key,) = cloud.keys(f"{USE_CASE}/retraining/")
    request = cloud.read_json(key)
    assert request is not None
    (event,) = played.events(f"{USE_CASE}/retraining_requested")
    heard = [alert for alert in played.story.inbox.collect() if alert.attributes["event"] == "approval_waiting"]
    assert [request["reason"] in alert.text for alert in heard] == [False, True]
    assert event["extra"] == {"request": request["id"], "kind": "drift", "reason": request["reason"]}
    last = played.runs(names.watchdog_dag(USE_CASE), "manual")[-1]
    assert event["source_run_id"] == last["dag_run_id"]
    for day in played.drifting:
        assert day.isoformat() in request["reason"]


def test_the_request_trains_a_second_version_that_a_reviewer_approves(played: Played) -> None:
    """By the asset, not by a person; the reason stood on the reviewer's page; who and why stay with the version."""
    dag = names.train_dag(USE_CASE)
    (first,), (second,) = played.runs(dag, "manual"), played.runs(dag, "asset_triggered")
    assert [run["state"] for run in (first, second)] == ["success", "success"]
    asked = played.story.api.request(
        "GET", f"/dags/{dag}/dagRuns/{second['dag_run_id']}/taskInstances/ask_reviewer/-1/hitlDetails"
    )
    (event,) = played.events(f"{USE_CASE}/retraining_requested")
    assert f"Trained because: {event['extra']['reason']}" in asked["body"]
    sagemaker = played.story.cloud.sagemaker
    packages = [registry.describe(sagemaker, item["ModelPackageArn"]) for item in played.story.cloud.packages()]
    by_version = {package.version: package for package in packages}
    assert {number: package.status for number, package in by_version.items()} == {1: "Approved", 2: "Approved"}
    described = sagemaker.describe_model_package(ModelPackageName=by_version[2].arn)
    assert described["CustomerMetadataProperties"]["ApprovedBy"] == f"airflow/{USER}"
    assert described["ApprovalDescription"].endswith("it knows how long people call now")
    approved = [item["extra"]["model_package_version"] for item in played.events(f"{USE_CASE}/model_approved")]
    assert approved == [1, 2]


def test_the_next_day_is_scored_by_it(played: Played) -> None:
    """Customers as they are now are what the second version was trained on: published, and nobody woken."""
    (record,) = played.story.cloud.verdicts(played.after)
    assert record["verdict"] in {"clean", "warned"}
    manifest = played.story.cloud.manifest(played.after)
    assert manifest is not None
    assert manifest["model_package_version"] == 2
    assert manifest["rows_in"] == manifest["rows_out"] > 0
    told = [alert for alert in played.story.inbox.collect() if alert.concerns(played.after)]
    assert "critical" not in {alert.attributes["severity"] for alert in told}


def test_its_labels_judge_the_second_version(played: Played) -> None:
    """Every label that arrived has found its prediction, and the model is as good as at training."""
    (record,) = played.story.cloud.quality(played.after)
    assert (record["verdict"], record["model_package_version"]) == ("good", 2)
    assert record["labels"]["matched"] == record["labels"]["predictions"]
    for name in ("accuracy", "auc"):
        assert record["metrics"][name]["value"] >= record["metrics"][name]["bound"]


def test_the_table_leads_a_reader_through_it(played: Played) -> None:
    """A line a step, in the order in which things happened."""
    rows = [row.what for row in played.story.rows]
    steps = ["trained (by hand)", "approved in Airflow"]
    steps += [line for day in played.drifting for line in (f"day {day}", "watchdog")]
    steps += ["trained (asset event)", "approved in Airflow", f"day {played.after}", f"labels of {played.after}"]
    assert rows == steps
