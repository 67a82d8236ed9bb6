"""A regression through the scripts: what is checked of its label, and its metrics."""

import json
import math
import sys

import pytest

from local import energy
from tests.unit.scripts.made import CONTRACTS, SCRIPTS

np = pytest.importorskip("numpy")
ENERGY = [
    "--use-case", "energy_use", "--record-id", "building_id", "--label", energy.LABEL, "--problem", "regression",
    "--delimiter=;", "--ignore=remark", "--categorical=usage_code",
]  # fmt: skip


def test_numbers_are_learned_as_they_stand(script, tmp_path):
    """The label goes into the model's input as the number it is; ignored text is nowhere."""
    jsonschema = pytest.importorskip("jsonschema")
    energy.write_training(tmp_path / "in" / "rows.csv", 7)
    job = script("prepare.py", "--input", tmp_path / "in", *ENERGY)
    assert job.code == 0, job.message
    schema = job.json("schema/feature_schema.json")
    contract = json.loads((CONTRACTS / "feature_schema.schema.json").read_text())
    jsonschema.Draft202012Validator(contract).validate(schema)
    assert schema["problem"] == "regression"
    assert schema["label"] == {"name": energy.LABEL, "positive": None}
    assert "remark" not in job.rows("monitored/monitored.csv")[0]
    labels = [float(row[0]) for row in job.rows("train/train.csv")]
    assert len(set(labels)) > 500
    assert sum(schema["rows"][part] for part in ("train", "validation", "test")) == schema["rows"]["total"]


@pytest.mark.parametrize(("cell", "said"), [("", "is empty"), ("much", "is no number")])
def test_a_label_that_is_no_number_is_told_with_its_line(script, tmp_path, cell, said):
    """File and line are named, and the text itself is not, for it may be sensitive."""
    folder = tmp_path / "in"
    folder.mkdir()
    header = ";".join((*energy.COLUMNS, energy.LABEL))
    (folder / "a.csv").write_text(f"{header}\nB1;101;300;0.5;3.0;40.1;mon;;{cell}\n")
    job = script("prepare.py", "--input", folder, *ENERGY)
    assert job.code == 1
    assert "a.csv, line 2" in job.message
    assert said in job.message
    assert "much" not in job.message


@pytest.fixture
def metrics(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from tabular import metrics as module

    yield module
    for name in [name for name in sys.modules if name.split(".")[0] == "tabular"]:
        del sys.modules[name]


def test_r2_is_0_for_the_mean_and_1_for_the_truth(metrics):
    """The metrics have their textbook values, and what is undefined is null."""
    labels = np.array([1.0, 2.0, 3.0, 6.0])
    assert metrics.regression_metrics(labels, labels)["r2"] == 1
    of_the_mean = metrics.regression_metrics(labels, np.full(4, 3.0))
    assert of_the_mean == pytest.approx({"mae": 1.5, "mse": 3.5, "rmse": math.sqrt(3.5), "r2": 0.0})
    assert metrics.regression_report(np.ones(3), np.zeros(3))["r2"]["value"] is None
