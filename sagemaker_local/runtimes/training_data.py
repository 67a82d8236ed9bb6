"""A channel of the built-in XGBoost algorithm: its files as features, labels, weights and groups.

CSV has no header and the label first (with ``csv_weights`` the instance's weight second); libsvm lines are
``label[:weight] [qid:group] index:value ...``, indices from 0 as XGBoost counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_local.runtimes import numeric_csv
from sagemaker_local.runtimes.failure import UserError

CSV, LIBSVM = "csv", "libsvm"
_TYPES = {"text/csv": CSV, "csv": CSV, "text/libsvm": LIBSVM, "text/x-libsvm": LIBSVM, "libsvm": LIBSVM}


@dataclass
class Channel:
    """What a channel holds.

    Attributes:
        name: of the channel.
        features: a float32 matrix; of libsvm a scipy.sparse.csr_matrix.
        labels: float32, one a row.
        weights: float32, one a row, or None.
        groups: int64 query ids, one a row, or None.
        files: each with its number of rows, in the order in which they were read.
    """

    name: str
    features: Any
    labels: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    files: list[tuple[str, int]]

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.features.shape[0])

    @property
    def columns(self) -> int:
        """Features of a row."""
        return int(self.features.shape[1])

    def locate(self, row: int) -> str:
        """Return in which file a row stands, and the how-manieth it is there."""
        for file, rows in self.files:
            if row < rows:
                return f"{file}, row {row + 1}"
            row -= rows
        return f"row {row + 1}"


def read(directory: Path, name: str, config: dict[str, Any], *, weights: bool) -> Channel:
    """Read all files of a channel.

    Args:
        directory: of the channel; files whose name begins with a dot or an underscore are not data.
        name: of the channel.
        config: its entry of inputdataconfig.json.
        weights: whether CSV has the instance's weight in its second column.

    Raises:
        UserError: there is nothing to read, or something in it cannot be used; with file, line and column.
    """
    kind = _kind(name, config)
    paths = [path for path in sorted(directory.rglob("*")) if path.is_file() and not path.name.startswith((".", "_"))]
    paths = [path for path in paths if path.stat().st_size]
    if not paths:
        raise UserError(
            f"No data in the channel '{name}': it has no file that is not empty. Check the S3Uri of the channel, and "
            "that the step before it wrote something."
        )
    named = [(path, f"{name}/{path.relative_to(directory).as_posix()}") for path in paths]
    return _read_csv(name, named, weights=weights) if kind == CSV else _read_libsvm(name, named)


def _kind(name: str, config: dict[str, Any]) -> str:
    given = config.get("ContentType") or "text/libsvm"  # the algorithm's own default
    parts = [part.strip().lower() for part in given.split(";")]
    kind = _TYPES.get(parts[0])
    if kind is None:
        raise UserError(
            f"Channel '{name}': content type {given} is not supported here. Use text/csv or text/libsvm "
            "(AWS's algorithm also takes Parquet and RecordIO-Protobuf)."
        )
    for part in parts[1:]:
        if part.startswith("label_size") and part.partition("=")[2].strip() != "1":
            raise UserError(f"Channel '{name}': {given}: label_size must be 1, the first column is the label.")
    return kind


def _read_csv(name: str, paths: list[tuple[Path, str]], *, weights: bool) -> Channel:
    tables, files = [], []
    columns = 0
    before = ""
    for path, label in paths:
        text = path.read_bytes()
        first = text[: text.find(b"\n") if b"\n" in text else len(text)].decode(errors="replace").strip("\r\n")
        delimiter = numeric_csv.sniff(first)
        if not columns:
            columns, before = len(first.split(delimiter)), label
            if columns < 2 + weights:
                raise UserError(
                    f"{label}, line 1: {columns} column(s); the label{', the weight' if weights else ''} and at least "
                    "one feature are needed. A file of one column is often one with another delimiter."
                )
        elif len(first.split(delimiter)) != columns:
            raise UserError(
                f"{label}, line 1: {len(first.split(delimiter))} columns, but {before} has {columns}. All files of a "
                "channel need the same."
            )
        table = numeric_csv.parse(text, columns, delimiter=delimiter, name=label)
        tables.append(table)
        files.append((label, len(table)))
    matrix = tables[0] if len(tables) == 1 else np.concatenate(tables)
    return Channel(
        name,
        matrix[:, 1 + weights :],
        np.ascontiguousarray(matrix[:, 0]),
        np.ascontiguousarray(matrix[:, 1]) if weights else None,
        None,
        files,
    )


def _read_libsvm(name: str, paths: list[tuple[Path, str]]) -> Channel:
    from scipy.sparse import csr_matrix

    labels: list[float] = []
    weights: list[float] = []
    groups: list[int] = []
    values: list[float] = []
    indices: list[int] = []
    starts = [0]
    files: list[tuple[str, int]] = []
    for path, label in paths:
        begun = len(labels)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            tokens = line.partition("#")[0].split()
            if not tokens:
                continue
            try:
                value, colon, weight = tokens[0].partition(":")
                labels.append(float(value))
                weights.append(float(weight) if colon else 1.0)
                pairs = tokens[1:]
                if pairs and pairs[0].startswith("qid:"):
                    groups.append(int(pairs.pop(0)[4:]))
                for pair in pairs:
                    index, _, value = pair.partition(":")
                    indices.append(int(index))
                    values.append(float(value))
            except ValueError:
                comma = " It looks like CSV: set ContentType text/csv on the channel." if "," in line else ""
                raise UserError(
                    f"{label}, line {number}: this is no libsvm line (label index:value ...): {line[:60]!r}.{comma}"
                ) from None
            starts.append(len(values))
        files.append((label, len(labels) - begun))
    if not labels:
        raise UserError(f"No data in the channel '{name}': its files hold only blank lines and comments.")
    if groups and len(groups) != len(labels):
        raise UserError(f"Channel '{name}': {len(groups)} of {len(labels)} lines have a qid; all need one, or none.")
    if indices and min(indices) < 0:
        raise UserError(f"Channel '{name}': the feature index {min(indices)} is negative; indices begin at 0.")
    shape = (len(labels), max(indices, default=0) + 1)
    return Channel(
        name,
        csr_matrix(
            (np.array(values, np.float32), np.array(indices, np.int64), np.array(starts, np.int64)), shape=shape
        ),
        np.array(labels, np.float32),
        np.array(weights, np.float32) if any(weight != 1.0 for weight in weights) else None,
        np.array(groups, np.int64) if groups else None,
        files,
    )
