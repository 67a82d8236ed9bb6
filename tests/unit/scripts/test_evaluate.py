import csv
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from local import data
from tests.unit.scripts.made import CONTRACTS, ROOT, SCRIPTS

np = pytest.importorskip("numpy")
pytest.importorskip("xgboost")

CHURN = [
    "--use-case",
    "churn",
    "--record-id",
    "Phone",
    "--label",
    "Churn?",
    "--positive",
    "True.",
    "--categorical=Area Code",
]
# As the built-in algorithm trains with dags/use_cases/churn.yaml.
TRAIN = """
import sys, tarfile
import numpy as np, xgboost
folder, model = sys.argv[1:]
def load(part):
    table = np.loadtxt(f"{folder}/{part}/{part}.csv", delimiter=",", dtype=np.float32)
    return xgboost.DMatrix(table[:, 1:], label=table[:, 0])
settings = dict(objective="binary:logistic", max_depth=4, eta=0.2, subsample=0.8, eval_metric="auc", seed=0)
evals = [(load("validation"), "validation")]
booster = xgboost.train(settings, load("train"), 100, evals=evals, early_stopping_rounds=15, verbose_eval=False)
booster.save_model(f"{model}/m.json")
with tarfile.open(f"{model}/model.tar.gz", "w:gz") as archive:
    archive.add(f"{model}/m.json", "xgboost-model")
"""


def train(prepared, model):
    model.mkdir()
    subprocess.run([sys.executable, "-c", TRAIN, str(prepared.output), str(model)], check=True)


def evaluate(script, prepared, model):
    out = prepared.output
    job = script("evaluate.py", "--model", model, "--test", out / "test", "--schema", out / "schema")
    assert job.code == 0, job.message
    return job


def metrics_of(job):
    found = job.json("evaluation.json")
    jsonschema = pytest.importorskip("jsonschema")
    contract = json.loads((CONTRACTS / "evaluation.schema.json").read_text())
    jsonschema.Draft202012Validator(contract).validate(found)
    return found["binary_classification_metrics"]


@pytest.fixture(params=[7, 8])
def customers(request, script, tmp_path):
    data.write_training(tmp_path / "in" / "customers.csv", request.param)
    job = script("prepare.py", "--input", tmp_path / "in", *CHURN)
    assert job.code == 0, job.message
    return job


def test_the_made_up_signal_beats_the_majority_by_ten_points(script, customers, tmp_path):
    """A model of the demo's data is worth registering, whatever the seed."""
    train(customers, tmp_path / "model")
    job = evaluate(script, customers, tmp_path / "model")
    metrics = metrics_of(job)
    assert metrics["accuracy"]["value"] >= metrics["accuracy_best_constant_classifier"]["value"] + 0.10
    assert metrics["auc"]["value"] > 0.8
    assert 0 < metrics["accuracy"]["standard_deviation"] < 0.05

    rows = job.rows("predictions.csv")
    assert rows[0] == ["prediction", "probability", "label"]
    assert len(rows) - 1 == job.json("evaluation.json")["dataset"]["item_count"]
    for prediction, probability, label in rows[1:]:
        assert prediction == str(int(float(probability) >= 0.5))
        assert label in {"0", "1"}
    right = sum(prediction == label for prediction, _, label in rows[1:])
    assert metrics["accuracy"]["value"] == pytest.approx(right / (len(rows) - 1))

    importance = job.json("feature_importance.json")["features"]
    assert list(importance) == [column for column in data.COLUMNS if column not in {"Phone", data.LABEL}]
    assert sum(importance.values()) == pytest.approx(1)
    assert max(importance, key=importance.get) in {"CustServ Calls", "Int'l Plan", "Day Mins", "Day Charge"}


def test_shuffled_labels_teach_nothing(script, tmp_path):
    """A model of noise stays below the use case's threshold, so that the pipeline ends in its Fail step."""
    columns, rows = data.training(7)
    labels = [row[data.LABEL] for row in rows]
    for row, label in zip(rows, labels[::-1], strict=True):
        row[data.LABEL] = label
    data.write(tmp_path / "in" / "customers.csv", columns, rows)
    prepared = script("prepare.py", "--input", tmp_path / "in", *CHURN)
    train(prepared, tmp_path / "model")
    assert metrics_of(evaluate(script, prepared, tmp_path / "model"))["accuracy"]["value"] < 0.6


def test_the_real_file_trains(script, tmp_path):
    """The carrier's real file goes the same way, with ids from the row number."""
    shared = Path(os.environ.get("BATCH_SHARED", ROOT.parent / "shared")) / "data" / "churn" / "churn.csv"
    if not shared.exists():
        pytest.skip("the shared data are not here")
    with shared.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        row["Phone"] = f"row-{number}"
    data.write(tmp_path / "in" / "churn.csv", data.COLUMNS, rows)
    prepared = script("prepare.py", "--input", tmp_path / "in", *CHURN)
    assert prepared.code == 0, prepared.message
    train(prepared, tmp_path / "model")
    metrics = metrics_of(evaluate(script, prepared, tmp_path / "model"))
    assert metrics["accuracy"]["value"] > metrics["accuracy_best_constant_classifier"]["value"] + 0.10


@pytest.mark.parametrize("content", [b"", b"not a tar", None])
def test_a_damaged_model_is_one_clear_message(script, prepared, tmp_path, content):
    """A model that cannot be read is told, and nothing of the archive is unpacked."""
    model = tmp_path / "model"
    model.mkdir()
    archive = model / "model.tar.gz"
    if content is None:
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(SCRIPTS / "evaluate.py", "../../evil")
    else:
        archive.write_bytes(content)
    out = prepared.output
    job = script("evaluate.py", "--model", model, "--test", out / "test", "--schema", out / "schema")
    assert job.code == 1
    assert "cannot be read" in job.message or "holds no xgboost-model" in job.message


@pytest.fixture
def metrics(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from tabular import metrics as module

    return module


def test_auc_is_the_share_of_pairs_in_the_right_order(metrics):
    """AUC on probabilities, ties counted as half, agrees with counting pairs."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 300)
    probabilities = np.round(random.random(300), 1)
    pairs = [(p > n) + (p == n) / 2 for p in probabilities[labels == 1] for n in probabilities[labels == 0]]
    assert metrics.auc(labels, probabilities) == pytest.approx(sum(pairs) / len(pairs))


def test_one_class_has_no_auc(metrics):
    """What is undefined is null, never a made-up number."""
    found = metrics.report(np.array([1, 1, 1]), np.array([0.2, 0.6, 0.9]))
    assert found["auc"] == {"value": None, "standard_deviation": None}
    assert found["confusion_matrix"] == {"0": {"0": 0, "1": 0}, "1": {"0": 1, "1": 2}}
    json.dumps(found, allow_nan=False)
