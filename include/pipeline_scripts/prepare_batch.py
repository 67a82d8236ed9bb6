"""PrepareBatch: a raw day becomes the monitored columns and, when the model can read it, the transform's input.

By the model's own feature schema, so that it serves every use case. Damage that hides what the sender meant (a cut
file, a duplicate id) ends the job; a schema that differs is passed on to the monitor, which names the damage, and is
not scored.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tabular.files import InputFile, find_inputs, read_header, read_rows
from tabular.job import InputError, run
from tabular.output import OutputFiles
from tabular.schema import Encoder, FeatureSchema, read_schema, reasons_of_header

REPORT_VERSION = 1


class RecordIds:
    """Checks that every record has an id of its own that survives the transform's text join."""

    def __init__(self, column: str, *, sensitive: bool) -> None:
        self.column = column
        self.sensitive = sensitive
        self.seen: set[str] = set()

    def check(self, record_id: str, file: InputFile, line: int) -> None:
        """Take one id into account.

        Raises:
            InputError: it is empty, unquotable, or was seen before.
        """
        where = f"{file.name}, line {line}"
        if not record_id.strip():
            raise InputError(f"{where}: the record id ({self.column!r}) is empty. Every record needs one.")
        if any(character in record_id for character in ',"\r\n'):
            raise InputError(
                f"{where}: the record id{self._shown(record_id)} holds a comma, quote or line break, which the batch "
                "transform cannot carry unchanged. Use another id."
            )
        if record_id in self.seen:
            raise InputError(
                f"{where}: the record id{self._shown(record_id)} stood on an earlier line already. "
                f"{self.column!r} must be unique within a day: remove the duplicate."
            )
        self.seen.add(record_id)

    def _shown(self, record_id: str) -> str:
        # Messages reach logs and alerts.
        return "" if self.sensitive else f" {record_id!r}"


def common_header(files: list[InputFile], schema: FeatureSchema) -> list[str]:
    """Return the header that all files share.

    Raises:
        InputError: they differ, or none can identify a record.
    """
    expected = [schema.record_id, *schema.monitored()]
    header = read_header(files[0], schema.delimiter, expected)
    for file in files[1:]:
        if read_header(file, schema.delimiter, expected) != header:
            raise InputError(f"{file.name} has other columns than {files[0].name}. All files of a day need one header.")
    if schema.record_id not in header:
        raise InputError(
            f"{files[0].name} has no column {schema.record_id!r}, which identifies a record. "
            f"Its columns: {', '.join(header)}."
        )
    return header


def prepare_batch(given: argparse.Namespace) -> None:
    """Do the job; arguments as `main` declares them."""
    schema = read_schema(given.schema / "feature_schema.json")
    files = find_inputs(given.input)
    header = common_header(files, schema)
    reasons = reasons_of_header(schema, header)
    # A broken schema is shown as it came; otherwise the columns stand in the order of the baseline.
    withheld = {schema.record_id, *schema.ignored}
    shown = [name for name in header if name not in withheld] if reasons else schema.monitored()
    encoder = None if reasons else Encoder(schema, header)
    rows = copy(given, schema, files, header, shown, encoder)
    if encoder is not None:
        for name, (count, line) in encoder.texts.items():
            reasons.append(
                f"column {name!r} holds text where the model needs a number ({count} cells, first on line {line})"
            )
    if reasons:
        for features in (given.output / "transform").glob("*.csv"):
            features.unlink()
    report = {
        "version": REPORT_VERSION,
        "rows_in": rows,
        "rows_scorable": 0 if reasons else rows,
        "scorable": not reasons,
        "reasons": reasons,
        "inputs": [{"name": file.name, "size": file.size, "md5": file.md5} for file in files],
        "unknown_categories": {} if encoder is None else encoder.unknown,
        "feature_schema_uri": given.feature_schema_uri,
    }
    path = given.output / "report" / "batch.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(report, ensure_ascii=False))


def copy(  # noqa: PLR0917 - a place, two descriptions, two choices; a class would only rename them
    given: argparse.Namespace,
    schema: FeatureSchema,
    files: list[InputFile],
    header: list[str],
    shown: list[str],
    encoder: Encoder | None,
) -> int:
    """Write the monitored columns, and id and features where there is an encoder; return the number of records."""
    places, record_id = [header.index(name) for name in shown], header.index(schema.record_id)
    ids, rows = RecordIds(schema.record_id, sensitive=schema.record_id in schema.sensitive), 0
    with (
        OutputFiles(given.output / "monitored" / "monitored.csv", given.files, header=shown) as to_monitor,
        OutputFiles(given.output / "transform" / "features.csv", given.files) as to_transform,
    ):
        for file in files:
            for line, row in read_rows(file, schema.delimiter, header, whole=True):
                rows += 1
                ids.check(row[record_id], file, line)
                to_monitor.writerow([row[place] for place in places])
                if encoder is not None:
                    to_transform.writerow([row[record_id], *encoder.encode(row, line)])
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description="Prepare one day's batch by the model's feature schema.")
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/data"))
    parser.add_argument("--schema", type=Path, default=Path("/opt/ml/processing/input/schema"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--message", type=Path, default=Path("/opt/ml/output/message"))
    parser.add_argument("--files", type=int, default=1, help="number of files to write, for jobs on several machines")
    parser.add_argument("--feature-schema-uri", default="", help="where the schema came from; noted in the report")
    given = parser.parse_args(arguments)
    return run(lambda: prepare_batch(given), given.message)


if __name__ == "__main__":
    sys.exit(main())
