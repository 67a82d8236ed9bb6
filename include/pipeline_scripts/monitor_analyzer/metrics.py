"""CloudWatch metric files: one JSON object a line for each figure, where the agent of a monitoring schedule looks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import distance
from .constraints import Constraints
from .errors import AnalyzerError
from .profile import ColumnProfile, Profile
from .statistics import BaselineStatistics, has_categories

DEFAULT_FOLDER = "output/metrics/cloudwatch"
FILE = "cloudwatch_metrics.jsonl"


def _column(column: ColumnProfile) -> Iterator[dict[str, Any]]:
    if column.numeric:
        yield {
            "MetricName": f"feature_data_{column.name}",
            "StatisticValues": {
                "SampleCount": float(column.numeric.count),
                "Sum": column.numeric.total,
                "Minimum": column.numeric.minimum,
                "Maximum": column.numeric.maximum,
            },
        }
    yield {"MetricName": f"feature_non_null_{column.name}", "Value": float(column.present)}


def _drift(column: ColumnProfile, limits: Constraints, baseline: BaselineStatistics) -> Iterator[dict[str, Any]]:
    before, limit = baseline.features.get(column.name), limits.features.get(column.name)
    if before is None or limit is None:
        return
    method = limit.config.comparison_method
    if column.numeric and before.levels and any(before.levels):
        apart = distance.numerical(column.numeric.levels, before.levels, method)
    elif has_categories(column) and before.categories:
        apart = distance.categorical(column.categories, before.categories, method)
    else:
        return
    yield {"MetricName": f"feature_baseline_drift_{column.name}", "Value": apart}


def entries(
    profile: Profile,
    limits: Constraints | None,
    baseline: BaselineStatistics | None,
    environment: Mapping[str, str],
    now: str,
) -> list[dict[str, Any]]:
    """Return the metrics of a run: data, presence and, with a baseline, drift by feature.

    Args:
        profile: today's data.
        limits: constraints, for the drift's method and the switch per feature.
        baseline: the baseline's statistics.
        environment: names endpoint, schedule and time.
        now: timestamp for a run that names no `metric_time`.
    """
    dimensions = [
        {"Name": name, "Value": environment[key]}
        for name, key in (
            ("Endpoint", "sagemaker_endpoint_name"),
            ("MonitoringSchedule", "sagemaker_monitoring_schedule_name"),
        )
        if environment.get(key)
    ]
    stamp = environment.get("metric_time") or environment.get("end_time") or now
    found = []
    for column in profile.columns:
        limit = limits.features.get(column.name) if limits else None
        if limit and limit.config.emit_metrics != "Enabled":
            continue
        figures = [*_column(column), *(_drift(column, limits, baseline) if limits and baseline else ())]
        found += [{**figure, "Timestamp": stamp, "Dimensions": dimensions, "Unit": "None"} for figure in figures]
    return found


@contextmanager
def staged(folder: Path, metrics: list[dict[str, Any]]) -> Iterator[None]:
    """Write one metric a line beside their place, and put them there once the block has ended well.

    Raises:
        AnalyzerError: the folder cannot be written; nothing of the block was run.
    """
    if not metrics:
        yield
        return
    staging = folder / f".{FILE}"
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            staging.write_text("".join(json.dumps(metric) + "\n" for metric in metrics), encoding="utf-8")
        except OSError as error:
            raise AnalyzerError(f"the metrics cannot be written ({error.strerror}).", file=str(folder)) from error
        yield
        staging.replace(folder / FILE)
    finally:
        if folder.is_dir():
            staging.unlink(missing_ok=True)
