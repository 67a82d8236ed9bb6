import ast
import json
import re

import pytest

from tests.unit.scripts.made import CONTRACTS, HEADER, SCRIPTS, TRAINING, training_rows, write_csv

OURS = [path for path in SCRIPTS.rglob("*.py") if "monitor_analyzer" not in path.parts]


def test_the_schema_says_what_each_column_is(prepared):
    """Numbers are numeric, texts categorical, and a code of digits is what the use case says it is."""
    schema = prepared.json("schema/feature_schema.json")
    kinds = {feature["name"]: (feature["kind"], feature["dtype"]) for feature in schema["features"]}
    assert kinds == {
        "State": ("categorical", "str"),
        "Area": ("categorical", "str"),
        "Mins": ("numeric", "float"),
        "Calls": ("numeric", "int"),
    }
    assert schema["encoded"] == [
        "State=AK", "State=New York, NY", "State=<unknown>", "Area=400", "Area=401", "Area=402", "Area=<unknown>",
        "Mins", "Calls",
    ]  # fmt: skip
    jsonschema = pytest.importorskip("jsonschema")
    contract = json.loads((CONTRACTS / "feature_schema.schema.json").read_text())
    jsonschema.Draft202012Validator(contract).validate(schema)


def test_the_parts_hold_every_row_once_label_first(prepared):
    """Train, validation and test share the rows; each row is the label and one number per encoded column."""
    schema = prepared.json("schema/feature_schema.json")
    sizes = {}
    for part in ("train", "validation", "test"):
        rows = prepared.rows(f"{part}/{part}.csv")
        sizes[part] = len(rows)
        assert {len(row) for row in rows} == {1 + len(schema["encoded"])}
        assert {row[0] for row in rows} == {"0", "1"}
    assert sum(sizes.values()) == 200
    assert {**sizes, "total": 200}.items() <= schema["rows"].items()
    assert sizes["train"] > sizes["validation"] > sizes["test"]


def test_one_hot_columns_are_the_integers_0_and_1(prepared):
    """Pandas 2 would write True and False, which no analyzer reads as numbers."""
    cells = {cell for row in prepared.rows("train/train.csv") for cell in row[1:8]}
    assert cells == {"0", "1"}


def test_a_missing_number_is_nan_for_the_model(prepared):
    """An empty cell reaches XGBoost as missing, not as zero."""
    assert "nan" in {row[8] for part in ("train",) for row in prepared.rows(f"{part}/{part}.csv")}


def test_monitored_columns_are_verbatim_without_label_and_id(prepared):
    """The baseline is made of the texts that arrived, under their own names."""
    header, *rows = prepared.rows("monitored/monitored.csv")
    assert header == ["State", "Area", "Mins", "Calls"]
    assert rows == [[row[0], row[1], row[3], row[4]] for row in training_rows()]


@pytest.mark.parametrize("cell", ["1.50", "+3", "1e3", "007", "- 5", "100000000000000000000.1"])
def test_the_text_of_a_number_is_not_rewritten(script, tmp_path, cell):
    """What parses to the same number is still another text to the analyzer."""
    rows = [[*row[:3], cell, *row[4:]] for row in training_rows()]
    write_csv(tmp_path / "in" / "a.csv", HEADER, rows)
    job = script("prepare.py", "--input", tmp_path / "in", *TRAINING)
    assert {row[2] for row in job.rows("monitored/monitored.csv")[1:]} == {cell}


def test_a_rerun_gives_the_same_bytes(script, training, prepared):
    """Training data prepared twice are the same files."""
    again = script("prepare.py", "--input", training, *TRAINING)
    for name in ("train/train.csv", "test/test.csv", "schema/feature_schema.json", "monitored/monitored.csv"):
        assert again.text(name) == prepared.text(name)


def test_another_seed_splits_otherwise(script, training, prepared):
    """The split follows from the seed."""
    other = script("prepare.py", "--input", training, *TRAINING, "--split-seed", 5)
    assert other.text("test/test.csv") != prepared.text("test/test.csv")


def test_new_rows_move_no_old_one(script, training, prepared, tmp_path):
    """A row that was in the test part stays there when more data arrive."""
    rows = [*training_rows(), ["AK", "400", "id-new", "1.5", "1", "no"]]
    write_csv(tmp_path / "more" / "part.csv", HEADER, rows)
    more = script("prepare.py", "--input", tmp_path / "more", *TRAINING)
    old, new = prepared.text("test/test.csv"), more.text("test/test.csv")
    assert new.startswith(old)


def test_ignored_columns_are_neither_monitored_nor_features(script, training):
    """A column under data.ignore leaves no trace in the model's input."""
    job = script("prepare.py", "--input", training, *TRAINING, "--ignore=Mins")
    assert job.rows("monitored/monitored.csv")[0] == ["State", "Area", "Calls"]
    assert job.json("schema/feature_schema.json")["ignored"] == ["Mins"]


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        (lambda rows: rows, ["--label", "Gone"], "no column 'Gone', which data.label.name"),
        (lambda rows: rows, ["--record-id", "Gone"], "no column 'Gone', which data.record_id"),
        (lambda rows: rows, ["--positive", "YES"], "one of them 'YES'"),
        (lambda rows: [[*row[:5], "maybe" if row[2] == "id-3" else row[5]] for row in rows], [], "It holds"),
        (lambda rows: [[*row[:5], ""] if row[2] == "id-3" else row for row in rows], [], "line 5: the label"),
        (lambda rows: [[*row[:3], "", *row[4:]] for row in rows], [], "'Mins' is empty"),
        (lambda rows: [[f"t{row[2]}" * 2, *row[1:]] for row in training_rows(700)], [], "more than 500 different"),
        (lambda rows: [row[:4] if row[2] == "id-3" else row for row in rows], [], "line 5: 4 cells"),
        (lambda rows: list(rows)[:12], [], "part of 12 training rows has no row"),
        (lambda rows: [], [], "no record"),
    ],
)
def test_unusable_training_data_are_one_clear_message(script, tmp_path, change, arguments, says):
    """Each mistake in the training data says what and where."""
    write_csv(tmp_path / "in" / "a.csv", HEADER, change(list(training_rows())))
    job = script("prepare.py", "--input", tmp_path / "in", *TRAINING, *arguments)
    assert job.code == 1
    assert says in job.message


@pytest.mark.parametrize(
    ("change", "arguments", "shown"),
    [
        (lambda rows: rows, ["--positive", "YES"], True),
        (lambda rows: rows, ["--positive", "YES", f"--sensitive={HEADER[-1]}"], False),
        (lambda rows: [[*row[:5], f"Jane Doe {row[2]}"] for row in rows], [], False),
    ],
    ids=["few texts", "a sensitive label", "a column of names"],
)
def test_a_wrong_label_tells_no_ones_data(script, tmp_path, change, arguments, shown):
    """The message goes to logs and alerts: texts are quoted only where they can be a mistyped label."""
    write_csv(tmp_path / "in" / "a.csv", HEADER, change(list(training_rows())))
    job = script("prepare.py", "--input", tmp_path / "in", *TRAINING, *arguments)
    assert job.code == 1
    assert ("different texts" in job.message) != shown
    assert "Jane" not in job.message
    assert ("'no' (" in job.message) == shown


def test_every_path_is_an_argument():
    """/opt/ml stands in the scripts only as the default of an argument, so that a job's place can be rewritten."""
    for path in OURS:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "/opt/ml" in line:
                assert re.search(r"add_argument\(.*default=Path\(\"/opt/ml", line), f"{path.name}:{number}"


def test_the_scripts_read_with_the_oldest_python_of_the_images():
    """The images carry Python 3.9 and newer."""
    for path in OURS:
        ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 9))


def test_the_scripts_import_nothing_of_ours():
    """A job has neither Airflow nor the rest of this repository."""
    for path in OURS:
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"^\s*(import|from) (airflow|sagemaker|sagemaker_batch|include|local)\b", text, re.MULTILINE
        )


def test_the_contract_folder_is_where_the_tests_look():
    """The schemas of what the scripts write are committed."""
    assert {"feature_schema.schema.json", "evaluation.schema.json", "batch.schema.json"} <= {
        path.name for path in CONTRACTS.iterdir()
    }
