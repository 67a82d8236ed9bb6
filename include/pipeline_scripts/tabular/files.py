"""CSV files as they arrive: every cell stays the text that it was, and damage is told with file and line."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabular.job import InputError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"PAR1": "Parquet",
}
CELL_LIMIT = 1 << 20
CHUNK = 1 << 20


@dataclass(frozen=True)
class InputFile:
    """One input file: name (relative to the input folder), size in bytes, MD5 in hex."""

    path: Path
    name: str
    size: int
    md5: str


def find_inputs(folder: Path) -> list[InputFile]:
    """List the CSV files of a folder by name; markers such as _SUCCESS and hidden files are none.

    Raises:
        InputError: there is none, or one is empty, compressed or of another kind.
    """
    found = []
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.name.startswith(("_", ".")):
            continue
        head, size, digest = b"", 0, hashlib.md5(usedforsecurity=False)
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                head = head or chunk[:8]
                size += len(chunk)
                digest.update(chunk)
        for magic, kind in MAGIC.items():
            if head.startswith(magic):
                raise InputError(f"{name} is a {kind} file, expected plain CSV text. Send it uncompressed, as .csv.")
        if path.suffix.lower() != ".csv":
            raise InputError(f"{name} is no .csv file. Only CSV files (and markers such as _SUCCESS) may lie there.")
        if size == 0:
            raise InputError(f"{name} is empty (0 bytes): not even a header. Send the file again.")
        found.append(InputFile(path, name, size, digest.hexdigest()))
    if not found:
        raise InputError("There is no input: the input prefix holds no .csv file. Check the day and the prefix.")
    return found


def read_header(file: InputFile, delimiter: str, expected: Sequence[str]) -> list[str]:
    """Return the column names of a file.

    Raises:
        InputError: there is none, names are empty or stand twice, or the file uses another delimiter.
    """
    with _rows(file, delimiter) as rows:
        header = next(rows, [])
    if not any(header):
        raise InputError(f"{file.name}: the first line is blank, expected the column names.")
    _check_delimiter(file, header, delimiter, expected)
    for name in header:
        if not name.strip():
            raise InputError(f"{file.name}: a column has no name. Each column needs one.")
        if header.count(name) > 1:
            raise InputError(f"{file.name}: the column {name!r} stands twice in the header. Keep one.")
    return header


def read_rows(
    file: InputFile, delimiter: str, header: Sequence[str], *, whole: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each record; blank lines are skipped.

    With `whole` the file must end with a line break: a file cut within its last cell looks complete otherwise.

    Raises:
        InputError: a record has too few or too many cells, a quote stays open, it holds no record, or it was cut.
    """
    cut = not _ends_with_line_break(file.path)
    count = 0
    with _rows(file, delimiter) as rows:
        next(rows, None)
        for row in rows:
            if not row:
                continue
            count += 1
            if len(row) != len(header):
                if cut and next(rows, None) is None:
                    raise InputError(_truncated(file, rows.line_num, f"it has {len(row)} of {len(header)} cells"))
                raise InputError(
                    f"{file.name}, line {rows.line_num}: {len(row)} cells, but the header names {len(header)} columns. "
                    "Quote cells that hold the delimiter."
                )
            yield rows.line_num, row
        if not count:
            raise InputError(f"{file.name} has a header and no record. Send the records, or no file for the day.")
        if cut and whole:
            raise InputError(_truncated(file, rows.line_num, "it has no line break at its end"))


class _Rows:
    """A csv reader that tells what is wrong in a person's words."""

    def __init__(self, file: InputFile, stream: Any, delimiter: str) -> None:
        self.file = file
        self.reader = csv.reader(stream, delimiter=delimiter, strict=True)

    @property
    def line_num(self) -> int:
        return self.reader.line_num

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> list[str]:
        try:
            return next(self.reader)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.file.name}: after line {self.line_num} stands text that is not UTF-8 "
                f"({error.reason}, byte {error.object[error.start]:#04x}). Save the file as UTF-8."
            ) from error
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise InputError(_truncated(self.file, self.line_num, "a quoted cell is not closed")) from error
            raise InputError(f"{self.file.name}, line {self.line_num}: this is no CSV ({error}).") from error


@contextmanager
def _rows(file: InputFile, delimiter: str) -> Iterator[_Rows]:
    csv.field_size_limit(CELL_LIMIT)
    # utf-8-sig drops the byte order mark that spreadsheets write; newline="" leaves line breaks within quotes alone.
    with file.path.open(encoding="utf-8-sig", newline="") as stream:
        yield _Rows(file, stream, delimiter)


def _check_delimiter(file: InputFile, header: list[str], delimiter: str, expected: Sequence[str]) -> None:
    known = len(set(header) & set(expected))
    if expected and known == len(expected):
        return
    with file.path.open(encoding="utf-8-sig", newline="") as stream:
        line = stream.readline(CELL_LIMIT)
    for other, called in DELIMITERS.items():
        if other == delimiter:
            continue
        names = next(csv.reader([line], delimiter=other), [])
        fits = len(set(names) & set(expected)) if expected else len(names)
        if fits > max(known, 1) and (expected or len(header) == 1):
            raise InputError(
                f"{file.name}: columns are separated by a {called}, expected a {DELIMITERS.get(delimiter, delimiter)}. "
                "Send it with that delimiter, or change data.delimiter of the use case and train again."
            )


def _ends_with_line_break(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) in b"\r\n"


def _truncated(file: InputFile, line: int, why: str) -> str:
    return (
        f"{file.name} is truncated: in its last line ({line}) {why}. "
        "The transfer probably broke off: send the file again (a complete file ends with a line break)."
    )
