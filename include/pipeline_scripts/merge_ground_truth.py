"""MergeGroundTruth: labels that arrived for a day, joined by record id to the predictions that were published.

Writes the data set of the model-quality check, the constraints that it checks, and a report that counts what could not
be used: labels that are missing, doubled, contradictory, unreadable, or of an id that was never scored. None of it is
guessed at; only one readable label of a scored record counts.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tabular.files import InputFile, find_inputs, read_header, read_rows
from tabular.job import InputError, run
from tabular.quality import (
    THRESHOLD,
    binary_figures,
    binary_sums,
    regression_figures,
    regression_sums,
    with_errors,
)
from tabular.schema import REGRESSION, FeatureSchema, is_number, read_schema

REPORT_VERSION = 1
PREDICTIONS_ENDING = ".out"
# Fewer of either class than this say nothing of recall or AUC.
CLASS_MINIMUM = 5
# A column of more texts than these is probably no label; what it holds may be names, and the record is read by many.
TEXTS_SHOWN = 5
LESS, GREATER = "LessThanThreshold", "GreaterThanThreshold"


@dataclass
class Labels:
    """What label files hold: a value by record id, and what could not be used."""

    values: dict[str, float] = field(default_factory=dict)
    contradictory: set[str] = field(default_factory=set)
    rows: int = 0
    duplicates: int = 0
    empty: int = 0
    unreadable: int = 0
    without_id: int = 0
    read_as_no: dict[str, int] = field(default_factory=dict)

    def take(self, record_id: str, text: str, schema: FeatureSchema) -> None:
        """Take one row into account."""
        self.rows += 1
        if not record_id.strip():
            self.without_id += 1
            return
        if not text.strip():
            self.empty += 1
            return
        value = self._read(text, schema)
        if value is None:
            self.unreadable += 1
        elif record_id not in self.values:
            self.values[record_id] = value
        elif self.values[record_id] == value:
            self.duplicates += 1
        else:
            self.contradictory.add(record_id)

    def _read(self, text: str, schema: FeatureSchema) -> float | None:
        if schema.problem == REGRESSION:
            number = float(text.replace(" ", "")) if is_number(text) else math.nan
            return number if math.isfinite(number) else None
        if text == schema.positive:
            return 1.0
        # As in training, any other text means no; which texts those were is reported.
        self.read_as_no[text] = self.read_as_no.get(text, 0) + 1
        return 0.0


def read_predictions(folder: Path) -> dict[str, float]:
    """Return the score by record id of the transform's output, lines of `id,score`.

    Raises:
        InputError: there is none, a line is no such pair, or an id stands twice.
    """
    found: dict[str, float] = {}
    for path in sorted(item for item in folder.rglob(f"*{PREDICTIONS_ENDING}") if item.is_file()):
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                record_id, _, text = line.rstrip("\r\n").rpartition(",")
                try:
                    score = float(text)
                except ValueError:
                    score = math.nan
                if not record_id or not math.isfinite(score):
                    raise InputError(f"{path.name}, line {number}: expected a record id and a score.")
                if record_id in found:
                    raise InputError(f"{path.name}, line {number}: its record id stood on an earlier line already.")
                found[record_id] = score
    if not found:
        raise InputError(
            "The published predictions are empty or gone. Run the day again, then this, once it is published."
        )
    return found


def read_labels(files: list[InputFile], schema: FeatureSchema, record_id: str, label: str) -> Labels:
    """Return the labels of all files; other columns are ignored, and each file may have its own order.

    Raises:
        InputError: a column is missing, or a file is damaged.
    """
    found = Labels()
    for file in files:
        header = read_header(file, schema.delimiter, [record_id, label])
        for name, key in ((record_id, "quality.record_id"), (label, "quality.label")):
            if name not in header:
                raise InputError(
                    f"{file.name} has no column {name!r}. Its columns: {', '.join(header)}. Send it with that column, "
                    f"or say in {key} of the use case how it is called."
                )
        id_place, label_place = header.index(record_id), header.index(label)
        for _, row in read_rows(file, schema.delimiter, header, whole=True):
            found.take(row[id_place], row[label_place], schema)
    return found


def why_not_checkable(labels: np.ndarray, predictions: int, schema: FeatureSchema, given: Any) -> list[str]:
    """Say why the labels are too few to judge by; nothing when they are enough."""
    matched, reasons = len(labels), []
    if matched < given.minimum_rows:
        reasons.append(f"{matched} predictions have a usable label; {given.minimum_rows} are needed")
    share = matched / predictions
    if share < given.minimum_share:
        reasons.append(f"{share:.1%} of the predictions have a usable label; {given.minimum_share:.1%} are needed")
    if schema.problem != REGRESSION:
        positives = int(labels.sum())
        for count, name in ((positives, "yes"), (matched - positives, "no")):
            if count < CLASS_MINIMUM:
                reasons.append(f"{count} usable labels say {name}; {CLASS_MINIMUM} are needed")
    return reasons


def bounds(
    constraints: Any, statistics: Any, metrics: dict[str, dict[str, float | None]], rows: int, given: Any
) -> dict[str, Any]:
    """Return the baseline's constraints with every threshold moved to where a figure is worse beyond chance.

    A suggested constraint is the baseline's own value, which every other day falls short of. The margin is `tolerance`
    of that value, and `sigmas` standard errors of the difference: the day's error e of n rows, and, for the same model
    and population, e * sqrt(n / m) of the baseline's m rows. A figure that is undefined today cannot be violated.

    Raises:
        InputError: the baseline's files are not those of a model-quality check.
    """
    try:
        ((key, limits),) = [(key, item) for key, item in constraints.items() if key.endswith("_constraints")]
        baseline_rows = int(statistics["dataset"]["item_count"])
        binary = key.startswith("binary")
        moved = {}
        for name, limit in limits.items():
            threshold, operator = float(limit["threshold"]), limit["comparison_operator"]
            figure = metrics.get(name)
            margin = abs(threshold) * given.tolerance
            if figure is not None and figure["standard_error"] is not None:
                margin += given.sigmas * figure["standard_error"] * math.sqrt(1 + rows / baseline_rows)
            bound = threshold - margin if operator == LESS else threshold + margin
            if figure is not None and figure["value"] is None:
                bound = 0.0 if operator == LESS else 1.0
            if binary:
                bound = min(max(bound, 0.0), 1.0)
            moved[name] = {**limit, "threshold": bound}
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"The model's model-quality baseline cannot be read ({error!r}). Train and approve a new version."
        ) from error
    return {**constraints, key: moved}


def merge(given: argparse.Namespace) -> None:
    """Do the job; arguments as `main` declares them."""
    schema = read_schema(given.schema / "feature_schema.json")
    record_id, label = given.record_id or schema.record_id, given.label or schema.label
    predictions = read_predictions(given.predictions)
    files = find_inputs(given.labels)
    found = read_labels(files, schema, record_id, label)
    unknown = sum(1 for item in found.values if item not in predictions)
    usable = [item for item in predictions if item in found.values and item not in found.contradictory]
    labels = np.array([found.values[item] for item in usable], dtype=np.float64)
    scores = np.array([predictions[item] for item in usable], dtype=np.float64)
    regression = schema.problem == REGRESSION
    reasons = why_not_checkable(labels, len(predictions), schema, given)
    metrics: dict[str, Any] = {}
    sums: dict[str, Any] = {"version": REPORT_VERSION, "problem": schema.problem, "rows": len(usable)}
    if usable:
        figures, add_up = (regression_figures, regression_sums) if regression else (binary_figures, binary_sums)
        metrics, sums = with_errors(figures, labels, scores), {**sums, **add_up(labels, scores)}
    texts = sorted(found.read_as_no.items(), key=lambda item: (-item[1], item[0]))
    secret = label in schema.sensitive or schema.label in schema.sensitive
    hidden = regression or secret or len(texts) > TEXTS_SHOWN
    report = {
        "version": REPORT_VERSION,
        "problem": schema.problem,
        "predictions": len(predictions),
        "label_rows": found.rows,
        "matched": len(usable),
        "missing": len(predictions) - len(usable),
        "duplicates": found.duplicates,
        "contradictory": len(found.contradictory),
        "unknown_ids": unknown,
        "empty": found.empty,
        "unreadable": found.unreadable,
        "without_id": found.without_id,
        "positives": None if regression else int(labels.sum()),
        "read_as_no": {} if hidden else dict(texts),
        "checkable": int(not reasons),
        "reasons": reasons,
        "metrics": metrics,
        "inputs": [{"name": file.name, "size": file.size, "md5": file.md5} for file in files],
    }
    limits = bounds(_json(given.constraints), _json(given.statistics), metrics, len(usable), given)
    _write(given.output / "report" / "ground_truth.json", report)
    _write(given.output / "report" / "sums.json", sums)
    _write(given.output / "constraints" / "constraints.json", limits)
    _write_merged(given.output / "merged" / "merged.csv", labels, scores, regression=regression)
    print(json.dumps(report, ensure_ascii=False))


def _write_merged(path: Path, labels: np.ndarray, scores: np.ndarray, *, regression: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        stream.write("prediction,label\n" if regression else "prediction,probability,label\n")
        for label, score in zip(labels.tolist(), scores.tolist()):  # noqa: B905 - Python 3.9 has no strict
            if regression:
                stream.write(f"{score!r},{label!r}\n")
            else:
                stream.write(f"{int(score >= THRESHOLD)},{score!r},{int(label)}\n")


def _json(folder: Path) -> Any:
    files = sorted(folder.rglob("*.json"))
    if len(files) != 1:
        raise InputError(f"Expected one JSON file of the model-quality baseline in {folder}, found {len(files)}.")
    try:
        return json.loads(files[0].read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{files[0].name} of the model-quality baseline is no JSON ({error}).") from error


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description="Join the labels of a day to its published predictions.")
    parser.add_argument("--predictions", type=Path, default=Path("/opt/ml/processing/input/predictions"))
    parser.add_argument("--labels", type=Path, default=Path("/opt/ml/processing/input/labels"))
    parser.add_argument("--schema", type=Path, default=Path("/opt/ml/processing/input/schema"))
    parser.add_argument("--statistics", type=Path, default=Path("/opt/ml/processing/input/statistics"))
    parser.add_argument("--constraints", type=Path, default=Path("/opt/ml/processing/input/constraints"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--message", type=Path, default=Path("/opt/ml/output/message"))
    parser.add_argument("--record-id", default="", help="column of the label files; default: the model's own")
    parser.add_argument("--label", default="", help="column of the label files; default: the model's own")
    parser.add_argument("--minimum-rows", type=int, default=50, help="usable labels that a judgement needs")
    parser.add_argument("--minimum-share", type=float, default=0.5, help="share of predictions that need a label")
    parser.add_argument("--tolerance", type=float, default=0.05, help="share of the baseline's value that may be lost")
    parser.add_argument("--sigmas", type=float, default=3.0, help="standard errors that are put down to chance")
    given = parser.parse_args(arguments)
    return run(lambda: merge(given), given.message)


if __name__ == "__main__":
    sys.exit(main())
