"""JSON lines and Parquet, hooks, CloudWatch metric files."""

import json

import pytest
from monitor_analyzer import json_array, parquet_file
from monitor_analyzer.dataset import DatasetFormat, profile_dataset
from monitor_analyzer.errors import AnalyzerError
from monitor_analyzer.json_file import JsonFile
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


@pytest.mark.parametrize("read", [1, 7, 64])
def test_an_array_is_read_in_pieces(tmp_path, monkeypatch, read):
    """Wherever the pieces are cut, in escapes, numbers or white space, the records are the same."""
    monkeypatch.setattr(json_array, "READ", read)
    records = [{"a": 10**index, "b": '\\"é\u2028]}' * index, "c": {"d": [index, {}]}} for index in range(12)]
    for indent in (None, 2):
        path = tmp_path / "data.json"
        path.write_text("\n " + json.dumps(records, indent=indent))
        found = JsonFile(path)
        lines = tmp_path / "lines.json"
        lines.write_text("".join(json.dumps(record) + "\n" for record in records))
        assert found.names == ["a", "b", "c.d"]
        assert list(found.blocks()) == list(JsonFile(lines).blocks())


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
        ('{"a": "\\ud800"}\n', ":1:", "lone surrogate"),
        ('[{"a": 1},]', ":1:", "holds objects only"),
        ('[{"a": 1},\n{"a": 2}', ":2:", "array is not closed"),
        ('[{"a": 1}\n{"a": 2}]', ":2:", "comma or the end"),
        ('[\n  {"a": 1},\n  {"a": }]', ":3:9:", "not valid JSON"),
        ('[{"a": 1}]\nx', ":2:", "something follows"),
        ('[{"a": 1},\n\n{"a": 1, "a": 2}]', ":3:", "stands twice"),
        ("[1]", ":1:", "holds objects only"),
        ("[]", ":", "no records"),
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


def test_parquet_reads_alike_with_either_library(tmp_path, monkeypatch):
    """polars, slice by slice, gives the texts that pyarrow gives, in the same order."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("polars")
    monkeypatch.setattr(parquet_file, "SLICE_ROWS", 700)
    columns = {"i": [1, None, 3] * 700, "f": [0.1, 2.0, float("nan")] * 700, "s": ["x", None, "é"] * 700}
    for rows in (2100, 700, 3):
        table = pyarrow.table({name: values[:rows] for name, values in columns.items()})
        parquet.write_table(table, tmp_path / "data.parquet", row_group_size=500)
        found = {}
        for name, reader in (("pyarrow", parquet_file._pyarrow), ("polars", parquet_file._polars)):
            names, blocks = reader(tmp_path / "data.parquet")
            assert names == ["i", "f", "s"]
            found[name] = [[parquet_file.text_of(value) for part in blocks() for value in part[at]] for at in range(3)]
        assert found["polars"] == found["pyarrow"]
        assert len(found["polars"][0]) == rows


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


def test_what_a_handler_says_is_withheld_when_features_are_sensitive(opt_ml, write_csv, tmp_path):
    """An exception may quote a value: with sensitive_features its text stands in no message, its line does."""
    script = tmp_path / "pre.py"
    script.write_text("def preprocess_handler(line):\n    return [float(line)]\n")
    environment = {"dataset_source": write_csv([["a"], ["secret"]]), "record_preprocessor_script": script}
    _, message, _ = opt_ml[1](**environment)
    assert "secret" in message
    code, message, _ = opt_ml[1](**environment, sensitive_features="a")
    assert (code, "secret" in message) == (255, False)
    assert "pre.py:2: the script failed on data row 1: ValueError: its message is withheld" in message


def test_metrics_and_results_appear_together_or_not_at_all(opt_ml, write_csv):
    """When the results cannot be written no metric is left, and the reverse."""
    root, run = opt_ml
    source = write_csv([["a"], [1]])
    folder = root / "output" / "metrics" / "cloudwatch"
    (root / "processing").mkdir(parents=True)
    (root / "processing" / "output").write_text("a file where the folder should be")
    code, message, _ = run(dataset_source=source, publish_cloudwatch_metrics="Enabled")
    assert (code, "the results cannot be written" in message) == (255, True)
    assert not list(folder.iterdir())
    (root / "processing" / "output").unlink()
    folder.rmdir()
    folder.write_text("a file where the folder should be")
    code, message, results = run(dataset_source=source, publish_cloudwatch_metrics="Enabled")
    assert (code, results, "the metrics cannot be written" in message) == (255, {}, True)


def test_excluded_columns_are_left_out(opt_ml, write_csv):
    """exclude_features_attribute takes columns out of every file."""
    _, _, results = opt_ml[1](dataset_source=write_csv([["id", "a"], [1, 2]]), exclude_features_attribute="id")
    assert [feature["name"] for feature in results["statistics.json"]["features"]] == ["a"]
    assert [feature["name"] for feature in results["constraints.json"]["features"]] == ["a"]
