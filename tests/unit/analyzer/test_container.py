"""The container's contract: configuration in, files, message and exit code out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from monitor_analyzer import documents
from monitor_analyzer.errors import AnalyzerError

ROWS = [["age", "state"], *[[30 + index % 40, "NY" if index % 3 else "OH"] for index in range(300)]]
CLEAN = "Completed: Job completed successfully with no violations."


@pytest.fixture
def baseline(opt_ml, write_csv):
    """A baseline of `ROWS`: the environment that a monitoring run needs for it."""
    root, run = opt_ml
    output = root / "processing" / "baseline"
    code, message, results = run(dataset_source=write_csv(ROWS, "before/data.csv").parent, output_path=output)
    assert (code, message, sorted(results)) == (0, CLEAN, ["constraints.json", "statistics.json"])
    return {
        "baseline_statistics": output / "statistics.json",
        "baseline_constraints": output / "constraints.json",
    }


def test_a_clean_monitoring_run_writes_an_empty_list(opt_ml, baseline, write_csv):
    """A clean run completes, and its violations file is there with an empty list."""
    code, message, results = opt_ml[1](dataset_source=write_csv(ROWS, "today/data.csv").parent, **baseline)
    assert (code, message) == (0, CLEAN)
    assert sorted(results) == [
        "constraint_violations.json",
        "constraints.json",
        "drift_report.json",
        "statistics.json",
    ]
    assert results["constraint_violations.json"] == {"violations": []}


def test_violations_are_counted_in_the_message_and_the_exit_code_stays_0(opt_ml, baseline, write_csv):
    """Violations are a result, not a failure."""
    rows = [["age", "state"], *[["x", "ZZ"]] * 50]
    code, message, results = opt_ml[1](dataset_source=write_csv(rows, "today/data.csv").parent, **baseline)
    found = results["constraint_violations.json"]["violations"]
    assert code == 0
    assert message == f"CompletedWithViolations: Job completed successfully with {len(found)} violations."
    assert {item["constraint_check_type"] for item in found} >= {"data_type_check", "categorical_values_check"}


def test_a_failure_leaves_255_a_message_and_no_file(opt_ml, baseline, write_csv):
    """Bad input: exit code 255, one sentence with file and line, and nothing in the output folder."""
    _, run = opt_ml
    path = write_csv(ROWS, "today/data.csv")
    path.write_text(path.read_text() + "1,2,3\n")
    code, message, results = run(dataset_source=path.parent, **baseline)
    assert (code, results) == (255, {})
    assert message.startswith(f"{path}:302:3: this row has 3 fields")


def test_older_results_survive_a_failure_and_are_replaced_together(opt_ml, baseline, write_csv):
    """Results of an earlier run in the same folder stay whole until new ones are complete."""
    root, run = opt_ml
    path = write_csv(ROWS, "today/data.csv")
    output = root / "processing" / "output"
    output.mkdir(parents=True)
    (output / "kept.txt").write_text("mine")
    _, _, first = run(dataset_source=path.parent, **baseline)
    path.write_text("age,state\n1\n")
    code, _, after = run(dataset_source=path.parent, **baseline)
    assert (code, after) == (255, first)
    write_csv([["age", "state"], [31, "NY"]], "today/data.csv")
    code, _, last = run(dataset_source=path.parent, **baseline)
    assert code == 0
    assert last["statistics.json"]["dataset"]["item_count"] == 1
    assert sorted(path.name for path in output.iterdir()) == sorted([*last, "kept.txt"])


def test_statistics_alone_or_constraints_alone_are_enough(opt_ml, baseline, write_csv):
    """Constraints without statistics are checked without drift; statistics alone give the drift report."""
    source = write_csv(ROWS, "today/data.csv").parent
    _, _, results = opt_ml[1](dataset_source=source, baseline_constraints=baseline["baseline_constraints"])
    assert "drift_report.json" not in results
    assert results["constraint_violations.json"] == {"violations": []}
    _, _, results = opt_ml[1](
        dataset_source=source,
        baseline_statistics=baseline["baseline_statistics"],
        output_path=opt_ml[0] / "processing" / "second",
    )
    assert "drift_report.json" in results


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ({}, "lacks dataset_source"),
        ({"dataset_source": "nowhere"}, "does not exist"),
        ({"dataset_source": "nowhere", "dataset_format": "csv"}, "dataset_format is not JSON"),
        ({"dataset_source": "x", "baseline_constraints": "nowhere.json"}, "nowhere.json: the baseline's constraints"),
        ({"dataset_source": "x", "categorical_drift_method": "KS"}, "'KS' is not one of LInfinity, ChiSquared"),
        ({"dataset_source": "x", "analysis_type": "MODEL_QUALITY"}, "ground_truth_attribute"),
    ],
)
def test_a_wrong_environment_is_named(opt_ml, environment, what):
    """What is wrong with the job's environment ends in 255 and says which key."""
    code, message, results = opt_ml[1](**environment)
    assert (code, results) == (255, {})
    assert what in message


def test_a_baseline_that_is_no_json_names_line_and_column(opt_ml, baseline, write_csv):
    """A damaged baseline file is named with the place of the damage."""
    path = baseline["baseline_constraints"]
    path.write_text('{"version": 0.0,\n "features": [}')
    code, message, _ = opt_ml[1](dataset_source=write_csv(ROWS, "today/data.csv"), **baseline)
    assert code == 255
    assert message.startswith(f"{path}:2:15: ")


def test_the_process_is_small_and_takes_the_folder_from_the_environment(opt_ml, baseline, write_csv):
    """`python -m monitor_analyzer` with SM_OPT_ML behaves as the container and imports no data frame library."""
    root, run = opt_ml
    run(dataset_source=write_csv(ROWS, "today/data.csv").parent, **baseline)
    scripts = str(Path(documents.__file__).parents[1])
    code = (
        "import runpy, sys\n"
        "try: runpy.run_module('monitor_analyzer', run_name='__main__')\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'pandas', 'polars', 'numpy', 'numba', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'heavy: {heavy}' if heavy else code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": scripts, "SM_OPT_ML": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, CLEAN + "\n", "")


def test_a_failed_write_takes_everything_back(tmp_path, monkeypatch):
    """When the third file cannot be placed, the first two are restored as they were."""
    (tmp_path / "out").mkdir()
    for name in ("a.json", "b.json", "other"):
        (tmp_path / "out" / name).write_text("old")
    original = Path.replace

    def replace(self, target):
        if Path(target).name == "c.json":
            raise OSError(28, "No space left on device")
        return original(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(AnalyzerError, match="No space left"):
        documents.write_together(tmp_path / "out", {"a.json": {}, "b.json": {}, "c.json": {}})
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        "a.json": "old",
        "b.json": "old",
        "other": "old",
    }


def test_json_reads_back_as_it_was():
    """The container's layout is JSON: what is written reads back equal."""
    document = {
        "version": 0.0,
        "empty": {},
        "list": [],
        "levels": [[1.0, 2.5], []],
        "text": 'é"\n',
        "nested": [{"a": 1}],
    }
    text = documents.dumps(document)
    assert json.loads(text) == document
    assert '"version" : 0.0' in text
