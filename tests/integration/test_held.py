"""Held days inside a real Airflow: released with a reason, or discarded, by the DAG that a person triggers."""

from datetime import date

import pytest

from local.secretfile import USER
from sagemaker_batch import names
from tests.integration.conftest import USE_CASE, Laptop

pytestmark = pytest.mark.timeout(900)
DAG = names.held_dag(USE_CASE)


@pytest.fixture(scope="module")
def held(house: Laptop) -> list[date]:
    """Two days that drift: they run beside each other."""
    days = house.new_days(2)
    runs = []
    for day in days:
        house.put(day, "drifted")
        runs.append(house.trigger(day))
    for day, run_id in zip(days, runs, strict=True):
        assert house.finish(run_id)["state"] == "success"
        assert house.cloud.manifest(day) is None
    return days


def decide(house: Laptop, day: date, action: str, reason: str) -> dict[str, str]:
    run = house.finish(house.trigger_dag(DAG, {"action": action, "batch_day": str(day), "reason": reason}), DAG)
    assert run["state"] == "success", house.states(run)
    return house.states(run)


def test_a_released_day_is_published_with_who_and_why(house: Laptop, held: list[date]) -> None:
    """Consumers see the held execution's predictions, the asset is emitted, and who heard of the day hears of it."""
    day = held[0]
    states = decide(house, day, "release", "a campaign, and no mistake")
    assert (states["release_predictions"], states["discard_predictions"]) == ("success", "skipped")
    manifest = house.cloud.manifest(day)
    assert manifest["released"]["reason"] == "a campaign, and no mistake"
    assert manifest["released"]["by"].endswith(USER)
    assert manifest["verdict"] == "held"
    assert manifest["rows_out"] == house.rows[day]
    assert "/training/" in manifest["constraints_uri"]
    events = house.api.pages("/assets/events", "asset_events")
    (extra,) = [event["extra"] for event in events if event["source_dag_id"] == DAG]
    assert extra["batch_day"] == str(day)
    house.wait(lambda: any("update" in alert.subject for alert in house.alerts(day)), "the update on the released day")


def test_a_discarded_day_stays_unpublished_for_good(house: Laptop, held: list[date]) -> None:
    """It is noted, and a release afterwards is refused."""
    day = held[1]
    states = decide(house, day, "discard", "twice the same file")
    assert (states["release_predictions"], states["discard_predictions"]) == ("skipped", "success")
    assert house.cloud.manifest(day) is None
    run = house.finish(house.trigger_dag(DAG, {"action": "release", "batch_day": str(day), "reason": "no"}), DAG)
    assert run["state"] == "failed"
    assert "discarded" in house.log(run, "release_predictions")
    assert house.cloud.manifest(day) is None
