"""Reading Parquet through `pyarrow` or, without it, `polars`, as the raw texts that Spark would cast to.

Which types the container infers from typed columns is not known; here the text rules apply to the cast values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from .csv_file import BLOCK_ROWS, check_parquet
from .errors import AnalyzerError

SLICE_ROWS = 16 * BLOCK_ROWS


def text_of(value: Any) -> str:
    """Return the text of one cell; NaN counts as missing, as pandas writes a null."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is the one value unlike itself
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return str(value)


def _pyarrow(path: Path) -> tuple[list[str], Callable[[], Iterator[list[list[Any]]]]]:
    parquet = import_module("pyarrow.parquet")
    file = parquet.ParquetFile(path)
    names = list(file.schema_arrow.names)

    def blocks() -> Iterator[list[list[Any]]]:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=BLOCK_ROWS):
            yield [column.to_pylist() for column in batch.columns]

    return names, blocks


def _polars(path: Path) -> tuple[list[str], Callable[[], Iterator[list[list[Any]]]]]:
    polars = import_module("polars")
    names = list(polars.scan_parquet(path).collect_schema().names())

    def blocks() -> Iterator[list[list[Any]]]:
        # Slice by slice: reading the file whole would hold it in memory.
        scan, start = polars.scan_parquet(path), 0
        while True:
            part = scan.slice(start, SLICE_ROWS).collect()
            for frame in part.iter_slices(BLOCK_ROWS):
                yield [frame[name].to_list() for name in names]
            if part.height < SLICE_ROWS:
                return
            start += part.height

    return names, blocks


class ParquetFile:
    """One Parquet file: its column names, then its rows in blocks of columns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        check_parquet(path)
        for reader, package in ((_pyarrow, "pyarrow"), (_polars, "polars")):
            try:
                import_module(package)
            except ImportError:
                continue
            self.names, self._blocks = self._guarded(lambda chosen=reader: chosen(path))
            break
        else:
            raise AnalyzerError(
                "reading Parquet needs pyarrow or polars, and neither is installed.",
                file=str(path),
                hint="Give CSV, or use an image that carries one of them.",
            )
        if len(set(self.names)) != len(self.names):
            raise AnalyzerError("two columns share a name.", file=str(path))

    def _guarded(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Exception as error:
            # Both libraries raise many kinds of errors for damaged files; to a person they are one.
            reason = str(error).partition("\n")[0][:200]
            raise AnalyzerError(
                f"this is not a readable Parquet file ({reason}).",
                file=str(self.path),
                hint="Check that it was written to its end.",
            ) from error

    def blocks(self) -> Iterator[list[list[str]]]:
        """Yield blocks of columns: one list of raw texts by column."""
        blocks = self._guarded(self._blocks)
        while True:
            block = self._guarded(lambda: next(blocks, None))
            if block is None:
                return
            if block and block[0]:
                yield [[text_of(value) for value in column] for column in block]

    def locate(self, name: str, text: str) -> int | None:
        """Return the row (Parquet has no lines) in which a column first holds `text`."""
        row, index = 0, self.names.index(name)
        for block in self.blocks():
            if text in block[index]:
                return row + block[index].index(text) + 1
            row += len(block[index])
        return None
