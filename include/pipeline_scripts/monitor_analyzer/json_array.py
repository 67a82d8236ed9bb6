"""One JSON array of records, read element by element: no more of it is in memory than an element and a read ahead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

# A record that is longer is no honest one.
LONGEST_RECORD = 1 << 26
READ = 1 << 20
SPACE = " \t\r\n"


class BrokenArrayError(Exception):
    """What is wrong with the array between its elements, and the line."""

    def __init__(self, what: str, line: int) -> None:
        self.what, self.line = what, line
        super().__init__(what)


class BrokenElementError(Exception):
    """An element that cannot be read: its text as far as it was read, its line, and how far it is indented."""

    def __init__(self, text: str, line: int, indent: int) -> None:
        self.text, self.line, self.indent = text, line, indent
        super().__init__()


class JsonArray:
    """The array that a file holds.

    Args:
        file: an open text file whose first character that is no white space is a bracket.
        decoder: how elements are read.
    """

    def __init__(self, file: TextIO, decoder: json.JSONDecoder) -> None:
        self.file, self.decoder = file, decoder
        self.text, self.at, self.line = "", 0, 1

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Yield (line on which it begins, element).

        Raises:
            BrokenArrayError: brackets, commas, or elements that are no objects.
            BrokenElementError: an element is not valid.
        """
        self._next()
        self.at += 1
        mark = "]" if self._next() == "]" else ","
        if mark == "]":
            self.at += 1
        while mark == ",":
            if self._next() != "{":
                self._broken("an array of records holds objects only" if self._next() else "the array is not closed")
            yield self._element()
            mark = self._next()
            self.at += 1
        if mark != "]":
            self._broken("a comma or the end of the array is missing" if mark else "the array is not closed")
        if self._next():
            self._broken("something follows the array")

    def _broken(self, what: str) -> None:
        raise BrokenArrayError(what, self.line)

    def _next(self) -> str:
        """Move over white space and return the character after it; nothing at the file's end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in SPACE:
                    return self.text[self.at]
                self.line += self.text[self.at] == "\n"
                self.at += 1
            self.text, self.at = self.file.read(READ), 0
            if not self.text:
                return ""

    def _element(self) -> tuple[int, Any]:
        line, indent = self.line, self.at - self.text.rfind("\n", 0, self.at) - 1
        while True:
            begin = self.at
            try:
                element, self.at = self.decoder.raw_decode(self.text, begin)
            except (ValueError, RecursionError) as error:
                # Cut off by the end of what was read, or wrong: more text tells.
                self.text, self.at = self.text[begin:], 0
                more = self.file.read(len(self.text) + READ) if len(self.text) < LONGEST_RECORD else ""
                if not more:
                    raise BrokenElementError(self.text, line, indent) from error
                self.text += more
            else:
                self.line += self.text.count("\n", begin, self.at)
                return line, element
