"""JSON in and out: errors that name line and column, numbers as the container prints them, all files or none."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import AnalyzerError


def read(path: Path, what: str) -> Any:
    """Return the parsed JSON of a file.

    Args:
        path: the file.
        what: what the file is, for messages.

    Raises:
        AnalyzerError: missing, unreadable, not UTF-8, not JSON, or with numbers that JSON does not know.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        content = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(content, ensure_ascii=False).encode()
        return content
    except OSError as error:
        raise AnalyzerError(f"{what} cannot be read ({error.strerror}).", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise AnalyzerError(f"{what} is not UTF-8 (byte {error.start + 1}).", file=str(path)) from error
    except UnicodeEncodeError as error:
        raise AnalyzerError(f"{what} holds an escape for half a character.", file=str(path)) from error
    except json.JSONDecodeError as error:
        raise AnalyzerError(
            f"{what} is not valid JSON ({error.msg}).", file=str(path), line=error.lineno, column=error.colno
        ) from error
    except RecursionError as error:
        raise AnalyzerError(f"{what} is nested too deeply.", file=str(path)) from error
    except ValueError as error:  # from the two hooks below, and integers of more digits than Python reads
        raise AnalyzerError(f"{what} holds a number that cannot be used ({error}).", file=str(path)) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is beyond what a double can carry")
    return value


def is_number(value: Any) -> bool:
    """Whether a parsed JSON value is a number that a double can carry (true and false are none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def dumps(document: Any) -> str:
    """Return a document pretty-printed in the container's way: `"key" : value`, lists of scalars on one line."""
    return "".join(_lines(document, "")) + "\n"


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        deeper = indent + "  "
        for index, (key, item) in enumerate(value.items()):
            yield f"{',' if index else '{'}\n{deeper}{json.dumps(str(key), ensure_ascii=False)} : "
            yield from _lines(item, deeper)
        yield f"\n{indent}}}"
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        yield "[ "
        for index, item in enumerate(value):
            if index:
                yield ", "
            yield from _lines(item, indent)
        yield " ]"
    elif isinstance(value, list) and value:
        yield f"[ {json.dumps(value, ensure_ascii=False, allow_nan=False)[1:-1]} ]"
    else:
        yield json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_together(directory: Path, documents: Mapping[str, Any]) -> None:
    """Write every document into `directory`: all of them appear, or none.

    An empty or absent directory is replaced by a finished one in a single rename. Otherwise finished files replace
    older ones; a failure on the way takes back what had been put there.

    Raises:
        AnalyzerError: the directory cannot be written.
    """
    texts = {name: dumps(document) for name, document in documents.items()}
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        if not _replace_empty(directory, texts):
            _replace_files(directory, texts)
    except OSError as error:
        raise AnalyzerError(
            f"the results cannot be written ({error.strerror}).",
            file=str(directory),
            hint="Check the folder's rights and the free space; nothing was left there.",
        ) from error


def _write_into(directory: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        with (directory / name).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def _replace_empty(directory: Path, texts: Mapping[str, str]) -> bool:
    if directory.is_symlink() or (directory.exists() and any(directory.iterdir())):
        return False
    try:
        staging = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}-"))
    except OSError:  # a mounted output folder: its parent belongs to somebody else
        return False
    try:
        _write_into(staging, texts)
        staging.chmod(directory.stat().st_mode & 0o777 if directory.exists() else 0o755)
        try:
            staging.replace(directory)
        except OSError:  # a mount point cannot be replaced
            return False
        return True
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace_files(directory: Path, texts: Mapping[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=directory, prefix=".analyzer-"))
    placed: list[Path] = []
    try:
        _write_into(staging, texts)
        for name in texts:
            target = directory / name
            if target.exists():
                target.replace(staging / f"before-{name}")
            (staging / name).replace(target)
            placed.append(target)
    except OSError:
        for target in placed:
            target.unlink(missing_ok=True)
        for before in staging.glob("before-*"):
            before.replace(directory / before.name.removeprefix("before-"))
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
