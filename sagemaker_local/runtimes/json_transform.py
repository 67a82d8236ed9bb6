"""JSON lines to predictions: what InputFilter leaves is a list of features, or an object with ``features``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from sagemaker_local.runtimes import jsonpath
from sagemaker_local.runtimes.chunks import Chunk
from sagemaker_local.runtimes.failure import UserError
from sagemaker_local.runtimes.json_records import joined
from sagemaker_local.runtimes.model_artifact import Model, shape_mismatch
from sagemaker_local.runtimes.transform_config import TransformConfig


@dataclass(frozen=True)
class Records:
    """The records of a chunk: each with its line, and float32 features, one row a record."""

    records: list[tuple[int, Any]]
    features: np.ndarray


class JsonTransform:
    """The transform of one file; `parse` may run ahead of `predict` in another thread."""

    def __init__(self, config: TransformConfig, model: Model, name: str) -> None:
        """Remember what to do.

        Args:
            config: the request.
            model: to predict with.
            name: of the file, for errors.
        """
        self._config = config
        self._model = model
        self._name = name
        self._input = jsonpath.json_selector(config.input_filter)
        self._output = jsonpath.json_selector(config.output_filter)

    def parse(self, chunk: Chunk) -> Records:
        """Read the records of a chunk.

        Raises:
            UserError: a line is no JSON, a filter does not suit it, or a feature is no number.
        """
        records: list[tuple[int, Any]] = []
        features: list[list[float]] = []
        for line, text in enumerate(chunk.text.split(b"\n"), chunk.first_line):
            if not text.strip():
                continue
            limit = self._config.limit
            if limit is not None and len(text) > limit:
                raise self._error(line, f"the record is larger than MaxPayloadInMB ({self._config.megabytes}).")
            try:
                record = json.loads(text)
            except ValueError as error:
                raise self._error(line, f"this is no JSON ({error}).") from error
            try:
                chosen = self._input(record)
            except jsonpath.PathError as error:
                raise self._error(line, f"InputFilter: {error}") from error
            records.append((line, record))
            features.append(self._features(chosen, line))
        return Records(records, np.array(features, dtype=np.float32).reshape(len(records), self._model.features))

    def predict(self, table: Records) -> bytes:
        """Return the output lines of a chunk.

        Raises:
            UserError: OutputFilter does not suit a record.
        """
        if not table.records:
            return b""
        scores = self._model.predict(table.features, f"{self._name}, records from line {table.records[0][0]}").tolist()
        if not self._config.json_scores:
            return "".join(f"{score}\n" for score in scores).encode()
        lines: list[str] = []
        for (line, record), score in zip(table.records, scores, strict=True):
            found: Any = {"score": score}
            if self._config.join:
                found = joined(record, found)
            try:
                lines.append(json.dumps(self._output(found), ensure_ascii=False))
            except jsonpath.PathError as error:
                raise self._error(line, f"OutputFilter: {error}") from error
        return ("\n".join(lines) + "\n").encode()

    def _features(self, chosen: Any, line: int) -> list[float]:
        values = chosen.get("features") if isinstance(chosen, dict) else chosen
        if not isinstance(values, list):
            raise self._error(
                line,
                'the record is neither a list of features nor an object with the list "features"; use InputFilter.',
            )
        if len(values) != self._model.features:
            raise shape_mismatch(f"{self._name}, line {line}", self._model.features, len(values))
        row: list[float] = []
        for number, value in enumerate(values, 1):
            if value is None:
                row.append(float("nan"))
            elif isinstance(value, int | float) and not isinstance(value, bool):
                row.append(float(value))
            else:
                raise self._error(line, f"feature {number} is {value!r}, no number. Encode text as numbers first.")
        return row

    def _error(self, line: int, problem: str) -> UserError:
        return UserError(f"{self._name}, line {line}: {problem}")
