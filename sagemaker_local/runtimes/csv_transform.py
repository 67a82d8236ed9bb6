"""CSV records to predictions: a chunk at a time in columns when all is well, with care for each record when not.

Both ways write the same bytes. Fields of the input keep their text (``007`` stays ``007``) and are quoted again where
they need it. A prediction of several values (multi:softprob) is one field, a list in brackets.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sagemaker_local.runtimes import jsonpath, numeric_csv
from sagemaker_local.runtimes.chunks import Chunk
from sagemaker_local.runtimes.failure import UserError
from sagemaker_local.runtimes.model_artifact import Model, shape_mismatch, texts
from sagemaker_local.runtimes.transform_config import TransformConfig

_DELIMITER = ","
# Between these, Python and Polars write a double alike; outside, Python's exponents have two digits.
_PLAIN_LOW, _PLAIN_HIGH = 1e-4, 1e16
# How Polars writes a smaller one, and Python: ``4e-05``, not ``0.00004`` or ``4e-5``.
_SMALL = (
    (r"e-(\d)$", "e-0${1}"),
    (r"^(-?)0\.0000([1-9])$", "${1}${2}e-05"),
    (r"^(-?)0\.0000([1-9])(\d+)$", "${1}${2}.${3}e-05"),
)


@dataclass(frozen=True)
class Table:
    """The records of a chunk.

    Attributes:
        chunk: where they stand.
        features: float32, one row a record.
        output: what each output line is made of, None for the prediction; or
        rows: all fields of each record, where they had to be read with care.
    """

    chunk: Chunk
    features: np.ndarray
    output: list[pl.Series | None]
    rows: list[list[str]] | None


class CsvTransform:
    """The transform of one file; `parse` may run ahead of `predict` in another thread."""

    def __init__(self, config: TransformConfig, model: Model, name: str) -> None:
        """Remember what to do.

        Args:
            config: the request.
            model: to predict with.
            name: of the file, for errors.
        """
        self._config = config
        self._model = model
        self._name = name
        self._join = config.join

    def parse(self, chunk: Chunk) -> Table:
        """Read the records of a chunk.

        Raises:
            UserError: a filter does not suit a record, or a feature is no number.
        """
        return self._quick(chunk) or self._careful(chunk)

    def predict(self, table: Table) -> bytes:
        """Return the output lines of a chunk.

        Raises:
            UserError: the model cannot take the features, or OutputFilter does not suit a record.
        """
        if not len(table.features):
            return b""
        where = f"{self._name}, records from line {table.chunk.first_line}"
        scores = self._model.predict(table.features, where)
        if not self._join and self._config.output_filter in {"", "$"}:
            return self._plain(scores)
        if table.rows is None and scores.ndim == 1:
            return self._columns(table, scores)
        rows = table.rows if table.rows is not None else self._careful(table.chunk).rows or []
        return self._written(rows, scores, where)

    def _quick(self, chunk: Chunk) -> Table | None:
        """Return the chunk as columns, or None when something in it asks for care."""
        text = chunk.text
        if self._config.limit is not None and len(text) > self._config.limit:
            return None
        try:
            width = len(next(csv.reader([text[: text.find(b"\n") + 1 or len(text)].decode()]), ()))
            inputs = jsonpath.csv_indices(self._config.input_filter, width)
            joined = width + 1 if self._join else 1
            outputs = jsonpath.csv_indices(self._config.output_filter, joined)
        except (jsonpath.PathError, UnicodeDecodeError, csv.Error):
            return None
        kept = {index for index in outputs if index < width} if self._join else set()
        if not width or len(set(inputs)) != len(inputs) or len(set(outputs)) != len(outputs):
            return None
        numeric = set(inputs) - kept
        schema = {f"c{index}": pl.Float32 if index in numeric else pl.String for index in range(width)}
        try:
            frame = pl.read_csv(text, has_header=False, schema=schema, separator=_DELIMITER, glob=False)
            features = frame.select(pl.col(f"c{index}").cast(pl.Float32) for index in inputs)
        except pl.exceptions.PolarsError:
            return None
        if not self._whole(frame, text, width):
            return None
        matrix = features.to_numpy(order="c")
        return Table(chunk, matrix, [frame[f"c{index}"] if index in kept else None for index in outputs], None)

    @staticmethod
    def _whole(frame: pl.DataFrame, text: bytes, width: int) -> bool:
        """Tell whether each line gave one record of all fields: Polars fills short lines with nulls, silently."""
        # A line of too many fields is an error of Polars'; a short one leaves the last field without a value.
        full = width > 1 and frame[f"c{width - 1}"].null_count() == 0
        if b'"' in text:  # delimiters cannot be counted here
            return full
        lines = text.count(b"\n") + (not text.endswith(b"\n"))
        return frame.height == lines and (full or text.count(_DELIMITER.encode()) == lines * (width - 1))

    def _careful(self, chunk: Chunk) -> Table:
        rows: list[list[str]] = []
        features: list[list[float]] = []
        for line, record in numeric_csv.located_rows(chunk.text, _DELIMITER, self._name, chunk.first_line):
            try:
                inputs = jsonpath.csv_indices(self._config.input_filter, len(record))
            except jsonpath.PathError as error:
                raise UserError(f"InputFilter, {self._name}, line {line}: {error}") from error
            self._check_size(record, inputs, line)
            if len(inputs) != self._model.features:
                raise shape_mismatch(f"{self._name}, line {line}", self._model.features, len(inputs))
            rows.append(record)
            features.append([numeric_csv.number(record[index], self._name, line, index + 1) for index in inputs])
        matrix = np.array(features, dtype=np.float32).reshape(len(rows), self._model.features)
        return Table(chunk, matrix, [], rows)

    def _check_size(self, record: list[str], inputs: list[int], line: int) -> None:
        limit = self._config.limit
        if limit is not None and sum(len(record[index].encode()) + 1 for index in inputs) > limit:
            raise UserError(
                f"{self._name}, line {line}: the record is larger than MaxPayloadInMB ({self._config.megabytes}). Is a "
                "quote not closed, or a line break missing?"
            )

    @staticmethod
    def _plain(scores: np.ndarray) -> bytes:
        if scores.ndim == 1:
            return _lines([], scores)
        return ("\n".join(texts(scores)) + "\n").encode()

    @staticmethod
    def _columns(table: Table, scores: np.ndarray) -> bytes:
        *before, last = table.output
        given = [series for series in before if series is not None]
        if last is None and len(given) == len(before):
            return _lines(given, scores)
        frame = pl.DataFrame(
            [
                (_score_texts(scores) if series is None else series).alias(f"o{position}")
                for position, series in enumerate(table.output)
            ]
        )
        return _filled(frame).write_csv(include_header=False, quote_style="necessary").encode()

    def _written(self, rows: list[list[str]], scores: np.ndarray, where: str) -> bytes:
        buffer = io.StringIO()
        writer: Any = csv.writer(buffer, lineterminator="\n")
        try:
            for record, score in zip(rows, texts(scores), strict=True):
                joined = [*record, score] if self._join else [score]
                writer.writerow(
                    [joined[index] for index in jsonpath.csv_indices(self._config.output_filter, len(joined))]
                )
        except jsonpath.PathError as error:
            raise UserError(f"OutputFilter, {where}: {error}") from error
        return buffer.getvalue().encode()


def _lines(before: list[pl.Series], scores: np.ndarray) -> bytes:
    """Return lines of the input's fields and a score at the end."""
    doubles = scores.astype(np.float64)
    size = np.abs(doubles)
    plain = bool(((size < _PLAIN_HIGH) & ((size >= _PLAIN_LOW) | (size == 0))).all())  # neither NaN nor infinite either
    column = pl.Series("score", doubles) if plain else _score_texts(scores)
    frame = pl.DataFrame([series.alias(f"o{position}") for position, series in enumerate(before)])
    whole = _filled(frame).hstack([column.alias("score")]) if before else pl.DataFrame([column.alias("score")])
    return whole.write_csv(include_header=False, quote_style="necessary" if before else "never").encode()


def _filled(frame: pl.DataFrame) -> pl.DataFrame:
    """Return texts with null for the empty one, which would be written as two quotes, and null as nothing."""
    return frame.with_columns(pl.when(pl.all() != "").then(pl.all())) if frame.width else frame


def _score_texts(scores: np.ndarray) -> pl.Series:
    """Return scores as the container writes them: as doubles, in the shortest form that Python reads back."""
    doubles = scores.astype(np.float64)
    series = pl.Series("score", doubles).cast(pl.String)
    size = np.abs(doubles)
    small = np.flatnonzero((size < _PLAIN_LOW) & (size > 0))
    if len(small):
        texts = series.gather(small)
        for pattern, replacement in _SMALL:
            texts = texts.str.replace(pattern, replacement)
        series = series.scatter(small, texts)
    odd = np.flatnonzero(~(size < _PLAIN_HIGH))
    if len(odd):
        series = series.scatter(odd, [str(value) for value in doubles[odd].tolist()])
    return series
