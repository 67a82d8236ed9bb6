"""The made-up data against the real scripts and the real analyzer. BATCH_SEEDS=200 looks at that many seeds."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from local import data

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "include" / "pipeline_scripts"
SEEDS = range(int(os.environ.get("BATCH_SEEDS", "3")))
DAY = date(2026, 3, 3)
CRITICAL_SHARE = 0.3
FEATURES = 19

pytestmark = pytest.mark.skipif(
    not (SCRIPTS / "monitor_analyzer" / "__main__.py").exists(), reason="the analyzer is not here"
)


def without(columns, *names):
    return [name for name in columns if name not in names]


def analyze(folder, columns, rows, baseline=None):
    """Run the analyzer as its container and return its documents by name."""
    opt_ml = folder / "ml"
    source, output = opt_ml / "source", opt_ml / "output_files"
    data.write(source / "monitored.csv", columns, rows)
    environment = {
        "dataset_source": str(source),
        "output_path": str(output),
        "dataset_format": json.dumps({"csv": {"header": True, "output_columns_position": "START"}}),
        "publish_cloudwatch_metrics": "Disabled",
    }
    if baseline:
        environment["baseline_statistics"] = str(baseline / "statistics.json")
        environment["baseline_constraints"] = str(baseline / "constraints.json")
    config = opt_ml / "config" / "processingjobconfig.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({"Environment": environment}))
    done = subprocess.run(
        [sys.executable, "-m", "monitor_analyzer", "container", "--opt-ml", str(opt_ml)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module", params=SEEDS)
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("baseline")
    columns, rows = data.training(request.param)
    return request.param, analyze(folder, without(columns, data.LABEL, data.RECORD_ID), rows)


def violations(trained, tmp_path, kind, when=DAY):
    seed, baseline = trained
    columns, rows = data.day(seed, kind, when)
    output = analyze(tmp_path, without(columns, data.RECORD_ID), rows, baseline)
    path = output / "constraint_violations.json"
    found = json.loads(path.read_text())["violations"] if path.exists() else []
    return {(item["feature_name"], item["constraint_check_type"]) for item in found}


def test_a_clean_day_has_no_violation(trained, tmp_path):
    """A clean day is clean to the real analyzer, whatever the seed."""
    assert violations(trained, tmp_path, "clean") == set()
    assert violations(trained, tmp_path / "next", "clean", DAY + timedelta(days=1)) == set()


def test_a_drifted_day_violates_at_least_the_critical_share(trained, tmp_path):
    """A drifted day is critical by the default share of features."""
    found = violations(trained, tmp_path, "drifted")
    assert {kind for _, kind in found} == {"baseline_drift_check"}
    assert len(found) >= CRITICAL_SHARE * FEATURES


def test_a_day_with_nulls_violates_completeness_below_the_critical_share(trained, tmp_path):
    """A day with a few empty cells is a warning, and nothing but completeness is violated."""
    found = violations(trained, tmp_path, "nulls")
    assert found == {(name, "completeness_check") for name in data.NULLS}
    assert len(found) < CRITICAL_SHARE * FEATURES


def test_a_day_without_a_column_is_a_broken_schema(trained, tmp_path):
    """A missing column is named by kind."""
    assert "missing_column_check" in {kind for _, kind in violations(trained, tmp_path, "missing-column")}


def test_training_data_have_the_carriers_columns_and_unique_ids():
    """5,000 customers by 21 attributes, each phone once, two labels."""
    columns, rows = data.training(7)
    assert (len(rows), len(columns)) == (5000, 21)
    assert len({row["Phone"] for row in rows}) == 5000
    assert set(Counter(row["Churn?"] for row in rows)) == {"True.", "False."}


def test_the_columns_are_those_of_the_real_file():
    """Names and order are exactly the real churn file's."""
    shared = Path(os.environ.get("BATCH_SHARED", ROOT.parent / "shared")) / "data" / "churn" / "churn.csv"
    if not shared.exists():
        pytest.skip("the shared data are not here")
    with shared.open(newline="") as stream:
        assert next(csv.reader(stream)) == data.COLUMNS


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(tmp_path):
    """Figures are repeatable, and follow from the seed."""
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        data.write_day(tmp_path / name, "drifted", DAY, seed)
    first, same, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == same
    assert first != other


@pytest.mark.parametrize("kind", data.KINDS)
def test_the_command_line_writes_about_700_rows_without_label(tmp_path, kind):
    """Each kind of day can be made by hand, and no day carries the label."""
    out = tmp_path / "day.csv"
    arguments = ["--kind", kind, "--date", "2026-03-03", "--seed", "7", "--out", str(out)]
    assert data.main(["day", *arguments]) == 0
    with out.open(newline="") as stream:
        header, *rows = list(csv.reader(stream))
    assert data.main(["labels", *arguments]) == 0
    with out.open(newline="") as stream:
        labels = list(csv.DictReader(stream))
    place = header.index(data.RECORD_ID)
    assert [row[data.RECORD_ID] for row in labels] == [row[place] for row in rows]
    assert {row[data.LABEL] for row in labels} == {"True.", "False."}
    assert 670 <= len(rows) <= 730
    assert data.LABEL not in header
    assert (data.MISSING_COLUMN in header) == (kind != "missing-column")
