"""Labels arrive for days that were published: the model is judged, a record is left, and who must hear of it does."""

import random
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from local import data
from sagemaker_batch import names
from tests.integration.conftest import SEED, USE_CASE, Laptop
from tests.integration.played import Played

pytestmark = pytest.mark.timeout(600)
DAG = names.quality_dag(USE_CASE)
STRANGER = {data.RECORD_ID: "none of ours", data.LABEL: "True."}


@dataclass(frozen=True)
class Judged:
    """Two days with labels: those of one are true, of the other a third is turned round; and a backfill of two more."""

    good: date
    bad: date
    runs: list[dict[str, Any]]
    backfilled: list[date]


@pytest.fixture(scope="module")
def judged(house: Laptop, played: Played) -> Judged:
    """Judge both days beside each other, by hand: they lie too far back for a scheduled run to look."""
    good, bad = played.backfilled["clean"].day, played.by_hand["clean"].day
    house.put_labels(good, "clean")
    rows = data.labels(SEED, "clean", bad)
    for row in random.Random(SEED).sample(rows, len(rows) // 3):  # noqa: S311 - made-up labels
        row[data.LABEL] = "False." if row[data.LABEL] == "True." else "True."
    turned = [{**rows[0], data.LABEL: "True."}, {**rows[0], data.LABEL: "False."}]
    file = house.folder / "labels" / "spoilt.csv"
    data.write(file, [data.RECORD_ID, data.LABEL], [*rows[1:500], rows[1], *turned, STRANGER])
    house.cloud.put_labels(bad, file)
    # One was held, and the next one published with a warning.
    days = [played.backfilled[kind].day for kind in ("drifted", "nulls")]
    house.put_labels(days[1], "nulls")
    house.api.unpause(DAG)
    number = house.api.backfill(DAG, days[0], days[1], max_active_runs=1, reprocess_behavior="none")
    started = [house.trigger_dag(DAG, {"batch_day": day.isoformat()}) for day in (good, bad)]
    runs = [house.finish(run_id, DAG, 300) for run_id in started]
    house.wait(lambda: house.api.backfill_done(number), "the backfill of model quality", 300)
    return Judged(good, bad, runs, days)


def test_labels_judge_the_version_that_made_the_predictions(house: Laptop, judged: Judged) -> None:
    """By SageMaker's own check, against the baseline that was registered with the version."""
    assert [run["state"] for run in judged.runs] == ["success", "success"]
    (good,), (bad,) = house.cloud.quality(judged.good), house.cloud.quality(judged.bad)
    assert (good["verdict"], bad["verdict"]) == ("good", "dropped")
    package = house.cloud.sagemaker.describe_model_package(ModelPackageName=good["model_package_arn"])
    source = package["DriftCheckBaselines"]["ModelQuality"]["Statistics"]["S3Uri"]
    baseline = house.cloud.read_uri(source)["binary_classification_metrics"]
    for name in ("accuracy", "auc", "f1"):
        assert good["metrics"][name]["baseline"] == baseline[name]["value"]
        assert bad["metrics"][name]["value"] < bad["metrics"][name]["bound"] < baseline[name]["value"]
        assert good["metrics"][name]["value"] >= good["metrics"][name]["bound"]
    # Both implementations say the same of the day.
    today = house.cloud.read_uri(good["reports"]["statistics"])["binary_classification_metrics"]
    for name in ("accuracy", "auc", "f1", "precision", "recall"):
        assert good["metrics"][name]["value"] == pytest.approx(today[name]["value"], abs=1e-9)
    manifest = house.cloud.manifest(judged.good)
    assert manifest is not None
    assert good["labels"]["matched"] == good["labels"]["predictions"] == manifest["rows_out"]


def test_labels_that_cannot_be_used_are_counted(house: Laptop, judged: Judged) -> None:
    """One repeated, one contradictory, one of a stranger, and all that never came."""
    labels = house.cloud.quality(judged.bad)[0]["labels"]
    assert (labels["duplicates"], labels["contradictory"], labels["unknown_ids"]) == (1, 1, 1)
    assert labels["matched"] == 499
    assert labels["missing"] == labels["predictions"] - 499


def test_a_drop_is_told_with_figures_and_the_way_on(house: Laptop, judged: Judged) -> None:
    """And only the drop: nobody hears of a day that is as good as it should be."""

    def told(day: date) -> list[Any]:
        return [alert for alert in house.alerts(day) if alert.attributes.get("event") == "quality_dropped"]

    house.wait(lambda: bool(told(judged.bad)), "the alert", 30)
    (alert,) = told(judged.bad)
    assert alert.subject == f"[critical] churn {judged.bad}: model quality has dropped"
    assert "runbook.md#quality_dropped" in alert.text
    assert "accuracy: 0." in alert.text
    assert told(judged.good) == []


def test_a_backfill_is_told_in_one_digest(house: Laptop, judged: Judged) -> None:
    """It pages nobody: one message, beside that of the daily DAG, says how good each day was or why it was left out."""

    def told() -> list[Any]:
        found = {alert.id: alert for day in judged.backfilled for alert in house.alerts(day)}
        return [alert for alert in found.values() if alert.attributes["dag_id"] == DAG]

    house.wait(lambda: bool(told()), "the digest", 30)
    (digest,) = told()
    assert digest.subject == "[digest] churn: backfill of 2 day(s) of model quality: 1 good, 1 left out"
    held, judged_day = judged.backfilled
    assert f"{held}: left out, not judged" in digest.text
    assert f"{judged_day}: good, model version 1, " in digest.text
    assert " predictions have a usable label, " in digest.text
    assert ", accuracy 0." in digest.text
    days = {str(run["data_interval_start"])[:10]: run for run in house.api.runs(DAG) if run["run_type"] == "backfill"}
    for day in judged.backfilled:
        assert house.states(days[day.isoformat()])["close_run"] == "success"


def test_the_page_shows_the_history(house: Laptop, judged: Judged) -> None:
    """Both days stand on the use case's page."""
    answer = house.api.client.get(f"{house.api.url}/sagemaker-batch/use-cases/{USE_CASE}")
    assert answer.status_code == 200
    assert "Model quality" in answer.text
    for day in (judged.good, judged.bad):
        assert f"/use-cases/{USE_CASE}/quality/{day}/" in answer.text
