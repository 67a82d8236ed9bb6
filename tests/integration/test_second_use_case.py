"""A use case that shares nothing with churn: a regression, other columns, our own analyzer, which also judges."""

import csv
import io
import json
import re
from datetime import date

import pytest

from local import energy
from local.cloud import Cloud
from sagemaker_batch import names, registry

PUBLISHED = {"publish_predictions": "success", "hold_predictions": "skipped"}
HELD = {"publish_predictions": "skipped", "hold_predictions": "success"}


@pytest.fixture(scope="module")
def cloud(house):
    """The local AWS as the second use case sees it, with its training data."""
    found = Cloud(house.house.aws.url, energy.USE_CASE)
    house.api.wait_for_dags([names.train_dag(energy.USE_CASE), names.batch_dag(energy.USE_CASE)])
    file = house.folder / "energy.csv"
    energy.write_training(file, 7)
    found.put_training(file)
    return found


@pytest.fixture(scope="module")
def asked(house, cloud):
    """The first version, which has none to be better than: its rule asks a person, who says yes."""
    dag = names.train_dag(energy.USE_CASE)
    run_id = house.trigger_dag(dag)
    question = house.question(dag, run_id)
    body = house.api.request("GET", question)["body"]
    house.answer(question, "Approve", "the first")
    assert house.finish(run_id, dag)["state"] == "success"
    return body


@pytest.fixture
def score(house, cloud, asked):
    """Put a day of a kind, run its DAG, and return the run, the verdict record and the rows given."""

    def run(kind):
        day = house.new_day()
        file = house.folder / f"energy-{day}.csv"
        rows = energy.write_day(file, kind, day, 7)
        cloud.put_day(day, file)
        house.put_text(day, "", "_SUCCESS", energy.USE_CASE)
        dag = names.batch_dag(energy.USE_CASE)
        run = house.finish(house.trigger(day, energy.USE_CASE), dag)
        assert run["state"] == "success"
        return house.states(run), cloud.verdicts(day)[-1], cloud.manifest(day), rows

    return run


def test_a_regression_is_reviewed_by_its_own_metric(cloud, asked):
    """The reviewer is shown r2, and evaluation.json holds the metrics of a regression only."""
    assert "| r2 |" in asked
    assert "| accuracy |" not in asked
    version = registry.latest_approved(cloud.sagemaker, cloud.group)
    found = cloud.read_uri(version.evaluation_uri)
    assert "binary_classification_metrics" not in found
    assert found["regression_metrics"]["r2"]["value"] > 0.9
    bucket, key = names.split_s3_uri(version.feature_schema_uri)
    schema = json.loads(cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert schema["problem"] == "regression"
    assert [item["name"] for item in schema["features"] if item["kind"] == "categorical"] == ["usage_code", "weekday"]


def test_a_clean_day_is_published_with_a_number_for_each_building_and_judged_when_the_meters_are_read(
    house, score, cloud
):
    """The predictions are kilowatt-hours under the buildings' own ids, one for each row that came.

    The meters' files call the building otherwise; our own analyzer judges the regression by its own metrics.
    """
    states, verdict, manifest, rows = score("clean")
    assert {name: states[name] for name in PUBLISHED} == PUBLISHED
    assert verdict["verdict"] == "clean"
    assert verdict["judged_by"] == "drift_report"
    assert verdict["reasons"] == ["drift_report.json flags no feature."]
    assert verdict["monitored_features"] == 6
    assert manifest["rows_in"] == manifest["rows_out"] == rows
    bucket, key = names.split_s3_uri(manifest["predictions"][0]["uri"])
    text = cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    scores = {row[0]: float(row[1]) for row in csv.reader(io.StringIO(text))}
    assert len(scores) == rows
    assert all(name.startswith("B") for name in scores)
    assert max(scores.values()) > 100
    day, file = date.fromisoformat(manifest["batch_day"]), house.folder / "energy-labels.csv"
    assert energy.write_labels(file, "clean", day, 7) == rows
    cloud.put_labels(day, file)
    dag = names.quality_dag(energy.USE_CASE)
    assert house.finish(house.trigger_dag(dag, {"batch_day": day.isoformat()}), dag)["state"] == "success"
    (record,) = cloud.quality(day)
    assert (record["verdict"], record["judged_by"]) == ("good", ["rmse", "r2"])
    assert record["labels"]["matched"] == rows
    assert record["metrics"]["r2"]["value"] > 0.9
    assert record["metrics"]["rmse"]["bound"] > record["metrics"]["rmse"]["baseline"]


def test_a_warm_day_is_published_with_a_warning(score):
    """Drift stays below the use case's critical share; the verdict says which report found it, and what it measured."""
    states, verdict, manifest, _ = score("drifted")
    assert {name: states[name] for name in PUBLISHED} == PUBLISHED
    assert states["alert_warning"] == "success"
    assert verdict["verdict"] == "warned"
    assert verdict["judged_by"] == "drift_report"
    assert "2 of 6 monitored features (33.3%) are flagged by drift_report.json; below 50%." in verdict["reasons"]
    said = {item["feature"]: item["description"] for item in verdict["violations"]}
    assert list(said) == verdict["violated_features"] == ["kwh_today", "outside_temperature"]
    assert re.match(r"drift_report\.json: distance 0\.\d+ \(p-value \S+\) exceeds 0\.05", said["outside_temperature"])
    assert manifest["verdict"] == "warned"


def test_a_day_without_a_column_is_held(score):
    """A broken schema is a held day with the bundled engine too, although its execution ends Failed."""
    states, verdict, manifest, _ = score("missing-column")
    assert {name: states[name] for name in HELD} == HELD
    assert states["alert_critical"] == "success"
    assert verdict["verdict"] == "held"
    assert verdict["execution"]["status"] == "Failed"
    assert verdict["reasons"][0].startswith("Broken schema: Missing columns")
    assert manifest is None
