"""CSV text into a matrix of numbers: fast when all is well, with care for file, line and column when not."""

from __future__ import annotations

import csv
import io
from typing import TypeAlias

import numpy as np
import polars as pl

from sagemaker_local.runtimes.failure import UserError

Matrix: TypeAlias = np.ndarray  # float32, (rows, columns)


def parse(text: bytes, columns: int, *, delimiter: str = ",", name: str, first_line: int = 1) -> Matrix:
    """Return the numbers of CSV text without a header; an empty cell is NaN, a blank line is none.

    Args:
        text: UTF-8, whole lines.
        columns: how many each line must have.
        delimiter: between cells.
        name: of the file, for errors.
        first_line: number of the first line of the text in that file.

    Raises:
        UserError: a cell is no number, or a line has more or fewer cells.
    """
    quick = _quick(text, columns, delimiter)
    return quick if quick is not None else _careful(text, columns, delimiter, name, first_line)


def _quick(text: bytes, columns: int, delimiter: str) -> Matrix | None:
    """Return the matrix, or None when something is not as simple as it should be."""
    if b'"' in text:
        return None
    schema = {f"c{number}": pl.Float32 for number in range(columns)}
    try:
        frame = pl.read_csv(text, has_header=False, schema=schema, separator=delimiter, glob=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        return None
    # Polars fills a short line with nulls, and what it makes of a blank one is its own affair: counting tells.
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    if frame.height != lines or text.count(delimiter.encode()) != frame.height * (columns - 1):
        return None
    return frame.to_numpy(order="c")


def _careful(text: bytes, columns: int, delimiter: str, name: str, first_line: int) -> Matrix:
    rows: list[list[float]] = []
    for line, cells in located_rows(text, delimiter, name, first_line):
        if len(cells) != columns:
            raise UserError(
                f"{name}, line {line}: {len(cells)} columns, where {columns} are expected. Every line needs the same "
                f"number of cells, separated by {delimiter!r}."
            )
        rows.append([number(cell, name, line, column) for column, cell in enumerate(cells, 1)])
    return np.array(rows, dtype=np.float32).reshape(len(rows), columns)


def located_rows(text: bytes, delimiter: str, name: str, first_line: int = 1) -> list[tuple[int, list[str]]]:
    """Return (line in the file, cells) for every line that is not blank.

    Raises:
        UserError: the text is no UTF-8 or no CSV.
    """
    found: list[tuple[int, list[str]]] = []
    try:
        reader = csv.reader(io.StringIO(text.decode(), newline=""), delimiter=delimiter, strict=True)
    except UnicodeDecodeError as error:
        line = first_line + text[: error.start].count(b"\n")
        raise UserError(
            f"{name}, line {line}: this is no UTF-8 text ({error.reason}). Is the file compressed?"
        ) from None
    try:
        before = 0
        for cells in reader:
            if cells:
                found.append((first_line + before, cells))
            before = reader.line_num
    except csv.Error as error:
        raise UserError(
            f"{name}, line {first_line + max(reader.line_num - 1, 0)}: this is no CSV ({error}). Is a quote not closed?"
        ) from None
    return found


def number(cell: str, name: str, line: int, column: int) -> float:
    """Return the value of a cell, NaN when it is empty.

    Raises:
        UserError: it is no number.
    """
    text = cell.strip()
    if not text:
        return float("nan")
    try:
        # Python reads 1_000 as a number, and no other program does.
        return float(text.replace("_", "?"))
    except ValueError:
        hint = " The data must have no header line." if line == 1 else " Encode text as numbers first."
        raise UserError(f"{name}, line {line}, column {column}: {cell[:60]!r} is not a number.{hint}") from None


def sniff(first: str) -> str:
    """Return the delimiter of a line: the most frequent of comma, tab, semicolon, bar and blank."""
    return max(",\t;| ", key=first.count)
