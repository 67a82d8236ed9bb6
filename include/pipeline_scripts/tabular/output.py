"""CSV files as they leave a job: one, or several that are dealt the records in turn, for jobs on several machines."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class OutputFiles:
    """A writer of records; a context manager that closes its files.

    The first file is there even without a record. The others come with their first record, so that no machine is sent
    an empty one.
    """

    def __init__(self, path: Path, count: int = 1, header: Sequence[str] | None = None) -> None:
        """Prepare; nothing is written yet.

        Args:
            path: of the one file; several are named after it, `<stem>-00001.csv` and so on.
            count: of files.
            header: the first line of each, if any.
        """
        self.path, self.header = path, header
        self.count = max(count, 1)
        self._streams: list[Any] = []
        self._writers: list[Any] = []
        self._next = 0

    def __enter__(self) -> OutputFiles:  # noqa: PYI034 - Self came with Python 3.11
        """Make the first file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        """Close all."""
        for stream in self._streams:
            stream.close()

    def writerow(self, cells: Sequence[Any]) -> None:
        """Write one record to the file whose turn it is."""
        if self._next == len(self._writers):
            self._open()
        self._writers[self._next].writerow(cells)
        self._next = (self._next + 1) % self.count

    def _open(self) -> None:
        name = self.path.name
        if self.count > 1:
            name = f"{self.path.stem}-{len(self._streams) + 1:05d}{self.path.suffix}"
        stream = self.path.with_name(name).open("w", encoding="utf-8", newline="")
        self._streams.append(stream)
        self._writers.append(csv.writer(stream, lineterminator="\n"))
        if self.header is not None:
            self._writers[-1].writerow(self.header)
