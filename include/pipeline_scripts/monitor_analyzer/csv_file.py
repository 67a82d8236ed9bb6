"""Reading CSV as raw texts, in blocks of columns, with the file and line of whatever is wrong.

Follows RFC 4180: comma, double quotes doubled inside quotes, line breaks inside quotes, LF, CRLF or CR. As Spark does,
blank lines are skipped, a missing value is an empty field, quoted or not, and spaces belong to the value.
Unlike Spark, a row that is too short or too long is an error: filling it with nulls would shift or lose values.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from .errors import AnalyzerError

# A block of rows ends at whichever comes first, so that wide rows and long texts do not make it large.
BLOCK_ROWS = 4096
BLOCK_CELLS = 1 << 18
BLOCK_CHARACTERS = 1 << 24
# A quote that is never closed swallows the rest of the file: no honest field is this long.
LONGEST_FIELD = 1 << 20
_MARKS = {
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PAR1": "Parquet",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstandard",
}


def check_start(path: Path) -> None:
    """Raise for a file that is empty or begins like something else than text.

    Raises:
        AnalyzerError: empty, compressed, Parquet or UTF-16.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise AnalyzerError("the file is empty.", file=str(path), hint="Check the job that writes it.")
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            raise AnalyzerError(
                f"the file is {name}, not text.",
                file=str(path),
                line=1,
                column=1,
                hint="Give plain UTF-8 text, or name the right dataset format.",
            )


def check_parquet(path: Path) -> None:
    """Raise for a file that has not Parquet's mark at both ends.

    Raises:
        AnalyzerError: empty, of another kind, or truncated.
    """
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(0, path.stat().st_size - 4))
        end = file.read(4)
    if start != b"PAR1" or end != b"PAR1":
        what = "empty" if not start else "truncated" if start == b"PAR1" else "no Parquet file"
        raise AnalyzerError(f"the file is {what}.", file=str(path), hint="Check dataset_format and the job's input.")


def decode_error(path: Path) -> AnalyzerError:
    """Return the error that names line and column of the first byte that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return AnalyzerError(
                    f"byte 0x{line[error.start]:02x} is not UTF-8.",
                    file=str(path),
                    line=number,
                    column=error.start + 1,
                    hint="Save the file as UTF-8 (it looks like Latin-1 or Windows-1252).",
                )
    return AnalyzerError("the text is not UTF-8.", file=str(path), hint="Save the file as UTF-8.")


def header_names(fields: Sequence[str], path: Path) -> list[str]:
    """Return the column names of a header row, made unique as Spark makes them.

    An empty name becomes `_c<index>`; names that differ only in case get their index appended.

    Raises:
        AnalyzerError: two columns would still share a name.
    """
    folded = [name.lower() for name in fields]
    names = [
        f"_c{index}" if not name else f"{name}{index}" if folded.count(folded[index]) > 1 else name
        for index, name in enumerate(fields)
    ]
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise AnalyzerError(
                f"two columns are called {name!r}.",
                file=str(path),
                line=1,
                column=index + 1,
                hint="Give every column a name of its own.",
            )
        seen.add(name)
    return names


class CsvFile:
    """One CSV file: its column names, then its rows in blocks of columns.

    Args:
        path: the file.
        header: whether the first row holds the names; otherwise they are `_c0`, `_c1`...
    """

    def __init__(self, path: Path, *, header: bool) -> None:
        self.path, self.header = path, header
        check_start(path)
        with self._open() as file:
            first = next(self._rows(file), None)
        if first is None:
            raise AnalyzerError("the file has no rows.", file=str(path), hint="Check the job that writes it.")
        fields = first[1]
        self.names = header_names(fields, path) if header else [f"_c{index}" for index in range(len(fields))]

    def _open(self) -> TextIO:
        return self.path.open(encoding="utf-8-sig", newline="")

    def _rows(self, file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield (line, fields) of every row that is not blank."""
        reader = csv.reader(file, strict=True)
        start = 1
        before = csv.field_size_limit(LONGEST_FIELD)
        try:
            for fields in reader:
                start = reader.line_num + 1
                if fields and not (len(fields) == 1 and not fields[0].strip()):
                    yield reader.line_num, fields
        except csv.Error as error:
            raise AnalyzerError(
                f"this is not valid CSV ({error}).",
                file=str(self.path),
                line=start,
                hint="Look for a quote that is not closed or not doubled, or a truncated file.",
            ) from error
        except UnicodeDecodeError as error:
            raise decode_error(self.path) from error
        finally:
            csv.field_size_limit(before)

    def blocks(self) -> Iterator[list[tuple[str, ...]]]:
        """Yield blocks of columns: one tuple of raw texts by column, rows in file order.

        Raises:
            AnalyzerError: a row of another width, invalid quoting, text that is not UTF-8.
        """
        width = len(self.names)
        most = max(1, min(BLOCK_ROWS, BLOCK_CELLS // width))
        block: list[list[str]] = []
        characters = 0
        with self._open() as file:
            rows = self._rows(file)
            if self.header:
                next(rows)
            for line, fields in rows:
                if len(fields) != width:
                    raise self._ragged(line, len(fields), width)
                block.append(fields)
                characters += sum(map(len, fields))
                if len(block) == most or characters > BLOCK_CHARACTERS:
                    yield list(zip(*block, strict=True))
                    block, characters = [], 0
            if block:
                yield list(zip(*block, strict=True))

    def locate(self, name: str, text: str) -> int | None:
        """Return the line on which a column first holds `text`."""
        index = self.names.index(name)
        with self._open() as file:
            for line, fields in self._rows(file):
                if len(fields) > index and fields[index] == text:
                    return line
        return None

    def _ragged(self, line: int, found: int, expected: int) -> AnalyzerError:
        return AnalyzerError(
            f"this row has {found} field{'s' * (found != 1)}, the first row has {expected}.",
            file=str(self.path),
            line=line,
            column=min(found, expected) + 1,
            hint="Likely a comma without quotes, another delimiter, or a truncated file.",
        )
