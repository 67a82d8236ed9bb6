"""Reading JSON lines (or one JSON array of records) as raw texts.

Numbers keep the text they have in the file, so that `1.0` stays Fractional and 60-bit ids stay whole. Nested objects
become columns named `outer.inner`, as Spark names a struct's field; lists stay JSON text. How the container itself
flattens is not known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from .csv_file import BLOCK_CHARACTERS, BLOCK_ROWS, check_start, decode_error
from .errors import AnalyzerError
from .json_array import BrokenArrayError, BrokenElementError, JsonArray


class NumberText(str):
    """A JSON number as it stands in the file."""

    __slots__ = ()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def flatten(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (column, raw text) of one record; a null is a missing value."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, _text(value)


class JsonFile:
    """One file of JSON lines, or one JSON array of objects.

    The columns are those of all records, in the order in which they are first met; a record without one of them has a
    missing value there. Two passes over the file keep memory bounded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_start(path)
        self._array = self._is_array()
        names: dict[str, None] = {}
        for _, record in self._records():
            for name in record:
                names.setdefault(name)
        if not names:
            raise AnalyzerError("the file has no records.", file=str(path), hint="Check the job that writes it.")
        self.names = list(names)

    def _is_array(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")

    def _parse(self, text: str, line: int, indent: int = 0) -> Any:
        try:
            return _DECODER.decode(text)
        except json.JSONDecodeError as error:
            raise AnalyzerError(
                f"this is not valid JSON ({error.msg}).",
                file=str(self.path),
                line=line + error.lineno - 1,
                column=error.colno + (indent if error.lineno == 1 else 0),
                hint="Each line needs one whole JSON object, or the file one array of them.",
            ) from error
        except RecursionError as error:
            raise AnalyzerError("this JSON is nested too deeply.", file=str(self.path), line=line) from error
        except ValueError as error:
            raise AnalyzerError(f"this JSON cannot be used ({error}).", file=str(self.path), line=line) from error

    def _documents(self) -> Iterator[tuple[int, Any]]:
        with self.path.open(encoding="utf-8-sig") as file:
            try:
                if self._array:
                    yield from self._elements(file)
                else:
                    for line, text in enumerate(file, start=1):
                        if text.strip():
                            yield line, self._parse(text, line)
            except UnicodeDecodeError as error:
                raise decode_error(self.path) from error

    def _elements(self, file: TextIO) -> Iterator[tuple[int, Any]]:
        try:
            yield from JsonArray(file, _DECODER)
        except BrokenArrayError as error:
            raise AnalyzerError(
                f"this is not valid JSON ({error.what}).",
                file=str(self.path),
                line=error.line,
                hint="Give one array of objects, or one object a line.",
            ) from error
        except BrokenElementError as error:
            self._parse(error.text, error.line, error.indent)
            raise

    def _records(self) -> Iterator[tuple[int, dict[str, str]]]:
        for line, document in self._documents():
            if not isinstance(document, dict):
                raise AnalyzerError(
                    "a record must be a JSON object.",
                    file=str(self.path),
                    line=line,
                    hint="Write one object with named values for every row.",
                )
            record: dict[str, str] = {}
            for name, text in flatten(document):
                if name in record:
                    raise AnalyzerError(f"the record has {name!r} twice.", file=str(self.path), line=line)
                record[name] = text
            try:
                "".join([*record, *record.values()]).encode()
            except UnicodeEncodeError as error:
                raise AnalyzerError(
                    "an escape stands for half a character (a lone surrogate).",
                    file=str(self.path),
                    line=line,
                    hint="Write characters beyond \\uffff as two escapes, or as UTF-8.",
                ) from error
            yield line, record

    def blocks(self) -> Iterator[list[list[str]]]:
        """Yield blocks of columns: one list of raw texts by column, records in file order."""
        block: list[dict[str, str]] = []
        characters = 0
        for _, record in self._records():
            block.append(record)
            characters += sum(map(len, record.values()))
            if len(block) == BLOCK_ROWS or characters > BLOCK_CHARACTERS:
                yield [[row.get(name, "") for row in block] for name in self.names]
                block, characters = [], 0
        if block:
            yield [[row.get(name, "") for row in block] for name in self.names]

    def locate(self, name: str, text: str) -> int | None:
        """Return the line (for an array the record) in which a column first holds `text`."""
        return next((line for line, record in self._records() if record.get(name) == text), None)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


_DECODER = json.JSONDecoder(
    parse_int=NumberText, parse_float=NumberText, parse_constant=_refuse_constant, object_pairs_hook=_unique
)
