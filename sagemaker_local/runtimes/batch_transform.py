"""Batch transform with an XGBoost model: ``python -m sagemaker_local.runtimes.batch_transform --ml /opt/ml``.

Each input file becomes ``<file>.out``: split into records (real CSV quoting), filtered, packed into payloads of at most
MaxPayloadInMB, predicted, joined, filtered again, assembled. One payload is in memory at a time.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import xgboost

from sagemaker_local.runtimes.jsonpath import PathError, selector

_MODEL = "xgboost-model"
_MEGABYTE = 1024 * 1024
_DEFAULT_MAX = 6
# MaxPayloadInMB 0 means no limit at AWS (chunked upload); memory stays bounded here all the same.
_UNLIMITED = 64 * _MEGABYTE

Select = Callable[[list[str]], list[str]]


class UserError(Exception):
    """What the person gave is wrong; the message is the job's failure."""


class Transform:
    """What a job asks for, checked."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Read ``transformjobconfig.json``.

        Raises:
            UserError: it asks for what the container refuses.
        """
        content_type = config["ContentType"].partition(";")[0].strip().lower()
        if content_type not in ("text/csv", "csv"):
            raise UserError(
                f"Content type {config['ContentType']!r} is not supported by the local runtime. "
                "Set ContentType: text/csv in TransformInput."
            )
        if config["SplitType"] not in ("Line", "None"):
            raise UserError(f"SplitType {config['SplitType']} is not supported for text/csv; use Line or None.")
        processing = config["DataProcessing"]
        self.split = config["SplitType"] == "Line"
        self.join = processing.get("JoinSource", "None") == "Input"
        try:
            self.input_filter: Select = selector(processing.get("InputFilter", "$"))
            self.output_filter: Select = selector(processing.get("OutputFilter", "$"))
        except PathError as error:
            raise UserError(str(error)) from error
        self.filters_output = processing.get("OutputFilter", "$") not in ("", "$")
        self.assemble = config["AssembleWith"] == "Line"
        limit = config["MaxPayloadInMB"]
        self.limit = limit * _MEGABYTE if limit else _UNLIMITED
        self.megabytes = limit
        self.one_by_one = config["BatchStrategy"] == "SingleRecord"
        if self.join and not (self.split and self.assemble):
            raise UserError("JoinSource Input needs SplitType Line and AssembleWith Line (a result for each record).")

    def payloads(self, file: IO[str], name: str) -> Iterator[tuple[list[list[str]], list[list[str]]]]:
        """Yield (records, filtered records) of each payload.

        Raises:
            UserError: a record does not fit into a payload.
        """
        records: list[list[str]] = []
        filtered: list[list[str]] = []
        size = 0
        for number, record in enumerate(_records(file, name), 1):
            features = self._filter(record, name, number)
            length = sum(map(len, features)) + len(features)
            if length > self.limit:
                raise UserError(
                    f"Record {number} of {name} has {length} bytes, more than MaxPayloadInMB ({self.megabytes}) allows."
                )
            if records and (size + length > self.limit or self.one_by_one) and self.split:
                yield records, filtered
                records, filtered, size = [], [], 0
            records.append(record)
            filtered.append(features)
            size += length
            if not self.split and size > self.limit:
                raise UserError(
                    f"{name} exceeds MaxPayloadInMB ({self.megabytes}) and SplitType is None. Use SplitType Line."
                )
        if records:
            yield records, filtered

    def _filter(self, record: list[str], name: str, number: int) -> list[str]:
        try:
            return self.input_filter(record)
        except PathError as error:
            raise UserError(f"InputFilter, record {number} of {name}: {error}") from error


def _records(file: IO[str], name: str) -> Iterator[list[str]]:
    reader = csv.reader(file, strict=True)
    try:
        for record in reader:
            if record:  # an empty line is no record
                yield record
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num}: {error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is no UTF-8 text: {error}") from error


class Model:
    """The booster of a model artifact."""

    def __init__(self, archive: Path) -> None:
        """Load ``xgboost-model`` of a model.tar.gz.

        Raises:
            UserError: there is none, or it is no XGBoost model.
        """
        if not archive.exists():
            raise UserError("The model has no ModelDataUrl.")
        try:
            with tarfile.open(archive, "r:gz") as tar:
                members = [member for member in tar if Path(member.name).name == _MODEL and member.isfile()]
                if len(members) != 1:
                    raise UserError(f"The model artifact holds {len(members)} files named {_MODEL}; one is needed.")
                source = tar.extractfile(members[0])
                content = source.read() if source is not None else b""
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UserError(f"The model artifact is no tar.gz: {error}") from error
        self._booster = xgboost.Booster()
        try:
            self._booster.load_model(bytearray(content))
        except xgboost.core.XGBoostError as error:
            raise UserError(f"Model {_MODEL} cannot be loaded: {error}") from error

    def predict(self, rows: list[list[str]], where: str) -> list[str]:
        """Return a prediction for each row, as the container writes it.

        Raises:
            UserError: text in a feature, or another number of features than the model was trained with.
        """
        widths = {len(row) for row in rows}
        if len(widths) > 1:
            raise UserError(f"{where}: the records have different numbers of fields: {sorted(widths)}.")
        (width,) = widths
        expected = self._booster.num_features()
        if width != expected:
            raise UserError(
                f"{where}: Unable to evaluate payload provided: Feature shape mismatch, "
                f"expected: {expected}, got {width}"
            )
        predicted = self._booster.inplace_predict(_numbers(rows, where), missing=np.nan)
        return [str(value) for value in predicted.tolist()]


def _numbers(rows: list[list[str]], where: str) -> np.ndarray:
    try:
        return np.array(rows, dtype=np.float32)
    except ValueError:  # an empty field (a missing value), or text
        pass
    table = np.empty((len(rows), len(rows[0])), dtype=np.float32)
    for number, row in enumerate(rows):
        for column, field in enumerate(row):
            text = field.strip()
            try:
                table[number, column] = float(text) if text else np.nan
            except ValueError as error:
                raise UserError(
                    f"{where}: Loading csv data failed with Exception: could not convert {field!r} "
                    f"(feature {column + 1}) to a number"
                ) from error
    return table


def transform_file(job: Transform, model: Model, source: Path, target: Path, name: str) -> int:
    """Write the predictions of one file and return their number."""
    target.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    with source.open(newline="", encoding="utf-8") as file, target.open("w", newline="", encoding="utf-8") as out:
        for records, filtered in job.payloads(file, name):
            where = f"{name}, records {done + 1} to {done + len(records)}"
            predictions = model.predict(filtered, where)
            if len(predictions) != len(records):
                raise UserError(
                    f"{where}: the model returned {len(predictions)} predictions for {len(records)} records."
                )
            out.write(_assembled(job, records, predictions, where))
            done += len(records)
    return done


def _assembled(job: Transform, records: list[list[str]], predictions: list[str], where: str) -> str:
    if not job.join and not job.filters_output:
        return "\n".join(predictions) + "\n"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    try:
        for record, prediction in zip(records, predictions, strict=True):
            row = [*record, prediction] if job.join else [prediction]
            writer.writerow(job.output_filter(row))
    except PathError as error:
        raise UserError(f"OutputFilter, {where}: {error}") from error
    return buffer.getvalue()


def main() -> int:
    """Transform every file, and return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ml", type=Path, default=Path("/opt/ml"))
    ml: Path = parser.parse_args().ml
    csv.field_size_limit(_UNLIMITED)
    try:
        config = json.loads((ml / "config/transformjobconfig.json").read_text())
        job, model = Transform(config), Model(ml / "model.tar.gz")
        for name in config["Files"]:
            count = transform_file(job, model, ml / "input/data" / name, ml / "output/data" / f"{name}.out", name)
            print(f"{name}: {count} records", flush=True)
    except UserError as error:
        print(f"[ERROR] {error}", flush=True)
        (ml / "output" / "failure").write_text(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
