"""A dataset: the files of a folder in one format, read as raw texts and profiled in one pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from . import compiled
from .csv_file import CsvFile
from .errors import AnalyzerError, ValueBeyondDoubleError
from .hooks import PreprocessedFile, Preprocessor
from .json_file import JsonFile
from .parquet_file import ParquetFile
from .profile import Profile, profile_blocks

Block = Sequence[Sequence[str]]


class DataFile(Protocol):
    """One file of a dataset: its columns and its rows as blocks of raw texts."""

    path: Path
    names: list[str]

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of columns; an empty text is a missing value."""
        ...

    def locate(self, name: str, text: str) -> int | None:
        """Return the line on which a column first holds `text`."""
        ...


@dataclass(frozen=True)
class DatasetFormat:
    """The container's `dataset_format`: kind is csv, json or parquet; header only means something for CSV."""

    kind: str = "csv"
    header: bool = True

    @classmethod
    def parse(cls, text: str) -> DatasetFormat:
        """Return the format of the environment's JSON text, such as `{"csv":{"header":true}}`.

        Raises:
            AnalyzerError: not JSON, or a format that is not read here.
        """
        hint = 'Give for example {"csv": {"header": true}}, {"json": {"lines": true}} or {"parquet": {}}.'
        try:
            document = json.loads(text)
        except ValueError as error:
            raise AnalyzerError(f"dataset_format is not JSON: {text[:80]!r}.", hint=hint) from error
        kinds = [kind for kind in ("csv", "json", "parquet") if isinstance(document, dict) and kind in document]
        if len(kinds) != 1:
            raise AnalyzerError(f"dataset_format {text[:80]!r} is not one of csv, json and parquet.", hint=hint)
        options = document[kinds[0]] or {}
        if not isinstance(options, dict):
            raise AnalyzerError(f"dataset_format {text[:80]!r}: {kinds[0]} needs an object.", hint=hint)
        header = options.get("header", False)
        if isinstance(header, str) and header.lower() in {"true", "false"}:
            header = header.lower() == "true"
        if not isinstance(header, bool):
            raise AnalyzerError(f"dataset_format {text[:80]!r}: header must be true or false.", hint=hint)
        return cls(kinds[0], header)


def _found(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return sorted(
        path
        for path in source.rglob("*")
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(source).parts)
    )


def has_files(source: Path) -> bool:
    """Whether a dataset has any file."""
    return bool(_found(source))


def files_of(source: Path) -> list[Path]:
    """Return the data files of a folder (or the one file), in the order of their names.

    Hidden files and those that begin with an underscore are markers, as for Spark.

    Raises:
        AnalyzerError: nothing is there.
    """
    found = _found(source)
    if not found:
        raise AnalyzerError(
            "there is no data file in the dataset folder." if source.is_dir() else "the dataset does not exist.",
            file=str(source),
            hint="Check dataset_source and the job's input.",
        )
    return found


def open_file(path: Path, dataset_format: DatasetFormat) -> DataFile:
    """Return the reader of one file."""
    if dataset_format.kind == "csv":
        return CsvFile(path, header=dataset_format.header)
    return JsonFile(path) if dataset_format.kind == "json" else ParquetFile(path)


def open_dataset(
    source: Path, dataset_format: DatasetFormat, preprocessor: Preprocessor | None = None
) -> list[DataFile]:
    """Return the readers of all files, which must agree on their columns.

    Args:
        source: a folder or a file.
        dataset_format: how to read it.
        preprocessor: a user's handler that every record passes.

    Raises:
        AnalyzerError: no file, or files with different columns.
    """
    files = [open_file(path, dataset_format) for path in files_of(source)]
    if preprocessor:
        files = [PreprocessedFile(file, preprocessor) for file in files]
    for other in files[1:]:
        if other.names != files[0].names:
            differing = sorted(set(other.names) ^ set(files[0].names)) or ["their order"]
            raise AnalyzerError(
                f"the columns differ from those of {files[0].path.name}: {', '.join(differing[:5])}.",
                file=str(other.path),
                line=1,
                hint="All files of a dataset need the same columns in the same order.",
            )
    return files


def _blocks(files: Iterable[DataFile], on_progress: Callable[[int], None] | None = None) -> Iterator[Block]:
    before = 0
    for file in files:
        width, rows, size = 0, 0, file.path.stat().st_size
        for block in file.blocks():
            yield block
            if on_progress:
                if not width:  # an average row of the first block stands for all
                    width = max(1, sum(len(text) + 1 for column in block for text in column) // len(block[0]))
                rows += len(block[0])
                on_progress(before + min(size, rows * width))
        before += size


def profile_dataset(
    source: Path,
    dataset_format: DatasetFormat,
    watched: Mapping[str, Iterable[str]] | None = None,
    preprocessor: Preprocessor | None = None,
    on_progress: Callable[[int], None] | None = None,
    *,
    rows_needed: bool = True,
) -> Profile:
    """Return the profile of a dataset.

    Args:
        source: a folder or a file.
        dataset_format: how to read it.
        watched: by column, the texts whose counts a constraint needs.
        preprocessor: a user's handler that every record passes.
        on_progress: told how many bytes are read so far (an estimate for formats other than CSV).
        rows_needed: whether a dataset without rows is an error.

    Raises:
        AnalyzerError: whatever is wrong with the files; a dataset without rows too.
    """
    files = open_dataset(source, dataset_format, preprocessor)
    profile = _compiled(files, watched, on_progress)
    if profile is None:
        profile = _in_python(files, watched, on_progress)
    if rows_needed and not profile.item_count:
        raise AnalyzerError(
            "the dataset has a header but no rows.", file=str(files[0].path), hint="Check the job that writes it."
        )
    return profile


def _compiled(
    files: Sequence[DataFile],
    watched: Mapping[str, Iterable[str]] | None,
    on_progress: Callable[[int], None] | None,
) -> Profile | None:
    """Return the profile of large CSV files by the compiled engine, or None where Python does it."""
    plain = [file for file in files if isinstance(file, CsvFile)]
    if len(plain) != len(files) or not compiled.wanted(sum(file.path.stat().st_size for file in files)):
        return None
    return compiled.profile_files(plain, watched, on_progress)


def _in_python(
    files: Sequence[DataFile],
    watched: Mapping[str, Iterable[str]] | None,
    on_progress: Callable[[int], None] | None,
) -> Profile:
    try:
        return profile_blocks(files[0].names, _blocks(files, on_progress), watched)
    except ValueBeyondDoubleError as error:
        raise _beyond_double(files, error) from error


def _beyond_double(files: Sequence[DataFile], error: ValueBeyondDoubleError) -> AnalyzerError:
    """Return the error with its place, by reading the files once more (the value itself may be sensitive)."""
    for file in files:
        line = file.locate(error.column, error.text)
        if line is not None:
            break
    return AnalyzerError(
        f"{error}.",
        file=str(file.path),
        line=line,
        column=file.names.index(error.column) + 1,
        hint="Correct the value, or add a letter to the column's values if they are labels.",
    )


def read_records(
    source: Path, dataset_format: DatasetFormat, wanted: Sequence[str], preprocessor: Preprocessor | None = None
) -> dict[str, list[str]]:
    """Return the raw texts of a few columns in full (model quality needs its columns sorted).

    Raises:
        AnalyzerError: a wanted column is not there.
    """
    files = open_dataset(source, dataset_format, preprocessor)
    names = files[0].names
    for name in wanted:
        if name not in names:
            raise AnalyzerError(
                f"there is no column {name!r}; the columns are {', '.join(names[:20])}.",
                file=str(files[0].path),
                line=1,
            )
    result: dict[str, list[Any]] = {name: [] for name in wanted}
    for block in _blocks(files):
        for name in wanted:
            result[name].extend(block[names.index(name)])
    return result
