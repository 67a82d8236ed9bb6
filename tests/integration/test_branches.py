"""Every branch of the daily DAG in a real Airflow: a backfill, runs by hand, what is repeated and what is not."""

import re
from collections.abc import Iterable
from typing import Any

import pytest

from local import batches
from local.alertbox import Alert
from local.rest import FINAL_STATES
from sagemaker_batch import names
from tests.integration.conftest import USE_CASE, Laptop
from tests.integration.played import KINDS, Played

pytestmark = pytest.mark.timeout(900)
BRANCH = ("publish_predictions", "alert_warning", "hold_predictions", "alert_critical")
TAKEN = {
    "clean": {"publish_predictions"},
    "nulls": {"publish_predictions", "alert_warning"},
    "drifted": {"hold_predictions", "alert_critical"},
    "missing-column": {"hold_predictions", "alert_critical"},
}
PUBLISHED = ("clean", "nulls")
CHAIN = (
    "wait_for_batch",
    "resolve_model",
    "start_batch_monitor",
    "wait_for_batch_monitor",
    "assess_batch",
    "branch_on_violations",
    "write_report",
    "close_run",
)


RUNS = [("backfill", kind) for kind in TAKEN] + [("manual", "clean"), ("manual", "drifted")]


@pytest.mark.parametrize(("asked", "kind"), RUNS)
def test_a_verdict_takes_its_branch_and_skips_the_others(played: Played, asked: str, kind: str) -> None:
    """Publish and hold follow from the verdict alone, each with its alert beside it; the rest is skipped."""
    ended = played.all[asked, kind]
    assert ended.run["run_type"] == asked
    assert ended.run["state"] == "success"
    assert {task: ended.states[task] for task in CHAIN} == dict.fromkeys(CHAIN, "success")
    expected = {task: "success" if task in TAKEN[kind] else "skipped" for task in BRANCH}
    assert {task: ended.states[task] for task in BRANCH} == expected


@pytest.mark.parametrize(("asked", "kind"), RUNS)
def test_consumers_see_what_may_be_seen(house: Laptop, played: Played, asked: str, kind: str) -> None:
    """Published days have a manifest with one prediction a record and its id; held ones have none."""
    ended = played.all[asked, kind]
    found = house.cloud.manifest(ended.day)
    if kind not in PUBLISHED:
        assert found is None
        return
    assert found is not None
    assert found["published_by"]["run_id"] == ended.run["dag_run_id"]
    assert found["model_package_arn"] == house.approved.arn
    lines = predictions(house, found)
    assert len(lines) == found["rows_in"] == found["rows_out"] == house.rows[ended.day]
    assert all(0.0 <= float(score) <= 1.0 for _, score in lines)
    assert len({record_id for record_id, _ in lines}) == len(lines)


def predictions(house: Laptop, manifest: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for uri in batches.prediction_uris(manifest):
        bucket, key = names.split_s3_uri(uri)
        text = house.cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        found += [(line.split(",")[0], line.split(",")[1]) for line in text.splitlines()]
    return found


@pytest.mark.parametrize(("asked", "kind"), RUNS)
def test_only_publishing_emits_the_asset(house: Laptop, played: Played, asked: str, kind: str) -> None:
    """The asset's event names day, manifest and model version, so that others can start from it."""
    ended = played.all[asked, kind]
    events = [
        event
        for event in house.api.pages("/assets/events", "asset_events", {"source_dag_id": house.batch_dag})
        if event["source_run_id"] == ended.run["dag_run_id"]
    ]
    if kind not in PUBLISHED:
        assert events == []
        return
    (event,) = events
    assert event["source_task_id"] == "publish_predictions"
    assert event["extra"]["batch_day"] == ended.day.isoformat()
    assert event["extra"]["model_package_version"] == house.approved.version
    bucket, key = names.split_s3_uri(event["extra"]["manifest_uri"])
    assert (bucket, key) == (house.cloud.bucket, names.manifest_key(USE_CASE, ended.day))


def test_a_backfilled_day_without_input_fails_at_once(house: Laptop, played: Played) -> None:
    """A backfill never waits for files: the day fails, and its siblings are not disturbed."""
    ended = played.backfilled[None]
    assert ended.run["state"] == "failed"
    assert ended.states["wait_for_batch"] == "failed"
    assert ended.states["publish_predictions"] == "upstream_failed"
    assert ended.states["close_run"] == "success"
    assert house.cloud.manifest(ended.day) is None
    assert "there is no object below" in house.log(ended.run, "wait_for_batch")


def test_a_backfill_is_told_in_one_digest(house: Laptop, played: Played) -> None:
    """Backfilled days page nobody: one message names each of them with its verdict, also the one that failed."""
    days = [ended.day for ended in played.backfilled.values()]
    found = {alert.id: alert for day in days for alert in house.alerts(day)}
    told = {key: alert for key, alert in found.items() if alert.attributes["dag_id"] == house.batch_dag}
    assert [alert.is_digest for alert in told.values()] == [True], [alert.subject for alert in told.values()]
    (digest,) = told.values()
    verdicts = dict(zip(KINDS, ("clean", "held", "warned", "held", "failed"), strict=True))
    for kind, ended in played.backfilled.items():
        assert f"{ended.day}: {verdicts[kind]}" in digest.text
    assert not any(ended.day.isoformat() in digest.text for ended in played.by_hand.values())


def test_a_day_run_by_hand_is_told_at_once(house: Laptop, played: Played) -> None:
    """A held day sends one alert with the features, their figures and the links; a clean one sends none."""
    assert house.alerts(played.by_hand["clean"].day) == []
    (alert,) = house.alerts(played.by_hand["drifted"].day)
    assert not alert.is_digest
    assert alert.attributes["severity"] == "critical"
    assert alert.attributes["verdict"] == "held"
    assert "Day Mins" in alert.text
    assert "mean" in alert.text
    assert re.search(r"\b_c\d", alert.text) is None  # a feature under its own name, not as the position of a column
    assert house.api.url in alert.text


def test_an_alert_is_not_sent_twice(house: Laptop, played: Played) -> None:
    """Clearing an alert task that has done its work sends nothing again."""
    ended = played.by_hand["drifted"]
    before = ids(house.alerts(ended.day))
    run = repeat(house, ended.run, ["alert_critical"])
    assert house.states(run)["alert_critical"] == "success"
    assert ids(house.alerts(ended.day)) == before


def test_a_start_that_is_cleared_starts_anew_and_replaces_the_manifest(house: Laptop, played: Played) -> None:
    """A second run of a published day is another execution; its manifest is the day's, the former is kept."""
    ended = played.by_hand["clean"]
    former = house.cloud.manifest(ended.day)
    assert former is not None
    run = repeat(house, ended.run, ["start_batch_monitor"], downstream=True)
    assert run["state"] == "success"
    now = house.cloud.manifest(ended.day)
    assert now is not None
    assert now["execution_arn"] != former["execution_arn"]
    kept = house.cloud.read_json(names.history_key(USE_CASE, ended.day, names.execution_id(former["execution_arn"])))
    assert kept == former
    assert sorted(predictions(house, now)) == sorted(predictions(house, former))
    assert house.alerts(ended.day) == []


def test_a_held_rerun_leaves_what_is_published(house: Laptop, played: Played) -> None:
    """When a published day is run again on bad data, consumers keep what they had."""
    ended = played.backfilled["nulls"]
    former = house.cloud.manifest(ended.day)
    house.put(ended.day, "drifted")
    run = house.finish(house.trigger(ended.day))
    assert house.states(run)["hold_predictions"] == "success"
    assert house.cloud.manifest(ended.day) == former
    told = house.api.xcom(house.batch_dag, run["dag_run_id"], "hold_predictions")
    assert names.manifest_key(USE_CASE, ended.day) in str(told)


def ids(alerts: Iterable[Alert]) -> list[str]:
    return sorted(alert.id for alert in alerts)


def repeat(house: Laptop, run: dict[str, Any], tasks: list[str], *, downstream: bool = False) -> dict[str, Any]:
    """Clear tasks as a person does in the UI, and wait for the run's end."""
    body = {
        "dry_run": False,
        "dag_run_id": run["dag_run_id"],
        "task_ids": tasks,
        "only_failed": False,
        "include_downstream": downstream,
        "reset_dag_runs": True,
    }
    before = {task["task_id"]: task["try_number"] for task in house.api.tasks(house.batch_dag, run["dag_run_id"])}
    house.api.request("POST", f"/dags/{house.batch_dag}/clearTaskInstances", json=body)

    def done() -> bool:
        now = {task["task_id"]: task["try_number"] for task in house.api.tasks(house.batch_dag, run["dag_run_id"])}
        ended = house.api.run(house.batch_dag, run["dag_run_id"])["state"] in FINAL_STATES
        return ended and all(now[task] > before[task] for task in tasks)

    house.wait(done, f"the cleared tasks {', '.join(tasks)} to run again")
    return house.api.run(house.batch_dag, run["dag_run_id"])
