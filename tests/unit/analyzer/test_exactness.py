"""Equality with real output of AWS's container; skipped where the samples are not."""

import json
import re

import pytest
from monitor_analyzer import checks, constraints, statistics
from monitor_analyzer.dataset import DatasetFormat, profile_dataset


@pytest.fixture
def training(shared_data):
    return profile_dataset(shared_data / "model_monitor_2333" / "training-dataset-with-header.csv", DatasetFormat())


@pytest.fixture
def churn(shared_data):
    return profile_dataset(shared_data / "churn" / "train_3500x100_rebuilt.csv", DatasetFormat(header=False))


def test_statistics_equal_the_real_ones_to_the_last_bit(training, shared_data):
    """Counts, moments, buckets of 33 features and 29 sketches equal the container's with ==."""
    real = json.loads((shared_data / "model_monitor_2333" / "statistics_partial.json").read_text())
    ours = {feature["name"]: feature for feature in statistics.document(training)["features"]}
    sketches = 0
    assert len(real["features"]) == 33
    for feature in real["features"]:
        expected, found = feature["numerical_statistics"], ours[feature["name"]]["numerical_statistics"]
        assert ours[feature["name"]]["inferred_type"] == feature["inferred_type"]
        for key in ("common", "mean", "sum", "std_dev", "min", "max"):
            assert found[key] == expected[key], (feature["name"], key)
        kll, our_kll = expected["distribution"]["kll"], found["distribution"]["kll"]
        assert our_kll["buckets"] == kll["buckets"], feature["name"]
        if kll["sketch"]["data"] is not None:
            assert our_kll["sketch"] == kll["sketch"], feature["name"]
            sketches += 1
    assert sketches == 29


def test_constraints_equal_the_real_ones(training, shared_data):
    """All 70 suggested constraints equal the container's; newer containers add two settings for categories."""
    real = json.loads((shared_data / "model_monitor_2333" / "constraints.json").read_text())
    ours = constraints.suggest(training)
    assert ours["version"] == real["version"]
    assert ours["features"] == real["features"]
    settings = ours["monitoring_config"]
    for name in ("categorical_comparison_threshold", "categorical_drift_method"):
        settings["distribution_constraints"].pop(name)
    assert settings == real["monitoring_config"]


def test_churn_rows_equal_the_ten_known_ones(churn, shared_data):
    """The ten rows of a real baseline that are known to six decimals."""
    rows = json.loads((shared_data / "churn" / "expected_statistics_rows.json").read_text())
    limits = json.loads((shared_data / "churn" / "expected_constraints_rows.json").read_text())
    ours = {feature["name"]: feature for feature in statistics.document(churn)["features"]}
    suggested = {feature["name"]: feature for feature in constraints.suggest(churn)["features"]}
    assert len(rows) == len(limits) == 10
    for row in rows:
        found = ours[row["name"]]
        numbers = found["numerical_statistics"]
        assert found["inferred_type"] == row["inferred_type"]
        for key in ("mean", "sum", "std_dev", "min", "max"):
            assert f"{numbers[key]:.6f}" == row[f"numerical_statistics.{key}"], (row["name"], key)
        for key in ("num_present", "num_missing"):
            assert str(numbers["common"][key]) == row[f"numerical_statistics.common.{key}"]
        # The file was rebuilt from the public data: some of its floats differ from the original's in the last digit.
        levels = numbers["distribution"]["kll"]["sketch"]["data"]
        shown = row["numerical_statistics.distribution.kll.sketch.data"].removesuffix("...").strip("[]")
        known = [float(text) for text in shown.split(", ")[:-1]]
        assert len(known) >= 2
        assert levels[0][: len(known)] == pytest.approx(known, rel=1e-15)
        shown = row["numerical_statistics.distribution.kll.buckets"]
        bounds = re.findall(r"'lower_bound': ([^,]+), 'upper_bound': ([0-9.]+),", shown)
        for low, high in bounds:
            assert numbers["distribution"]["kll"]["buckets"][0] | {"count": 0} == {
                "lower_bound": pytest.approx(float(low), rel=1e-15),
                "upper_bound": pytest.approx(float(high), rel=1e-15),
                "count": 0,
            }
    for row in limits:
        found = suggested[row["name"]]
        assert (found["inferred_type"], str(found["completeness"])) == (row["inferred_type"], row["completeness"])
        assert str(found["num_constraints"]["is_non_negative"]) == row["num_constraints.is_non_negative"]


@pytest.mark.parametrize(("name", "known"), [("churn-prediction-input-missing", 4), ("churn-prediction-input", 0)])
def test_churn_violations_are_exactly_the_known_ones(churn, shared_data, name, known):
    """The file with missing values has its four known violations, the other none."""
    baseline = statistics.parse(statistics.document(churn), "statistics.json")
    limits = constraints.parse(constraints.suggest(churn), "constraints.json")
    today = profile_dataset(shared_data / "churn" / f"{name}.csv", DatasetFormat(header=False))
    found = [violation.document() for violation in checks.violations(today, limits, baseline)]
    assert len(found) == known
    if known:
        real = json.loads((shared_data / "churn" / "expected_constraint_violations.json").read_text())["violations"]
        assert {tuple(item.items()) for item in found} == {tuple(item.items()) for item in real}
