"""statistics.json: the container's schema, written from a profile and read back from a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import kll
from .documents import is_number
from .errors import AnalyzerError
from .inference import NUMERIC
from .profile import ColumnProfile, NumericSummary, Profile

VERSION = 0.0
# Deequ's default: above this many (estimated) distinct values a column is no category.
CATEGORY_MAXIMUM = 120


def has_categories(column: ColumnProfile) -> bool:
    """Whether a string column is reported with the counts of its values."""
    return bool(column.categories) and column.categories_complete and column.distinct <= CATEGORY_MAXIMUM


def _common(column: ColumnProfile) -> dict[str, int]:
    return {"num_present": column.present, "num_missing": column.missing}


def _numerical(column: ColumnProfile, numeric: NumericSummary) -> dict[str, Any]:
    buckets = kll.buckets(numeric.levels, numeric.minimum, numeric.maximum)
    return {
        "common": _common(column),
        "mean": numeric.mean,
        "sum": numeric.total,
        "std_dev": numeric.std_dev,
        "min": numeric.minimum,
        "max": numeric.maximum,
        "approximate_num_distinct_values": column.distinct,
        "completeness": column.completeness,
        "distribution": {
            "kll": {
                "buckets": [
                    {"lower_bound": low, "upper_bound": high, "count": float(count)} for low, high, count in buckets
                ],
                "sketch": {"parameters": {"c": kll.SHRINKING_FACTOR, "k": kll.SKETCH_SIZE}, "data": numeric.levels},
            }
        },
    }


def _string(column: ColumnProfile) -> dict[str, Any]:
    result: dict[str, Any] = {
        "common": _common(column),
        "distinct_count": float(column.distinct),
        "completeness": column.completeness,
    }
    if has_categories(column):
        result["distribution"] = {
            "categorical": {
                "buckets": [{"value": value, "count": count} for value, count in sorted(column.categories.items())]
            }
        }
    return result


def feature_document(column: ColumnProfile) -> dict[str, Any]:
    """Return one feature of statistics.json.

    A column without any value is `Unknown`; it gets string statistics (no real sample shows one).
    """
    document: dict[str, Any] = {"name": column.name, "inferred_type": column.inferred_type}
    if column.numeric:
        document["numerical_statistics"] = _numerical(column, column.numeric)
    else:
        document["string_statistics"] = _string(column)
    return document


def document(profile: Profile) -> dict[str, Any]:
    """Return statistics.json of a profile."""
    return {
        "version": VERSION,
        "dataset": {"item_count": profile.item_count},
        "features": [feature_document(column) for column in profile.columns],
    }


@dataclass
class BaselineFeature:
    """What a baseline's statistics.json says of one feature, as far as checks and reports need it.

    Attributes:
        levels: the KLL sketch, None for strings and for files that carry no sketch.
        categories: value counts of a low-cardinality string, otherwise None.
    """

    name: str
    inferred_type: str
    present: int
    missing: int
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std_dev: float | None = None
    levels: list[list[float]] | None = None
    categories: dict[str, int] | None = None


@dataclass
class BaselineStatistics:
    """A baseline's statistics.json."""

    item_count: int
    features: dict[str, BaselineFeature] = field(default_factory=dict)


def _number(value: Any, where: str, file: str) -> float:
    if not is_number(value):
        raise AnalyzerError(f"{where} must be a number.", file=file, hint="Take the file that a baseline run wrote.")
    return value


def _levels(kll_document: Any, where: str, file: str) -> list[list[float]] | None:
    data = kll_document.get("sketch", {}).get("data") if isinstance(kll_document, dict) else None
    if data is None:
        return None
    if not isinstance(data, list) or not all(isinstance(level, list) for level in data) or len(data) > 64:
        raise AnalyzerError(f"{where}: the sketch's data must be a list of at most 64 lists of numbers.", file=file)
    return [[_number(item, f"{where}: every item of the sketch", file) for item in level] for level in data]


def _counts(categorical: Any, where: str, file: str) -> dict[str, int] | None:
    if categorical is None:
        return None
    result: dict[str, int] = {}
    for bucket in _section(categorical, "buckets", list, where, file):
        if not isinstance(bucket, dict) or not isinstance(bucket.get("value"), str):
            raise AnalyzerError(f"{where}: every category needs a value and a count.", file=file)
        result[bucket["value"]] = int(_number(bucket.get("count"), f"{where}: the count of a category", file))
    return result


def _section(parent: Any, key: str, kind: type, where: str, file: str) -> Any:
    value = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(value, kind):
        shapes: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
        shape = shapes[kind]
        raise AnalyzerError(
            f"{where} needs `{key}`, {shape}.", file=file, hint="Take the file that a baseline run wrote."
        )
    return value


def _feature(document: Any, where: str, file: str) -> BaselineFeature:
    name = _section(document, "name", str, where, file)
    where = f"feature {name!r}"
    kind = _section(document, "inferred_type", str, where, file)
    if kind in NUMERIC:
        body = _section(document, "numerical_statistics", dict, where, file)
    else:
        body = document.get("string_statistics") or {"common": {"num_present": 0, "num_missing": 0}}
    common = _section(body, "common", dict, where, file)
    feature = BaselineFeature(
        name,
        kind,
        int(_number(common.get("num_present"), f"{where}: num_present", file)),
        int(_number(common.get("num_missing"), f"{where}: num_missing", file)),
    )
    distribution = body.get("distribution") or {}
    if kind in NUMERIC:
        feature.minimum = _number(body.get("min"), f"{where}: min", file)
        feature.maximum = _number(body.get("max"), f"{where}: max", file)
        feature.mean = _number(body.get("mean"), f"{where}: mean", file)
        feature.std_dev = _number(body.get("std_dev"), f"{where}: std_dev", file)
        feature.levels = _levels(distribution.get("kll"), where, file)
    else:
        feature.categories = _counts(distribution.get("categorical"), where, file)
    return feature


def parse(content: Any, file: str) -> BaselineStatistics:
    """Return a baseline from the parsed statistics.json.

    Args:
        content: what JSON parsing gave.
        file: name for messages.

    Raises:
        AnalyzerError: a part is missing or of the wrong type; the message names feature and key.
    """
    features: Sequence[Any] = _section(content, "features", list, "statistics.json", file)
    dataset = _section(content, "dataset", dict, "statistics.json", file)
    baseline = BaselineStatistics(int(_number(dataset.get("item_count"), "dataset.item_count", file)))
    for index, item in enumerate(features):
        feature = _feature(item, f"features[{index}]", file)
        baseline.features[feature.name] = feature
    return baseline
