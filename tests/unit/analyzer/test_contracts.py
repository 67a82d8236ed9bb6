# ruff: noqa: S311 - seeded data, nothing secret
"""What is written satisfies docs/contracts; AWS's own reader takes it; sensitive columns show no value."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).resolve().parents[3]
CONTRACTS = ROOT / "docs" / "contracts"


def valid(name, document):
    schema = json.loads((CONTRACTS / f"{name.removesuffix('.json')}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)


def table(seed, shift=0.0, states=("NY", "OH")):
    generator = random.Random(seed)
    rows = [["income", "age", "state", "name", "flag", "empty"]]
    for index in range(400):
        income = generator.gauss(54321.25 + shift, 1000)
        name = f"person{seed}-{index}"
        rows.append([income, index % 60, generator.choice(states), name, "true", ""])
    return rows


@pytest.fixture
def results(opt_ml, write_csv):
    root, run = opt_ml
    run(dataset_source=write_csv(table(1), "a.csv"), output_path=root / "baseline")
    code, message, found = run(
        dataset_source=write_csv(table(2, 1500.0, ("NY", "Atlantis")), "b.csv"),
        baseline_statistics=root / "baseline" / "statistics.json",
        baseline_constraints=root / "baseline" / "constraints.json",
        sensitive_features='["income", "state"]',
    )
    assert code == 0, message
    return found


def test_every_data_quality_file_satisfies_its_schema(results):
    """All four files of a monitoring run hold to their contracts."""
    assert len(results) == 4
    for name, document in results.items():
        valid(name, document)


def test_every_model_quality_file_satisfies_its_schema(opt_ml, write_csv):
    """The same holds for model quality, with its violations."""
    root, run = opt_ml
    environment = {
        "analysis_type": "MODEL_QUALITY",
        "problem_type": "BinaryClassification",
        "probability_attribute": "p",
        "ground_truth_attribute": "y",
    }
    good = [["p", "y"], *[[0.9, 1], [0.1, 0]] * 150]
    bad = [["p", "y"], *[[0.9, 0], [0.1, 1]] * 150]
    run(dataset_source=write_csv(good), output_path=root / "baseline", **environment)
    limits = root / "baseline" / "constraints.json"
    _, _, found = run(dataset_source=write_csv(bad), baseline_constraints=limits, **environment)
    assert found["constraint_violations.json"]["violations"]
    for name, document in found.items():
        valid(name, document)


def test_real_files_of_the_container_satisfy_the_constraints_schema(shared_data):
    """The contract is AWS's: a real constraints.json passes."""
    valid("constraints.json", json.loads((shared_data / "model_monitor_2333" / "constraints.json").read_text()))


def test_the_drift_report_names_features_and_shows_both_sides(results):
    """A shifted number and a new category are plain to see, under real names."""
    report = results["drift_report.json"]
    features = {item["name"]: item for item in report["features"]}
    assert list(features) == ["income", "age", "state", "name", "flag", "empty"]
    assert features["income"]["ks"]["distance"] > 0.4
    assert features["income"]["ks"]["p_value"] < 1e-6
    assert features["income"]["psi"] > 0.25
    assert features["age"]["ks"] == {"distance": 0.0, "p_value": 1.0}
    assert features["age"]["histogram"]["baseline"] == features["age"]["histogram"]["today"]
    assert sum(features["age"]["histogram"]["today"]) == 400
    assert 0.4 < features["state"]["out_of_range_share"] < 0.6
    assert (features["state"]["new_category_count"], features["state"]["vanished_category_count"]) == (1, 1)
    assert features["flag"]["l_infinity"] == 0.0
    assert features["empty"]["null_share"] == {"baseline": 1.0, "today": 1.0}


def test_sensitive_features_show_no_value(results):
    """Neither a number nor a category of a sensitive feature stands in the report or the violations."""
    features = {item["name"]: item for item in results["drift_report.json"]["features"]}
    for name in ("income", "state"):
        assert features[name]["sensitive"] is True
        assert not {"range", "mean", "std_dev", "histogram", "new_categories", "vanished_categories"} & set(
            features[name]
        )
    text = json.dumps(results["drift_report.json"]) + json.dumps(results["constraint_violations.json"])
    assert "Atlantis" not in text
    assert "5432" not in text
    assert "person2" not in text


def test_aws_s_own_reader_takes_the_files(results, opt_ml):
    """SDK v3's MonitoringExecution, Statistics, Constraints and ConstraintViolations read what we write."""
    python = ROOT / ".venv-authoring" / "bin" / "python"
    if not python.exists():
        pytest.skip("the authoring environment is not here")
    folder = opt_ml[0] / "processing" / "output"
    program = Path(__file__).with_name("sdk_reader.py")
    done = subprocess.run(
        [str(python), str(program), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["statistics"] == results["statistics.json"]
    assert seen["constraint_violations"] == results["constraint_violations.json"]
    assert seen["override"] == {"evaluate_constraints": "Disabled"}
