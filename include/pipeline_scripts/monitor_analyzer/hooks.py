"""A user's own scripts around the analysis: `preprocess_handler` before, `postprocess_handler` after."""

from __future__ import annotations

import csv
import importlib.util
import inspect
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .csv_file import BLOCK_ROWS, CsvFile
from .errors import AnalyzerError


def load(script: Path, handler: str, environment: Mapping[str, str]) -> Callable[..., Any]:
    """Return the function `handler` of a script; the job's environment is set before it is imported.

    Raises:
        AnalyzerError: no such file or function, or the import fails.
    """
    # The container exports its configuration to the scripts' environment.
    os.environ.update(environment)
    if not script.is_file():
        raise AnalyzerError("the script does not exist.", file=str(script), hint="Check the job's script inputs.")
    spec = importlib.util.spec_from_file_location(f"analyzer_hook_{handler}", script)
    if spec is None or spec.loader is None:
        raise AnalyzerError("the script is no Python file.", file=str(script), hint="Give a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    folder = str(script.parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise failure(script, "cannot be imported", error) from error
    finally:
        sys.path.remove(folder)
    function = getattr(module, handler, None)
    if not callable(function):
        raise AnalyzerError(f"the script defines no {handler}().", file=str(script), hint=f"Define {handler}().")
    return function


def failure(script: Path, what: str, error: BaseException, *, discreet: bool = False) -> AnalyzerError:
    """Return the error for an exception out of a user's script, with the script's own line.

    A discreet one leaves out what the exception says: it may quote a sensitive value.
    """
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(script):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        line = error.lineno
    said = "its message is withheld, some features are sensitive" if discreet else str(error)
    return AnalyzerError(f"the script {what}: {type(error).__name__}: {said}.", file=str(script), line=line)


class Preprocessor:
    """A user's `preprocess_handler(record[, logger])`.

    For CSV it receives the row as one line of CSV text, as AWS's example for baselines does; for other formats a
    dictionary of the row's texts. It returns a list of values, a dictionary, a list of either for several rows, or
    nothing (also `[]`) to drop the row.
    """

    def __init__(self, script: Path, environment: Mapping[str, str], *, discreet: bool = False) -> None:
        self.script, self.discreet = script, discreet
        self.function = load(script, "preprocess_handler", environment)
        takes = len(inspect.signature(self.function).parameters)
        self.extra: tuple[Any, ...] = (logging.getLogger("preprocess_handler"),) if takes > 1 else ()

    def rows(self, record: Any, row: int) -> list[Any]:
        """Return the rows that the handler makes of one record."""
        try:
            made = self.function(record, *self.extra)
        except Exception as error:
            raise failure(self.script, f"failed on data row {row}", error, discreet=self.discreet) from error
        if made is None or (isinstance(made, list | tuple) and not made):
            return []
        if isinstance(made, list | tuple) and all(isinstance(item, list | tuple | dict) for item in made):
            return list(made)
        if isinstance(made, list | tuple | dict):
            return [made]
        raise AnalyzerError(
            f"preprocess_handler returned {type(made).__name__} for data row {row}.",
            file=str(self.script),
            hint="Return a list of values, a dictionary, or [] to drop the row.",
        )


class PreprocessedFile:
    """A data file as a user's preprocessor leaves it; same protocol as any data file."""

    def __init__(self, file: Any, preprocessor: Preprocessor) -> None:
        self.file, self.path, self.preprocessor = file, file.path, preprocessor
        first = next(self._rows(), None)
        if first is None:
            raise AnalyzerError("preprocess_handler dropped every row.", file=str(preprocessor.script))
        if isinstance(first, dict):
            self.names = [str(name) for name in first]
        elif len(first) == len(file.names):
            self.names = list(file.names)
        else:
            self.names = [f"_c{index}" for index in range(len(first))]

    def _records(self) -> Iterator[Any]:
        for block in self.file.blocks():
            for texts in zip(*block, strict=True):
                if isinstance(self.file, CsvFile):
                    buffer = io.StringIO()
                    csv.writer(buffer, lineterminator="").writerow(texts)
                    yield buffer.getvalue()
                else:
                    yield dict(zip(self.file.names, texts, strict=True))

    def _rows(self) -> Iterator[Any]:
        for row, record in enumerate(self._records(), start=1):
            yield from self.preprocessor.rows(record, row)

    def blocks(self) -> Iterator[list[Sequence[str]]]:
        """Yield blocks of columns of what the handler returned."""
        block: list[list[str]] = []
        for number, row in enumerate(self._rows(), start=1):
            if isinstance(row, dict):
                extra = [name for name in row if name not in self.names]
                values = [row.get(name) for name in self.names]
            else:
                extra, values = [], list(row)
            if extra or len(values) != len(self.names):
                raise AnalyzerError(
                    f"preprocess_handler made row {number} with other columns than its first row.",
                    file=str(self.preprocessor.script),
                    hint="Return the same columns for every row.",
                )
            block.append([_text(value) for value in values])
            if len(block) == BLOCK_ROWS:
                yield list(zip(*block, strict=True))
                block = []
        if block:
            yield list(zip(*block, strict=True))

    def locate(self, name: str, text: str) -> int | None:
        """Rows have no line of their own after a handler."""
        del name, text


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def run_postprocessor(script: Path, environment: Mapping[str, str], *, discreet: bool = False) -> None:
    """Run a user's `postprocess_handler()` after the results are written."""
    handler = load(script, "postprocess_handler", environment)
    try:
        handler()
    except Exception as error:
        raise failure(script, "failed after the results were written", error, discreet=discreet) from error
