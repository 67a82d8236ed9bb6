"""PrepareData: raw training data becomes split model input, monitored columns and the feature schema.

Two passes over the files, so that memory does not grow with them. A record's share of the split follows from seed and
record id alone: the same record never stands in training and test at once, and new records move no old ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tabular.files import InputFile, find_inputs, read_header, read_rows
from tabular.job import InputError, run
from tabular.output import OutputFiles
from tabular.schema import BINARY, REGRESSION, Encoder, FeatureSchema, Profile, is_number

PARTS = ("train", "validation", "test")
# More texts than these are no label that somebody mistyped.
LABELS_SHOWN = 5


def part_of(record_id: str, seed: int, validation: float, test: float) -> str:
    """Return the part a record belongs to, uniform over records and stable for each."""
    digest = hashlib.blake2b(f"{seed}/{record_id}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


def check_columns(header: list[str], given: argparse.Namespace) -> None:
    """Refuse training data that lacks what the use case names.

    Raises:
        InputError: naming the column and the key of the use case.
    """
    named = {
        "data.record_id": [given.record_id],
        "data.label.name": [given.label],
        "data.categorical": given.categorical,
    }
    for key, columns in named.items():
        for column in columns:
            if column not in header:
                raise InputError(
                    f"The training data has no column {column!r}, which {key} of the use case names. "
                    f"Its columns: {', '.join(header)}."
                )


def records(files: list[InputFile], delimiter: str, header: list[str]) -> Iterator[tuple[InputFile, int, list[str]]]:
    """Yield file, line and cells of every record of every file."""
    for file in files:
        for line, row in read_rows(file, delimiter, header, whole=False):
            yield file, line, row


def learn(given: argparse.Namespace, files: list[InputFile], header: list[str]) -> FeatureSchema:
    """First pass: learn each column, count the parts, check the label.

    Raises:
        InputError: a label or a part is not as it must be.
    """
    skipped = {given.record_id, given.label, *given.ignore}
    profiles = [
        (header.index(name), Profile(name, categorical=name in given.categorical))
        for name in header
        if name not in skipped
    ]
    label, record_id = header.index(given.label), header.index(given.record_id)
    labels: Counter[str] = Counter()
    counts: Counter[tuple[str, bool]] = Counter()
    for file, line, row in records(files, given.delimiter, header):
        check_label(given, row[label], file, line)
        # Of a regression only the number of rows is wanted, and its labels are as many as its rows.
        labels["" if given.problem == REGRESSION else row[label]] += 1
        part = part_of(row[record_id], given.split_seed, given.validation_share, given.test_share)
        counts[part, row[label] == given.positive] += 1
        for place, profile in profiles:
            profile.see(row[place])
    check_parts(given, labels, counts)
    positive = {} if given.problem == REGRESSION else {"positive": labels[given.positive]}
    return FeatureSchema(
        use_case=given.use_case,
        record_id=given.record_id,
        label=given.label,
        positive=given.positive,
        delimiter=given.delimiter,
        features=[profile.feature() for _, profile in profiles],
        ignored=list(given.ignore),
        sensitive=list(given.sensitive),
        rows={
            "total": sum(labels.values()),
            **positive,
            **{part: counts[part, True] + counts[part, False] for part in PARTS},
        },
        problem=given.problem,
    )


def check_label(given: argparse.Namespace, cell: str, file: InputFile, line: int) -> None:
    """Refuse a row without a label, and a label that is no number where a number is learned.

    Raises:
        InputError: naming file and line; the text itself may be sensitive and is not shown.
    """
    where = f"{file.name}, line {line}: the label {given.label!r}"
    if not cell:
        raise InputError(f"{where} is empty. Every training row needs one.")
    if given.problem == REGRESSION and not is_number(cell):
        raise InputError(f"{where} is no number, and model.problem of the use case is regression.")


def check_parts(given: argparse.Namespace, labels: Counter[str], counts: Counter[tuple[str, bool]]) -> None:
    """Refuse labels that cannot be learned from, and parts that lack rows.

    Raises:
        InputError: the label has not two values, or a part lacks one of them, or all rows.
    """
    if given.problem == REGRESSION:
        for part in PARTS:
            if not counts[part, False]:
                raise InputError(f"The {part} part of {sum(labels.values())} training rows is empty. Send more rows.")
        return
    if given.positive not in labels or len(labels) != 2:
        # A wrong label may be a name or a diagnosis, and the message goes to logs and alerts.
        seen = f"{len(labels)} different texts"
        if len(labels) <= LABELS_SHOWN and given.label not in given.sensitive:
            seen = ", ".join(f"{text!r} ({count})" for text, count in labels.most_common())
        raise InputError(
            f"The label {given.label!r} must hold two texts, one of them {given.positive!r} (data.label.positive). "
            f"It holds {seen}."
        )
    for part in PARTS:
        for positive in (True, False):
            if not counts[part, positive]:
                raise InputError(
                    f"The {part} part of {sum(labels.values())} training rows has no row with a "
                    f"{'positive' if positive else 'negative'} label. Send more rows, or another model.split."
                )


def write(given: argparse.Namespace, files: list[InputFile], header: list[str], schema: FeatureSchema) -> None:
    """Second pass: write train, validation and test (label first, no header) and the monitored columns as they are."""
    encoder = Encoder(schema, header)
    places = [header.index(name) for name in schema.monitored()]
    label, record_id = header.index(given.label), header.index(given.record_id)
    regression = given.problem == REGRESSION
    with ExitStack() as stack:
        writers = {part: stack.enter_context(OutputFiles(given.output / part / f"{part}.csv")) for part in PARTS}
        monitored = given.output / "monitored" / "monitored.csv"
        to_monitor = stack.enter_context(OutputFiles(monitored, given.files, header=schema.monitored()))
        for _, line, row in records(files, given.delimiter, header):
            part = part_of(row[record_id], given.split_seed, given.validation_share, given.test_share)
            target = row[label].replace(" ", "") if regression else "01"[row[label] == given.positive]
            writers[part].writerow([target, *encoder.encode(row, line)])
            to_monitor.writerow([row[place] for place in places])


def prepare(given: argparse.Namespace) -> None:
    """Do the job; arguments as `main` declares them."""
    files = find_inputs(given.input)
    header = read_header(files[0], given.delimiter, [given.record_id, given.label])
    for file in files[1:]:
        if read_header(file, given.delimiter, [given.record_id, given.label]) != header:
            raise InputError(f"{file.name} has other columns than {files[0].name}. All files need the same header.")
    check_columns(header, given)
    schema = learn(given, files, header)
    write(given, files, header, schema)
    schema.write(given.output / "schema" / "feature_schema.json")
    print(json.dumps({"rows": schema.rows, "features": len(schema.features)}))


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description="Prepare training data.")
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/data"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--message", type=Path, default=Path("/opt/ml/output/message"))
    parser.add_argument("--use-case", required=True)
    parser.add_argument("--record-id", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--problem", choices=(BINARY, REGRESSION), default=BINARY)
    parser.add_argument("--positive", help="text of the label that means yes; a regression has none")
    parser.add_argument("--delimiter", default=",")
    parser.add_argument("--categorical", action="append", default=[], help="a column; repeatable")
    parser.add_argument("--ignore", action="append", default=[], help="a column; repeatable")
    parser.add_argument("--sensitive", action="append", default=[], help="a column; repeatable")
    parser.add_argument("--validation-share", type=float, default=0.2)
    parser.add_argument("--test-share", type=float, default=0.1)
    parser.add_argument("--files", type=int, default=1, help="number of files to write the monitored columns in")
    parser.add_argument("--split-seed", type=int, default=1729)
    given = parser.parse_args(arguments)
    if (given.positive is None) == (given.problem == BINARY):
        parser.error("--positive goes with a binary classification, and only with it")
    return run(lambda: prepare(given), given.message)


if __name__ == "__main__":
    sys.exit(main())
