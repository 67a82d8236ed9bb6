import gzip
import hashlib
import json

import pytest

from tests.unit.scripts.made import CONTRACTS, TRAINING, write_csv

HEADER = ["Id", "State", "Area", "Mins", "Calls"]
ROWS = [["a-1", "AK", "400", "1.50", "3"], ["a-2", "New York, NY", "401", "", "4"], ["a 3", "", "402", "7.25", ""]]
URI = "s3://bucket/schema/feature_schema.json"


@pytest.fixture
def batch(script, prepared, tmp_path):
    """Run prepare_batch.py over files given as bytes, text, or (header, rows)."""

    def run(**files):
        folder = tmp_path / "day"
        folder.mkdir()
        for name, content in files.items():
            path = folder / f"{name}.csv"
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            else:
                write_csv(path, *content)
        schema = prepared.output / "schema"
        return script("prepare_batch.py", "--input", folder, "--schema", schema, "--feature-schema-uri", URI)

    return run


def text(header=HEADER, rows=ROWS, delimiter=","):
    quoted = [[f'"{cell}"' if "," in cell else cell for cell in row] for row in [header, *rows]]
    return "".join(delimiter.join(row) + "\n" for row in quoted)


def report(job):
    found = job.json("report/batch.json")
    jsonschema = pytest.importorskip("jsonschema")
    contract = json.loads((CONTRACTS / "batch.schema.json").read_text())
    jsonschema.Draft202012Validator(contract).validate(found)
    return found


def test_a_good_day_is_monitored_verbatim_and_scored_by_id(batch):
    """The monitor sees the texts as they came, the model sees the id and its own columns in its own order."""
    job = batch(day=(HEADER, ROWS))
    assert job.rows("monitored/monitored.csv") == [["State", "Area", "Mins", "Calls"], *[row[1:] for row in ROWS]]
    assert job.rows("transform/features.csv") == [
        ["a-1", "1", "0", "0", "1", "0", "0", "0", "1.50", "3"],
        ["a-2", "0", "1", "0", "0", "1", "0", "0", "nan", "4"],
        ["a 3", "0", "0", "0", "0", "0", "1", "0", "7.25", "nan"],
    ]
    content = text().encode()
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert report(job) == {
        "version": 1,
        "rows_in": 3,
        "rows_scorable": 3,
        "scorable": True,
        "reasons": [],
        "inputs": [{"name": "day.csv", "size": len(content), "md5": digest}],
        "unknown_categories": {},
        "feature_schema_uri": URI,
    }


def test_columns_in_another_order_are_the_same_day(batch):
    """Columns are found by name and handed to the monitor in the baseline's order."""
    job = batch(day=(HEADER[::-1], [row[::-1] for row in ROWS]))
    assert job.rows("monitored/monitored.csv")[0] == ["State", "Area", "Mins", "Calls"]
    assert report(job)["scorable"]


def test_unknown_categories_are_scored_as_unknown_and_counted(batch):
    """A state that training never saw is told, and does not stop the day."""
    job = batch(day=(HEADER, [["x", "ZZ", "999", "1", "1"], ["y", "ZZ", "400", "1", "1"]]))
    assert report(job)["unknown_categories"] == {"State": 2, "Area": 1}
    assert job.rows("transform/features.csv")[0] == ["x", "0", "0", "1", "0", "0", "0", "1", "1", "1"]


def test_several_files_are_one_day(batch):
    """Files are read in the order of their names, and the marker is none of them."""
    job = batch(b=(HEADER, ROWS[1:]), a=(HEADER, ROWS[:1]), _SUCCESS="")
    assert [row[0] for row in job.rows("transform/features.csv")] == ["a-1", "a-2", "a 3"]
    assert [item["name"] for item in report(job)["inputs"]] == ["a.csv", "b.csv"]


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(batch):
    """What a spreadsheet adds around the data is no data."""
    job = batch(day=("\ufeff" + text()).replace("\n", "\r\n").encode())
    assert report(job)["rows_scorable"] == 3
    assert job.rows("monitored/monitored.csv")[1] == ROWS[0][1:]


@pytest.mark.parametrize(
    ("header", "rows", "reason"),
    [
        (["Id", "State", "Area", "Calls"], [["x", "AK", "400", "3"]], "column 'Mins' is missing"),
        ([*HEADER, "New"], [[*ROWS[0], "1"]], "column 'New' is unknown to the model"),
        ([*HEADER, "Churn"], [[*ROWS[0], "yes"]], "column 'Churn' is the label"),
        (HEADER, [ROWS[0], ["x", "AK", "400", "n/a", "3"]], "column 'Mins' holds text where"),
        (HEADER, [ROWS[0], ["x", "AK", "400", ".5", "3"]], "column 'Mins' holds text where"),
        (HEADER, [ROWS[0], ["x", "AK", "400", "inf", "3"]], "1 cells, first on line 3"),
    ],
)
def test_a_broken_schema_is_shown_to_the_monitor_and_not_scored(batch, header, rows, reason):
    """The day gets its verdict: columns as they came, no transform input, the reason told."""
    job = batch(day=(header, rows))
    assert job.code == 0
    found = report(job)
    assert (found["scorable"], found["rows_in"], found["rows_scorable"]) == (False, len(rows), 0)
    assert reason in found["reasons"][0]
    shown, *cells = job.rows("monitored/monitored.csv")
    assert shown == header[1:]
    assert cells == [row[1:] for row in rows]
    assert list((job.output / "transform").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty (0 bytes)"),
        (text(rows=[]), "has a header and no record"),
        ("\n" + text(), "the first line is blank"),
        (gzip.compress(text().encode()), "is a gzip file"),
        (b"PK\x03\x04rest", "is a zip file"),
        (b"PAR1rest", "is a Parquet file"),
        (text(delimiter=";"), "separated by a semicolon, expected a comma"),
        (text(delimiter="\t"), "separated by a tab"),
        (text()[:-1], "is truncated"),
        (text()[:-9], "is truncated"),
        (text() + 'x,"open', "is truncated"),
        (text() + "x,AK,400,1,2,3\n", "line 5: 6 cells, but the header names 5"),
        (text() + "x,AK,400\ny,AK,400,1,2\n", "line 5: 3 cells"),
        (text().replace("AK", "\xff").encode("latin-1"), "not UTF-8"),
        (text(header=["Id", "State", "State", "Mins", "Calls"]), "'State' stands twice"),
        (text(header=["Id", "State", " ", "Mins", "Calls"]), "has no name"),
        (text(header=["Key", *HEADER[1:]]), "no column 'Id', which identifies a record"),
        (text(rows=[*ROWS, ROWS[0]]), "line 5: the record id 'a-1' stood on an earlier line"),
        (text(rows=[["", *ROWS[0][1:]]]), "line 2: the record id ('Id') is empty"),
        (text(rows=[["  ", *ROWS[0][1:]]]), "is empty"),
        (text(rows=[["a,b", *ROWS[0][1:]]]), "holds a comma, quote or line break"),
        ('Id,State,Area,Mins,Calls\n"a""b",AK,400,1,2\n', "holds a comma, quote or line break"),
        ('Id,State,Area,Mins,Calls\n"a\nb",AK,400,1,2\n', "holds a comma, quote or line break"),
        ('Id,State,Area,Mins,Calls\n"a"b,AK,400,1,2\n', "this is no CSV"),
    ],
)
def test_a_damaged_file_ends_the_job_with_one_message(batch, content, says):
    """What hides the sender's meaning is an error that names file and place; nothing is scored."""
    job = batch(day=content)
    assert job.code == 1
    assert says in job.message
    assert "day.csv" in job.message
    assert not (job.output / "report").exists()


def test_a_cut_anywhere_is_never_scored_as_a_whole_day(batch, script, prepared, tmp_path):
    """Wherever the transfer breaks off within a line, the job says so or, at a line's end, has fewer rows."""
    content = text(rows=[["a-1", "AK", "400", "1.50", "3"], ["a-2", "AK", "401", "12.5", "40"]])
    folder = tmp_path / "cut"
    folder.mkdir()
    last = content.rindex("\n", 0, -1) + 1
    for end in range(last + 1, len(content), 4):
        (folder / "day.csv").write_text(content[:end])
        job = script("prepare_batch.py", "--input", folder, "--schema", prepared.output / "schema")
        assert job.code == 1, content[:end]
        assert "truncated" in job.message


def test_a_sensitive_record_id_is_not_told(script, training, tmp_path):
    """Messages reach logs and alerts: an id that the use case calls sensitive stands in none."""
    prepared = script("prepare.py", "--input", training, *TRAINING, "--sensitive=Id")
    write_csv(tmp_path / "in" / "a.csv", HEADER, [ROWS[0], ROWS[0]])
    job = script("prepare_batch.py", "--input", tmp_path / "in", "--schema", prepared.output / "schema")
    assert "line 3: the record id stood on an earlier line" in job.message
    assert "a-1" not in job.message


def test_no_file_at_all_is_told(batch):
    """An empty prefix is no empty day."""
    assert "There is no input" in batch(_SUCCESS="").message


def test_a_file_of_another_kind_is_refused(script, prepared, tmp_path):
    """A stray file is told instead of skipped: it may be the day's data under a wrong name."""
    folder = tmp_path / "stray"
    folder.mkdir()
    (folder / "data.txt").write_text(text())
    job = script("prepare_batch.py", "--input", folder, "--schema", prepared.output / "schema")
    assert "data.txt is no .csv file" in job.message


def test_files_with_different_columns_are_refused(batch):
    """A day has one header."""
    job = batch(a=(HEADER, ROWS), b=(HEADER[:-1], [row[:-1] for row in ROWS]))
    assert "b.csv has other columns than a.csv" in job.message


def test_a_damaged_schema_is_the_models_fault_and_says_so(script, prepared, tmp_path):
    """The message points at the model, not at the day."""
    write_csv(tmp_path / "in" / "a.csv", HEADER, ROWS)
    path = prepared.output / "schema" / "feature_schema.json"
    path.write_text(path.read_text().replace('"State=AK"', '"State=XX"'))
    job = script("prepare_batch.py", "--input", tmp_path / "in", "--schema", path.parent)
    assert "contradicts itself" in job.message
    path.write_text("{")
    assert "cannot be read" in script("prepare_batch.py", "--input", tmp_path / "in", "--schema", path.parent).message


def test_several_files_hold_the_same_records_dealt_in_turn(script, prepared, tmp_path):
    """For jobs on several machines: every monitored file has the header, none is empty, nothing is lost or doubled."""
    folder = tmp_path / "day"
    folder.mkdir()
    write_csv(folder / "day.csv", HEADER, ROWS)
    arguments = ("prepare_batch.py", "--input", folder, "--schema", prepared.output / "schema", "--files=2")
    job = script(*arguments)
    header, *first = job.rows("monitored/monitored-00001.csv")
    again, *second = job.rows("monitored/monitored-00002.csv")
    assert header == again == ["State", "Area", "Mins", "Calls"]
    assert (first, second) == ([ROWS[0][1:], ROWS[2][1:]], [ROWS[1][1:]])
    ids = [[row[0] for row in job.rows(f"transform/features-0000{number}.csv")] for number in (1, 2)]
    assert ids == [["a-1", "a 3"], ["a-2"]]
    assert report(job)["rows_in"] == 3

    job = script(*arguments[:-1], "--files=9")
    assert sorted(path.name for path in (job.output / "transform").iterdir()) == [
        f"features-0000{number}.csv" for number in (1, 2, 3)
    ]


def test_a_broken_schema_leaves_no_part_to_score(script, prepared, tmp_path):
    """All parts of the transform's input are withheld, whichever of them held the damage."""
    folder = tmp_path / "day"
    folder.mkdir()
    write_csv(folder / "day.csv", HEADER, [*ROWS, ["a-9", "AK", "400", "many", "3"]])
    job = script("prepare_batch.py", "--input", folder, "--schema", prepared.output / "schema", "--files=2")
    assert report(job)["scorable"] is False
    assert list((job.output / "transform").iterdir()) == []
    assert len(job.rows("monitored/monitored-00002.csv")) == 3
