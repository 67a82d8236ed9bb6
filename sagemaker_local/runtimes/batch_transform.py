"""Batch transform with an XGBoost model: ``python -m sagemaker_local.runtimes.batch_transform --ml /opt/ml``.

Each input file becomes ``<file>.out``, one line a record, in order. A chunk of at most MaxPayloadInMB is read while the
one before it is predicted, so memory does not grow with the file. MultiRecord and SingleRecord give the same lines: the
strategy only says how records would be packed into requests, and no request is sent here.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sagemaker_local.runtimes import failure, transform_config
from sagemaker_local.runtimes.chunks import Chunk, chunks
from sagemaker_local.runtimes.csv_transform import CsvTransform
from sagemaker_local.runtimes.failure import UserError
from sagemaker_local.runtimes.json_transform import JsonTransform
from sagemaker_local.runtimes.model_artifact import Model
from sagemaker_local.runtimes.transform_config import TransformConfig

# A field may be as large as a record; the limit of records is MaxPayloadInMB.
_MAX_FIELD = 2**31 - 1
_T = TypeVar("_T")


class Transform(Protocol[_T]):
    """What turns chunks of records into output lines."""

    def parse(self, chunk: Chunk) -> _T:
        """Read the records."""

    def predict(self, table: _T) -> bytes:
        """Return their output lines."""


def main() -> int:
    """Transform every file, and return the exit code."""
    parser = argparse.ArgumentParser(description="Batch transform with an XGBoost model.")
    parser.add_argument("--ml", type=Path, default=Path("/opt/ml"), help="what the job sees as /opt/ml")
    return failure.run(parser.parse_args().ml, transform)


def transform(ml: Path) -> None:
    """Transform every file of a job.

    Raises:
        UserError: request, model or input cannot be used.
    """
    csv.field_size_limit(_MAX_FIELD)
    config = transform_config.read(json.loads((ml / "config/transformjobconfig.json").read_text()))
    model = Model(ml / "model.tar.gz")
    for name in config.files:
        records = transform_file(config, model, ml / "input/data" / name, ml / "output/data" / f"{name}.out", name)
        print(f"{name}: {records} records", flush=True)


def transform_file(config: TransformConfig, model: Model, source: Path, target: Path, name: str) -> int:
    """Write the predictions of one file; return their number.

    Raises:
        UserError: something in it cannot be used; with its line.
    """
    size = source.stat().st_size
    if not config.split and config.limit is not None and size > config.limit:
        raise UserError(
            f"{name} has {size} bytes, more than MaxPayloadInMB ({config.megabytes}) allows for a whole file. Use "
            "SplitType Line."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    work: Transform[Any] = (JsonTransform if config.json_lines else CsvTransform)(config, model, name)
    records = 0
    with source.open("rb") as file, target.open("wb") as out:
        for table in _ahead(work, chunks(file, config.chunk, quoted=not config.json_lines)):
            lines = work.predict(table)
            records += len(table.features)
            out.write(lines)
    return records


def _ahead(work: Transform[_T], pieces: Iterator[Chunk]) -> Iterator[_T]:
    """Yield parsed chunks, each read while the one before it is predicted."""
    with ThreadPoolExecutor(1) as reader:

        def advance() -> _T | None:
            chunk = next(pieces, None)
            return None if chunk is None else work.parse(chunk)

        following = reader.submit(advance)
        while (table := following.result()) is not None:
            following = reader.submit(advance)
            yield table


if __name__ == "__main__":
    sys.exit(main())
