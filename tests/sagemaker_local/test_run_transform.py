"""Batch transform as a program: from files and a model artifact to `.out` files, or one clear failure."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import tarfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagemaker_local.runtimes import batch_transform, failure, jsonpath
from sagemaker_local.runtimes.chunks import chunks
from sagemaker_local.runtimes.lean import import_xgboost

FEATURES = 3
JOIN_ID = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}


def artifact(path: Path, booster: Any) -> None:
    raw = bytes(booster.save_raw("json"))
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(raw)
        archive.addfile(member, io.BytesIO(raw))


def trained(objective: str = "binary:logistic", **parameters: Any) -> Any:
    xgboost = import_xgboost()
    generator = np.random.default_rng(7)
    features = generator.random((400, FEATURES), dtype=np.float32)
    labels = (features[:, 0] + features[:, 1] > 1).astype(np.float32)
    matrix = xgboost.DMatrix(features, label=labels)
    return xgboost.train({"objective": objective, "nthread": 1, "max_depth": 3, **parameters}, matrix, 20)


@pytest.fixture(scope="module")
def booster():
    return trained()


class Workshop:
    """The directory of one transform job."""

    def __init__(self, ml: Path, booster: Any) -> None:
        self.ml = ml
        for name in ("config", "input/data", "output/data"):
            (ml / name).mkdir(parents=True)
        artifact(ml / "model.tar.gz", booster)

    def start(self, files: dict[str, str | bytes], **changes: Any) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            path = self.ml / "input/data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        config = {
            "TransformJobName": "job",
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": 6,
            "DataProcessing": {},
            "ContentType": "text/csv",
            "SplitType": "Line",
            "Accept": "text/csv",
            "AssembleWith": "Line",
            "Files": list(files),
        }
        (self.ml / "config/transformjobconfig.json").write_text(json.dumps({**config, **changes}))
        # In this process: starting Python and XGBoost anew is most of what a small job costs.
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
            code = failure.run(self.ml, batch_transform.transform)
        return subprocess.CompletedProcess([], code, out.getvalue(), errors.getvalue())

    def run(self, text: str | bytes, **changes: Any) -> str:
        done = self.start({"day.csv": text}, **changes)
        assert done.returncode == 0, done.stderr
        return (self.ml / "output/data/day.csv.out").read_bytes().decode()

    def fail(self, text: str | bytes, **changes: Any) -> str:
        done = self.start({"day.csv": text}, **changes)
        message = (self.ml / "output/failure").read_text()
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        return message


@pytest.fixture
def workshop(tmp_path, booster):
    return Workshop(tmp_path / "ml", booster)


def scores(booster: Any, rows: list[list[float]]) -> list[str]:
    matrix = import_xgboost().DMatrix(np.array(rows, dtype=np.float32))
    return [str(value) for value in booster.predict(matrix).tolist()]


def sample(count: int, seed: int = 1) -> list[list[float]]:
    source = random.Random(seed)  # noqa: S311 - data, no secret
    return [[round(source.random(), 4) for _ in range(FEATURES)] for _ in range(count)]


def lines(rows: list[list[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def test_plain_predictions_are_what_the_booster_says_one_a_line(workshop, booster):
    """Without filters the output is a prediction for each record, written as the container writes it."""
    rows = sample(50)
    assert workshop.run(lines(rows)) == "\n".join(scores(booster, rows)) + "\n"


def test_ids_come_back_exactly_as_they_were(workshop, booster):
    """Text that looks like a number, holds commas, quotes or line breaks, is the same text in the output."""
    rows = sample(8)
    ids = ["007", "1e3", " padded ", "a,b", 'say "hi"', "two\nlines", "ünï", ""]
    given = lines([[name, *row] for name, row in zip(ids, rows, strict=True)])
    found = workshop.run(given, DataProcessing=JOIN_ID)
    assert list(csv.reader(io.StringIO(found))) == [[*pair] for pair in zip(ids, scores(booster, rows), strict=True)]


def test_a_script_that_nobody_named_is_not_passed_over_in_silence(workshop, booster):
    """The container needs SAGEMAKER_PROGRAM to run it; the log says that it predicted by itself."""
    with tarfile.open(workshop.ml / "model.tar.gz", "w:gz") as archive:
        for name, content in (("code/inference.py", b""), ("xgboost-model", bytes(booster.save_raw("json")))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    done = workshop.start({"day.csv": lines(sample(3))})
    assert done.returncode == 0, done.stderr
    assert "code/inference.py is not run" in done.stdout


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_quick_and_the_careful_way_write_the_same(workshop, booster, end):
    """A record that asks for care (here a padded number) changes no byte of the others, nor do Windows line ends."""
    rows = sample(20)
    given = [[f"id-{number}", *row] for number, row in enumerate(rows)]
    text = lines(given).replace("\n", end)
    quick = workshop.run(text, DataProcessing=JOIN_ID)
    careful = workshop.run(text.replace("id-0,", '"id-0", ').replace(end, end + end), DataProcessing=JOIN_ID)
    assert quick == careful == lines([[row[0], score] for row, score in zip(given, scores(booster, rows), strict=True)])


def test_joining_without_an_output_filter_appends_the_prediction(workshop, booster):
    """JoinSource alone gives the whole record and the prediction after it."""
    rows = sample(3)
    found = workshop.run(lines(rows), DataProcessing={"JoinSource": "Input"})
    assert found == lines([[*row, score] for row, score in zip(rows, scores(booster, rows), strict=True)])


def test_an_empty_feature_is_missing_and_not_zero(workshop, booster):
    """XGBoost has a branch of its own for missing values, and an empty cell takes it."""
    found = workshop.run("0.9,,0.5\n0.9,0.0,0.5\n")
    assert found.splitlines() == scores(booster, [[0.9, float("nan"), 0.5], [0.9, 0.0, 0.5]])


def test_small_payloads_and_single_records_change_nothing(workshop, booster):
    """How records are packed into requests is not seen in the output."""
    rows = sample(60_000)
    given = lines([[f"{number:08d}", *row] for number, row in enumerate(rows)])
    many = workshop.run(given, DataProcessing=JOIN_ID, MaxPayloadInMB=1)
    single = workshop.run(given, DataProcessing=JOIN_ID, BatchStrategy="SingleRecord")
    assert many == single
    assert [row[0] for row in csv.reader(io.StringIO(many))] == [f"{number:08d}" for number in range(60_000)]
    assert [row[1] for row in csv.reader(io.StringIO(many))] == scores(booster, rows)


def test_every_file_gets_its_own_output(workshop, booster):
    """Names below the prefix are kept, with `.out` after them."""
    rows = sample(2)
    done = workshop.start({"a.csv": lines(rows[:1]), "deep/b.csv": lines(rows[1:]), "empty.csv": ""})
    assert done.returncode == 0, done.stderr
    out = workshop.ml / "output/data"
    assert (out / "a.csv.out").read_text() + (out / "deep/b.csv.out").read_text() == "\n".join(
        [*scores(booster, rows), ""]
    )
    assert (out / "empty.csv.out").read_text() == ""


def test_very_small_scores_are_written_alike_in_both_ways(tmp_path):
    """An exponent has two digits, as Python writes it, wherever a score stands."""
    workshop = Workshop(tmp_path / "ml", trained("reg:squarederror", base_score=0.0, eta=1e-6))
    rows = sample(30)
    quick = workshop.run(lines(rows))
    careful = workshop.run("\n" + lines(rows), DataProcessing={"OutputFilter": "$[0]"})
    assert "e-0" in quick
    assert quick == careful


def test_several_values_a_record_are_one_field(tmp_path):
    """The prediction of multi:softprob is a list in brackets, and joining keeps it one field."""
    model = trained("multi:softprob", num_class=2)
    workshop = Workshop(tmp_path / "ml", model)
    rows = sample(2)
    plain = workshop.run(lines(rows))
    assert [len(json.loads(line)) for line in plain.splitlines()] == [2, 2]
    joined = workshop.run(lines([["a", *rows[0]], ["b", *rows[1]]]), DataProcessing=JOIN_ID)
    assert [row[1] for row in csv.reader(io.StringIO(joined))] == plain.splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1,2,3\n1,2\n",
            "line 2: Unable to evaluate payload provided: Feature shape mismatch, expected: 3, got 2",
        ),
        ("1,2,3,4\n", "Feature shape mismatch, expected: 3, got 4"),
        ("1,2,3\n4,x,6\n", "day.csv, line 2, column 2: 'x' is not a number"),
        ("a,b,c\n1,2,3\n", "The data must have no header line"),
        ('1,2,3\n4,"5,6\n', "line 2: this is no CSV"),
        (b"1,2,3\n1,2,\xff\n", "line 2: this is no UTF-8"),
    ],
)
def test_input_that_cannot_be_scored_is_named_by_its_line(workshop, text, expected):
    """One message says which file, which line and what is wrong."""
    assert expected in workshop.fail(text)


def test_a_short_line_behind_quoted_fields_is_found(workshop):
    """Quotes make counting of delimiters impossible, and a short line is found all the same."""
    message = workshop.fail('"a",1,2,3\n"b",1,2\n', DataProcessing=JOIN_ID)
    assert "line 2" in message
    assert "expected: 3, got 2" in message


@pytest.mark.parametrize(
    ("processing", "expected"),
    [
        ({"InputFilter": "$.features"}, "fields have no names"),
        ({"InputFilter": "$[a]"}, "neither an index"),
        ({"InputFilter": "[1:]"}, "does not begin with $"),
        ({"InputFilter": "$[0,1,9]"}, "field 9 of a record that has 3 fields"),
        ({"OutputFilter": "$[1]"}, "field 1 of a record that has 1 fields"),
    ],
)
def test_a_filter_that_does_not_fit_is_an_error(workshop, processing, expected):
    """The filter is quoted in the message, with what is wrong about it."""
    assert expected in workshop.fail("1,2,3\n", DataProcessing=processing)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ContentType": "image/png"}, "Content-type image/png not supported"),
        ({"SplitType": "RecordIO"}, "SplitType RecordIO"),
        ({"DataProcessing": JOIN_ID, "AssembleWith": "None"}, "JoinSource Input needs SplitType Line"),
        ({"Accept": "application/jsonlines", "DataProcessing": JOIN_ID}, "of the same type"),
    ],
)
def test_a_request_that_cannot_be_done_is_refused_before_anything_is_read(workshop, changes, expected):
    """What the service refuses is refused here."""
    assert expected in workshop.fail("1,2,3\n", **changes)


def test_a_file_above_the_payload_needs_splitting(workshop):
    """SplitType None sends a file whole, so it must fit."""
    text = lines(sample(80_000))
    assert "Use SplitType Line" in workshop.fail(text, SplitType="None", MaxPayloadInMB=1)


def test_a_record_above_the_payload_is_an_error(workshop):
    """A quote that is never closed makes one huge record; its first line is named."""
    message = workshop.fail("1,2," + "3" * 2_000_000 + "\n", MaxPayloadInMB=1)
    assert "line 1: the record is larger than MaxPayloadInMB (1)" in message


def test_json_lines_are_filtered_scored_and_joined(workshop, booster):
    """An object keeps its keys and gains SageMakerOutput; a filter picks what is written."""
    rows = sample(3)
    records = [{"id": f"k{number}", "x": {"features": row}} for number, row in enumerate(rows)]
    text = "".join(json.dumps(record) + "\n" for record in records)
    kinds = {"ContentType": "application/jsonlines", "Accept": "application/jsonlines"}
    processing = {"InputFilter": "$.x", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"}
    found = workshop.run(text, **kinds, DataProcessing=processing)
    assert [json.loads(line) for line in found.splitlines()] == [
        {"id": record["id"], "SageMakerOutput": {"score": float(score)}}
        for record, score in zip(records, scores(booster, rows), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"features": [1,2,3]}\n{"features": [1,2\n', "line 2: this is no JSON"),
        ('{"features": [1,2]}\n', "expected: 3, got 2"),
        ('{"features": [1,"x",3]}\n', "line 1: feature 2 is 'x'"),
        ("7\n", "neither a list of features"),
    ],
)
def test_json_that_cannot_be_scored_is_named_by_its_line(workshop, text, expected):
    """As with CSV, file and line."""
    assert expected in workshop.fail(text, ContentType="application/jsonlines", Accept="application/jsonlines")


def test_a_model_that_is_none_is_an_error(workshop):
    """An artifact without the file, or with a pickle in it, says so."""
    with tarfile.open(workshop.ml / "model.tar.gz", "w:gz"):
        pass
    assert "holds 0 files named xgboost-model" in workshop.fail("1,2,3\n")
    (workshop.ml / "model.tar.gz").write_bytes(b"not an archive")
    assert "no readable tar.gz" in workshop.fail("1,2,3\n")


def test_chunks_are_whole_records_and_lose_nothing():
    """Whatever the size of the chunks, their texts make the file, and no quoted record is cut."""
    source = random.Random(3)  # noqa: S311 - data, no secret
    fields = ["plain", '"a,b"', '"two\nlines"', '"q""q\n"', ""]
    text = "".join(",".join(source.choices(fields, k=4)) + "\n" for _ in range(300)).encode()
    whole = list(csv.reader(io.StringIO(text.decode(), newline="")))
    for size in (1, 7, 64, 1000, 10**6):
        found = list(chunks(io.BytesIO(text), size, quoted=True))
        assert b"".join(chunk.text for chunk in found) == text
        split = [row for chunk in found for row in csv.reader(io.StringIO(chunk.text.decode(), newline=""))]
        assert split == whole
        assert all(chunk.first_line == 1 + text[: text.index(chunk.text)].count(b"\n") for chunk in found[:1])


@pytest.mark.parametrize(
    ("path", "expected"),
    [("$", [0, 1, 2, 3]), ("$[1:]", [1, 2, 3]), ("$[0,-1]", [0, 3]), ("$[:2,3]", [0, 1, 3]), ("$[-2:]", [2, 3])],
)
def test_csv_filters_pick_fields(path, expected):
    """Indices, ranges and negatives, in the order given."""
    assert jsonpath.csv_indices(path, 4) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", {"a": {"b-c": [1, 2, 3]}, "d": 4}),
        ("$.a.b-c", [1, 2, 3]),
        ("$['a']['b-c'][0]", 1),
        ("$.a['b-c'][1:]", [2, 3]),
        ("$['d','a']", {"d": 4, "a": {"b-c": [1, 2, 3]}}),
        ("$.a['b-c'][-1,0]", [3, 1]),
    ],
)
def test_json_filters_pick_values(path, expected):
    """Names, indices, and several of them."""
    assert jsonpath.json_selector(path)({"a": {"b-c": [1, 2, 3]}, "d": 4}) == expected
