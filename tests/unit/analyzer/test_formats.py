"""JSON lines and Parquet, hooks, CloudWatch metric files."""

import json

import pytest
from monitor_analyzer.dataset import DatasetFormat, profile_dataset
from monitor_analyzer.errors import AnalyzerError
from monitor_analyzer.statistics import feature_document

JSON = DatasetFormat("json")


def profiled(tmp_path, text):
    path = tmp_path / "data.jsonl"
    path.write_text(text)
    return {column.name: column for column in profile_dataset(path, JSON).columns}


def test_json_numbers_keep_their_text(tmp_path):
    """`1.0` stays Fractional, a 60-bit id keeps its digits, null is missing, true is a text."""
    columns = profiled(
        tmp_path,
        '{"f": 1.0, "i": 1152921504606846977, "t": true, "s": null, "o": {"x": "a"}, "l": [1, 2]}\n'
        '{"f": 2, "i": 7, "t": false, "s": "y", "o": {"x": "b"}}\n',
    )
    assert {name: column.inferred_type for name, column in columns.items()} == {
        "f": "Fractional",
        "i": "Integral",
        "t": "String",
        "s": "String",
        "o.x": "String",
        "l": "String",
    }
    assert columns["i"].types.integral == columns["i"].distinct == 2
    assert columns["s"].missing == columns["l"].missing == 1


def test_a_json_array_reads_as_lines_do(tmp_path):
    """One array of records gives what its records line by line give."""
    records = [{"a": index, "b": f"v{index % 3}"} for index in range(10)]
    lines = profiled(tmp_path, "".join(json.dumps(record) + "\n" for record in records))
    array = profiled(tmp_path, json.dumps(records, indent=1))
    assert lines == array


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('{"a": 1}\n{"a": }\n', ":2:7:", "not valid JSON"),
        ('{"a": 1}\n[1]\n', ":2:", "must be a JSON object"),
        ('{"a": 1, "a": 2}\n', ":1:", "stands twice"),
        ('{"a.b": 1, "a": {"b": 2}}\n', ":1:", "'a.b' twice"),
        ('{"a": NaN}\n', ":1:", "NaN is no JSON number"),
        ('{"a": 1e999}\n', ":1:1:", "beyond what a double"),
        ("{}\n", ":", "no records"),
    ],
)
def test_damaged_json_is_one_error_with_its_place(tmp_path, text, where, what):
    """What is no record is named by file and line."""
    with pytest.raises(AnalyzerError) as caught:
        profiled(tmp_path, text)
    assert f"data.jsonl{where}" in str(caught.value)
    assert what in str(caught.value)


def test_parquet_gives_what_csv_of_the_same_data_gives(tmp_path):
    """The same rows as Parquet and as CSV have equal statistics, column by column."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table(
        {"i": [1, 2, None] * 2000, "f": [0.1, 2.0, -3.5] * 2000, "s": ["x", None, "z"] * 2000, "b": [True] * 6000}
    )
    parquet.write_table(table, tmp_path / "data.parquet")
    (tmp_path / "data.csv").write_text("i,f,s,b\n" + "1,0.1,x,true\n2,2.0,,true\n,-3.5,z,true\n" * 2000)
    first = profile_dataset(tmp_path / "data.parquet", DatasetFormat("parquet"))
    second = profile_dataset(tmp_path / "data.csv", DatasetFormat())
    assert [feature_document(column) for column in first.columns] == [
        feature_document(column) for column in second.columns
    ]


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "empty"), (b"PAR1abc", "truncated"), (b"a,b\n", "no Parquet"), (b"PAR1....PAR1", "not a")],
)
def test_damaged_parquet_is_one_error(tmp_path, content, what):
    """Empty, truncated and foreign files are told apart."""
    path = tmp_path / "data.parquet"
    path.write_bytes(content)
    with pytest.raises(AnalyzerError, match=what):
        profile_dataset(path, DatasetFormat("parquet"))


def test_a_preprocessor_changes_and_drops_rows(opt_ml, write_csv, tmp_path):
    """AWS's example handler takes a CSV line; here it fixes scientific notation and drops a row."""
    script = tmp_path / "pre.py"
    script.write_text(
        "import csv, os\n"
        "def preprocess_handler(line):\n"
        "    row = next(csv.reader([line]))\n"
        "    if row[0] == 'drop' or os.environ['my_setting'] != 'yes':\n"
        "        return []\n"
        "    return [format(float(row[0]), 'f'), row[1]]\n"
    )
    code, message, results = opt_ml[1](
        dataset_source=write_csv([["a", "b"], ["1e3", "x,y"], ["drop", "y"], ["2e3", "z"]]),
        record_preprocessor_script=script,
        my_setting="yes",
    )
    assert code == 0, message
    features = results["statistics.json"]["features"]
    assert results["statistics.json"]["dataset"]["item_count"] == 2
    assert features[0]["numerical_statistics"]["sum"] == 3000.0
    assert [
        bucket["value"] for bucket in features[1]["string_statistics"]["distribution"]["categorical"]["buckets"]
    ] == [
        "x,y",
        "z",
    ]


def test_a_preprocessor_may_rename_with_dictionaries_and_take_a_logger(opt_ml, write_csv, tmp_path):
    """A handler of two arguments gets a logger; dictionaries name the columns, a list makes several rows."""
    script = tmp_path / "pre.py"
    script.write_text("def preprocess_handler(line, logger):\n    return [{'n': len(line), 'flag': True}] * 2\n")
    code, message, results = opt_ml[1](dataset_source=write_csv([["a"], ["xyz"]]), record_preprocessor_script=script)
    assert code == 0, message
    assert [feature["name"] for feature in results["statistics.json"]["features"]] == ["n", "flag"]
    assert results["statistics.json"]["dataset"]["item_count"] == 2


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (
            "def preprocess_handler(line):\n    return 1 / 0\n",
            "pre.py:2: the script failed on data row 1: ZeroDivision",
        ),
        ("def other():\n    pass\n", "defines no preprocess_handler()"),
        ("def preprocess_handler(:\n", "pre.py:1: the script cannot be imported: SyntaxError"),
        ("def preprocess_handler(line):\n    return 3\n", "returned int for data row 1"),
        ("def preprocess_handler(line):\n    return []\n", "dropped every row"),
    ],
)
def test_a_failing_handler_is_named_with_its_line(opt_ml, write_csv, tmp_path, source, what):
    """A user's mistake ends in 255 with the script's own line, and no file is written."""
    script = tmp_path / "pre.py"
    script.write_text(source)
    code, message, results = opt_ml[1](dataset_source=write_csv([["a"], [1]]), record_preprocessor_script=script)
    assert (code, results) == (255, {})
    assert what in message


def test_a_postprocessor_runs_after_the_files_are_there(opt_ml, write_csv, tmp_path):
    """postprocess_handler sees the written statistics; its failure fails the job."""
    script = tmp_path / "post.py"
    script.write_text(
        "import os, pathlib\n"
        "def postprocess_handler():\n"
        "    folder = pathlib.Path(os.environ['output_path'])\n"
        "    (folder / 'seen.txt').write_text(','.join(sorted(p.name for p in folder.iterdir())))\n"
    )
    environment = {"dataset_source": write_csv([["a"], [1]]), "post_analytics_processor_script": script}
    code, message, _ = opt_ml[1](**environment)
    assert code == 0, message
    assert (opt_ml[0] / "processing" / "output" / "seen.txt").read_text() == "constraints.json,statistics.json"
    script.write_text("def postprocess_handler():\n    raise RuntimeError('no')\n")
    code, message, _ = opt_ml[1](**environment)
    assert code == 255
    assert "post.py:2: the script failed after the results were written: RuntimeError: no." in message


def test_metric_files_only_when_asked_for(opt_ml, write_csv):
    """publish_cloudwatch_metrics Enabled writes data, presence and drift by feature, with dimensions and time."""
    root, run = opt_ml
    source = write_csv([["a", "s"], *[[index, "x"] for index in range(50)], ["", "y"]])
    run(dataset_source=source, output_path=root / "baseline")
    path = root / "output" / "metrics" / "cloudwatch" / "cloudwatch_metrics.jsonl"
    assert not path.exists()
    code, message, _ = run(
        dataset_source=source,
        baseline_statistics=root / "baseline" / "statistics.json",
        baseline_constraints=root / "baseline" / "constraints.json",
        publish_cloudwatch_metrics="Enabled",
        sagemaker_endpoint_name="churn",
        sagemaker_monitoring_schedule_name="daily",
        metric_time="2026-03-03T00:00:00Z",
    )
    assert code == 0, message
    metrics = {item["MetricName"]: item for item in map(json.loads, path.read_text().splitlines())}
    assert sorted(metrics) == [
        "feature_baseline_drift_a",
        "feature_baseline_drift_s",
        "feature_data_a",
        "feature_non_null_a",
        "feature_non_null_s",
    ]
    assert metrics["feature_data_a"]["StatisticValues"] == {
        "SampleCount": 50.0,
        "Sum": 1225.0,
        "Minimum": 0.0,
        "Maximum": 49.0,
    }
    assert metrics["feature_non_null_a"]["Value"] == 50.0
    for item in metrics.values():
        assert item["Timestamp"] == "2026-03-03T00:00:00Z"
        assert [one["Value"] for one in item["Dimensions"]] == ["churn", "daily"]
        assert ("Value" in item) != ("StatisticValues" in item)


def test_excluded_columns_are_left_out(opt_ml, write_csv):
    """exclude_features_attribute takes columns out of every file."""
    _, _, results = opt_ml[1](dataset_source=write_csv([["id", "a"], [1, 2]]), exclude_features_attribute="id")
    assert [feature["name"] for feature in results["statistics.json"]["features"]] == ["a"]
    assert [feature["name"] for feature in results["constraints.json"]["features"]] == ["a"]
