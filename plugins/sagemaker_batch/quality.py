"""Judging a model by labels: the edge that reads the execution's reports, decides, and writes the quality record."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sagemaker_batch import quality_index, records, rolling
from sagemaker_batch.errors import MonitorError
from sagemaker_batch.ground_truth import label_objects
from sagemaker_batch.names import execution_id, quality_key, quality_prefix, s3_uri, split_s3_uri
from sagemaker_batch.use_case import UseCase
from sagemaker_batch.verdict import CLEAN_MESSAGE, VIOLATIONS_MESSAGE

VERSION = 1
GOOD, DROPPED, UNKNOWN = "good", "dropped", "unknown"
CHECK = "CheckModelQuality"
REPORT, SUMS, LIMITS = "report/ground_truth.json", "report/sums.json", "constraints/constraints.json"
VIOLATIONS = "monitoring/constraint_violations.json"
COUNTED = (
    "predictions", "label_rows", "matched", "missing", "duplicates", "contradictory", "unknown_ids", "empty",
    "unreadable", "without_id", "positives", "read_as_no",
)  # fmt: skip


def judge(  # noqa: PLR0917 - a boundary with many parts
    s3: Any,
    sagemaker: Any,
    bucket: str,
    use_case: UseCase,
    given: dict[str, Any],
    outcome: dict[str, Any],
    run: dict[str, str],
) -> dict[str, Any]:
    """Return the quality record of a day, and write it to `quality/dt=<day>/<execution id>.json`.

    `given` is a day of `ground_truth.find`, `outcome` the sensor's.

    Raises:
        MonitorError: the execution did not do its work, or its parts disagree; nothing is written.
    """
    day, execution = date.fromisoformat(given["batch_day"]), execution_id(outcome["arn"])
    prefix = f"{quality_prefix(use_case.name, day)}/{execution}/"
    report = _needed(s3, bucket, prefix + REPORT, outcome, given)
    bounds = _thresholds(_needed(s3, bucket, prefix + LIMITS, outcome, given))
    found = _violations(s3, sagemaker, bucket, prefix, outcome) if report["checkable"] else []
    dropped = [item for item in found if item["metric"] in use_case.quality_metrics]
    verdict, reasons = _decided(s3, bucket, use_case, given, report, dropped)
    metrics = _beside_the_baseline(s3, given["model"], report, bounds)
    key = quality_key(use_case.name, day, execution)
    read = quality_index.read_entries(s3, bucket, use_case.name, _first(use_case, day))
    # What this execution was found to be before is no former look: it may be judged again.
    entries = quality_index.standing(entry for entry in read if entry.execution != execution)
    record = {
        "version": VERSION,
        "use_case": use_case.name,
        "batch_day": given["batch_day"],
        "uri": s3_uri(bucket, key),
        "verdict": verdict,
        "severity": "critical" if verdict == DROPPED else "none",
        "reasons": reasons,
        "metrics": metrics,
        "judged_by": list(use_case.quality_metrics),
        "violations": found,
        "labels": {
            **{name: report[name] for name in COUNTED},
            "late": _late(s3, bucket, use_case.name, entries.get(day), given, report["matched"]),
            "newest": max((item["modified"] for item in given["objects"]), default=""),
        },
        "rolling": _rolling(s3, bucket, use_case, day, prefix, given, entries),
        "signature": given["signature"],
        "model_package_arn": given["model"]["arn"],
        "model_package_version": given["model"]["version"],
        "manifest_uri": given["manifest_uri"],
        "predictions_execution_arn": given["predictions_execution_arn"],
        "inputs": given["objects"],
        "reports": {name: s3_uri(bucket, prefix + path) for name, path in _reports(report).items()},
        "execution": {"arn": outcome["arn"], "status": outcome["status"], "created": outcome["created"]},
        "run": run,
        "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    records.write(s3, bucket, key, record)
    quality_index.enter(s3, bucket, record)
    return record


def history(s3: Any, bucket: str, use_case: str, since: date, model_arn: str) -> list[dict[str, Any]]:
    """Return what stands for each day from `since` on that this model version made, by day, for `retraining`.

    No record is read: the index says the version, and a group's versions are numbered.
    """
    version = int(model_arn.rsplit("/", 1)[-1])
    return [
        {"batch_day": day.isoformat(), "verdict": entry.verdict, "model_package_arn": model_arn}
        for day, entry in quality_index.standing(quality_index.read_entries(s3, bucket, use_case, since)).items()
        if entry.version == version
    ]


def _needed(s3: Any, bucket: str, key: str, outcome: dict[str, Any], given: dict[str, Any]) -> Any:
    stored = records.read(s3, bucket, key) if outcome["status"] == "Succeeded" else None
    if stored is not None:
        return stored.content
    why = [outcome["failure_reason"], *(f"{item['name']}: {item['reason']}" for item in outcome["failed_steps"])]
    said = " ".join(text for text in why if text)
    left = f"it left no s3://{bucket}/{key}" if outcome["status"] == "Succeeded" else f"it is {outcome['status']}"
    raise MonitorError(
        f"The labels of {given['batch_day']} could not be compared: execution {outcome['arn']}: {left}. {said} "
        f"Put the files below {given['parameters']['LabelsUri']} right, then clear find_labels."
    )


def _violations(s3: Any, sagemaker: Any, bucket: str, prefix: str, outcome: dict[str, Any]) -> list[dict[str, str]]:
    """Return the violations that the check found, if step, exit message and report agree.

    Raises:
        MonitorError: they do not.
    """
    check: dict[str, Any] = next((step for step in outcome["steps"] if step["name"] == CHECK), {})
    if check.get("status") != "Succeeded" or not check.get("arn"):
        raise MonitorError(f"The step {CHECK} of {outcome['arn']} is {check.get('status') or 'absent'}, not Succeeded.")
    name = check["arn"].rsplit("/", 1)[-1]
    said = sagemaker.describe_processing_job(ProcessingJobName=name).get("ExitMessage", "").strip()
    stored = records.read(s3, bucket, prefix + VIOLATIONS)
    try:
        found = [
            {
                "metric": item["metric_name"],
                "comparison": item["constraint_check_type"],
                "description": item["description"],
            }
            for item in (stored.content["violations"] if stored else [])
        ]
    except (KeyError, TypeError) as error:
        raise MonitorError(f"s3://{bucket}/{prefix}{VIOLATIONS} is no violations report ({error!r}).") from error
    if said.startswith(VIOLATIONS_MESSAGE) and found:
        return found
    if said.startswith(CLEAN_MESSAGE) and not found:
        return []
    raise MonitorError(f"The check of model quality says {said!r}, and its report names {len(found)} violation(s).")


def _decided(  # noqa: PLR0917 - what there is to decide on
    s3: Any,
    bucket: str,
    use_case: UseCase,
    given: dict[str, Any],
    report: dict[str, Any],
    dropped: Sequence[dict[str, str]],
) -> tuple[str, list[str]]:
    day = date.fromisoformat(given["batch_day"])
    now = label_objects(s3, use_case, bucket, day, day).get(day, [])
    if {(item["key"], item["etag"]) for item in now} != {(item["key"], item["etag"]) for item in given["objects"]}:
        return UNKNOWN, ["The labels changed while the run was at work; the next one looks at the day again."]
    if not report["checkable"]:
        return UNKNOWN, list(report["reasons"])
    if dropped:
        return DROPPED, [item["description"] for item in dropped]
    return GOOD, [f"{', '.join(use_case.quality_metrics)}: none is worse than its bound."]


def _thresholds(constraints: Any) -> dict[str, float]:
    return {
        name: limit["threshold"]
        for key, limits in constraints.items()
        if key.endswith("_constraints")
        for name, limit in limits.items()
    }


def _beside_the_baseline(
    s3: Any, model: dict[str, Any], report: dict[str, Any], bounds: dict[str, float]
) -> dict[str, dict[str, float | None]]:
    """Return each metric's value and error today, the baseline's value, and the bound that the check used."""
    known: dict[str, float] = {}
    # The check's own statistics know no Brier score; the evaluation may.
    for uri in (model["evaluation_uri"], model["statistics_uri"]):
        stored = records.read(s3, *split_s3_uri(uri)) if uri else None
        for name, item in (stored.content if stored else {}).get(f"{report['problem']}_metrics", {}).items():
            if isinstance(item, dict) and isinstance(item.get("value"), (int, float)):
                known[name] = float(item["value"])
    return {
        name: {**item, "baseline": known.get(name), "bound": bounds.get(name) if report["checkable"] else None}
        for name, item in report["metrics"].items()
    }


def _late(  # noqa: PLR0917 - two sides of a comparison
    s3: Any,
    bucket: str,
    use_case: str,
    before: quality_index.QualityEntry | None,
    given: dict[str, Any],
    matched: int,
) -> int:
    """Return how many usable labels have come since the same predictions were last judged; 0 for the first time."""
    stored = records.read(s3, bucket, quality_key(use_case, before.day, before.execution)) if before else None
    if stored is None or stored.content["predictions_execution_arn"] != given["predictions_execution_arn"]:
        return 0
    return max(0, matched - int(stored.content["labels"]["matched"]))


def _rolling(  # noqa: PLR0917 - where the days lie
    s3: Any,
    bucket: str,
    use_case: UseCase,
    day: date,
    prefix: str,
    given: dict[str, Any],
    entries: dict[date, quality_index.QualityEntry],
) -> dict[str, Any]:
    """Return the figures over the window that ends with the day, of the days that the same version made."""
    places = {
        other: f"{quality_prefix(use_case.name, other)}/{entry.execution}/{SUMS}"
        for other, entry in entries.items()
        if other < day and entry.version == given["model"]["version"] and entry.matched
    }
    places[day] = prefix + SUMS
    told = {other: stored.content for other, key in places.items() if (stored := records.read(s3, bucket, key))}
    rows, metrics, error = rolling.figures(list(told.values()))
    return {
        "days": len(told),
        "first": min(told).isoformat(),
        "last": day.isoformat(),
        "rows": rows,
        "metrics": metrics,
        "auc_error": error,
    }


def _first(use_case: UseCase, day: date) -> date:
    assert use_case.quality is not None  # noqa: S101 - the DAG is there because it is
    return day - timedelta(days=use_case.quality.window_days - 1)


def _reports(report: dict[str, Any]) -> dict[str, str]:
    made = {"ground_truth": REPORT, "constraints": LIMITS}
    if report["checkable"]:
        made |= {"statistics": "monitoring/statistics.json", "violations": VIOLATIONS}
    return made
