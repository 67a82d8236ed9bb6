"""Judging a day: the edge that reads the execution's reports, lets `verdict` decide, and writes the record."""

import re
from datetime import UTC, datetime
from typing import Any

from sagemaker_batch import cost, day_index, drift, records
from sagemaker_batch.errors import InputNotReady, MonitorError
from sagemaker_batch.inputs import check_unchanged, data_objects, list_input
from sagemaker_batch.names import batch_prefix, deployment_key, execution_id, s3_uri, split_s3_uri, verdict_key
from sagemaker_batch.use_case import UseCase
from sagemaker_batch.verdict import Evidence, Verdict, decide, deciding
from sagemaker_batch.violations import WITHHELD, Violation, parse, top_features

VERSION = 1
REPORTS = {
    "statistics": "monitoring/statistics.json",
    "constraints": "monitoring/constraints.json",
    "violations": "monitoring/constraint_violations.json",
    "batch": "prepared/report/batch.json",
}
DRIFT_REPORT = {"drift": "monitoring/drift_report.json"}


def judge(  # noqa: PLR0917 - a boundary with many parts
    s3: Any, sagemaker: Any, bucket: str, use_case: UseCase, day: Any, outcome: dict[str, Any], facts: dict[str, Any]
) -> dict[str, Any]:
    """Return the verdict record of the day, and write it to `verdicts/dt=<day>/<execution id>.json`.

    `outcome` is the sensor's; `facts` has `input` (prefix, objects), `model` and `run`. The record of a day that cannot
    be judged has the verdict `failed`: the caller raises.
    """
    execution = execution_id(outcome["arn"])
    prefix = f"{batch_prefix(use_case.name, day)}/{execution}/"
    places = REPORTS | (DRIFT_REPORT if use_case.severity.report == "drift_report" else {})
    reports = {name: records.read(s3, bucket, prefix + path) for name, path in places.items()}
    batch = reports["batch"].content if reports["batch"] else {}
    statistics = reports["statistics"].content if reports["statistics"] else {}
    monitoring = _step(outcome, "-monitoring")
    found = flagged = None
    try:
        if reports["violations"] is not None:
            found = parse(reports["violations"].content, s3_uri(bucket, prefix + REPORTS["violations"]))
        if "drift" in reports:
            flagged = _flagged(reports["drift"], use_case, s3_uri(bucket, prefix + places["drift"]))
        input_now = data_objects(list_input(s3, facts["input"]["prefix"]), use_case.data.ready)
        check_unchanged(facts["input"]["objects"], input_now, facts["input"]["prefix"])
        _check_sizes(batch, facts["input"])
        verdict = decide(
            Evidence(
                execution_status=outcome["status"],
                execution_reason=outcome["failure_reason"],
                monitoring_status=monitoring.get("status", ""),
                exit_message=_exit_message(sagemaker, monitoring),
                violations=found,
                monitored=len(statistics.get("features", [])),
                scorable=batch.get("scorable"),
                prepare_reasons=list(batch.get("reasons", [])),
                transform_status=_step(outcome, "-transform").get("status", ""),
                failed_steps=outcome["failed_steps"],
                drift=flagged,
            ),
            use_case.severity.critical_share,
        )
    except (MonitorError, InputNotReady) as error:
        verdict = Verdict("failed", "error", "fail", [str(error)])
    found = deciding(found or [], flagged)
    tops = top_features(found, _baseline(s3, facts["model"]), statistics, use_case.data.sensitive)
    key = verdict_key(use_case.name, day, execution)
    record = {
        "version": VERSION,
        "use_case": use_case.name,
        "batch_day": day.isoformat(),
        "uri": s3_uri(bucket, key),
        **verdict.as_dict(),
        "reasons": discreet(verdict.reasons, use_case.data.sensitive),
        "top_features": [item.__dict__ for item in tops],
        "violations": [_without_values(item, use_case.data.sensitive) for item in found],
        "violated_features": sorted({item.feature for item in found}),
        "judged_by": use_case.severity.report,
        "monitored_features": len(statistics.get("features", [])),
        "rows_in": batch.get("rows_in"),
        "rows_scorable": batch.get("rows_scorable"),
        "unknown_categories": batch.get("unknown_categories", {}),
        "reports": {name: s3_uri(bucket, prefix + path) for name, path in places.items() if reports[name] is not None},
        "inputs": facts["input"]["objects"],
        "model": facts["model"],
        "execution": {"arn": outcome["arn"], "status": outcome["status"], "created": outcome["created"]},
        "run": facts["run"],
        "cost": _cost(s3, bucket, use_case.name, outcome),
        "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    records.write(s3, bucket, key, record)
    day_index.enter(s3, bucket, record)
    return record


def _cost(s3: Any, bucket: str, use_case: str, outcome: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the execution's machines cost, None where the deployment does not say which they are."""
    stored = records.read(s3, bucket, deployment_key(use_case))
    found = cost.of_run(outcome["steps"], stored.content if stored else {}, "batch_monitor")
    return found.as_dict() if found else None


def _flagged(stored: Any, use_case: UseCase, where: str) -> list[Violation] | None:
    """Return what the drift report flags.

    Raises:
        MonitorError: there is none although the use case is judged by it.
    """
    if stored is None:
        raise MonitorError(
            f"The use case is judged by drift_report.json, and there is none at {where}. AWS's own analyzer writes "
            "none: set monitor.engine to bundled, or severity.report to violations."
        )
    return drift.findings(stored.content, use_case.severity.drift, where)


def _step(outcome: dict[str, Any], ending: str) -> dict[str, Any]:
    return next((step for step in outcome["steps"] if step["name"].endswith(ending)), {})


def _exit_message(sagemaker: Any, monitoring: dict[str, Any]) -> str:
    """Return what the monitoring job wrote to /opt/ml/output/message; empty when it never ran."""
    if not monitoring.get("arn"):
        return ""
    name = monitoring["arn"].rsplit("/", 1)[-1]
    return sagemaker.describe_processing_job(ProcessingJobName=name).get("ExitMessage", "")


def _check_sizes(batch: dict[str, Any], given: dict[str, Any]) -> None:
    """Compare what PrepareBatch read with what the run pinned.

    Raises:
        InputNotReady: it read a file that was not pinned, or one of another size.
    """
    # Both sides name a file by its path below the day's prefix: folders of a day may use the same names.
    _, prefix = split_s3_uri(given["prefix"])
    pinned = {item["key"].removeprefix(prefix): item["size"] for item in given["objects"]}
    for item in batch.get("inputs", []):
        name = item["name"]
        if name not in pinned:
            raise InputNotReady(
                f"The pipeline read {given['prefix']}{name}, which was not there when the run began. Run the day again "
                "when its sender has finished."
            )
        if pinned[name] != item["size"]:
            raise InputNotReady(
                f"{given['prefix']}{name} had {pinned[name]} bytes when the run began and {item['size']} when the "
                "pipeline read it: it was replaced in between. Run the day again when its sender has finished."
            )


def _baseline(s3: Any, model: dict[str, Any]) -> Any:
    bucket, key = split_s3_uri(model["statistics_uri"])
    stored = records.read(s3, bucket, key)
    return stored.content if stored else None


def discreet(reasons: list[str], sensitive: list[str]) -> list[str]:
    """Replace each reason that names a sensitive column: it may quote a value of it."""
    kept = []
    for reason in reasons:
        named = next((column for column in sensitive if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", reason)), None)
        kept.append(f"{named}: {WITHHELD}" if named else reason)
    return kept


def _without_values(violation: Violation, sensitive: list[str]) -> dict[str, str]:
    hidden = violation.feature in sensitive
    return {**violation.as_dict(), **({"description": WITHHELD} if hidden else {})}
