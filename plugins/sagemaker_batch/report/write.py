"""Writing a run's report: the edge that reads what the run left in S3 and puts the file beside its verdict."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sagemaker_batch import records, registry, violations
from sagemaker_batch.names import (
    batch_prefix,
    execution_id,
    report_key,
    report_record_key,
    reports_prefix,
    s3_uri,
    split_s3_uri,
)
from sagemaker_batch.report import features, run_report, scores
from sagemaker_batch.report.run_report import RunFacts
from sagemaker_batch.use_case import UseCase

VERSION = 1
EARLIER_DAYS = 30
DRIFT_REPORT = "drift_report"


def write_run_report(  # noqa: PLR0917 - a boundary with many parts
    s3: Any, sagemaker: Any, bucket: str, use_case: UseCase, record: dict[str, Any], links: list[tuple[str, str]]
) -> str:
    """Draw the run of a verdict record; returns the report's URI.

    Beside the file goes a small record (docs/contracts/report.schema.json) with the figures that later days compare
    with. What a run did not leave (no drift report with AWS's engine, no predictions on a broken day) is left out.
    """
    day, execution = date.fromisoformat(record["batch_day"]), execution_id(record["execution"]["arn"])
    prefix = f"{batch_prefix(use_case.name, day)}/{execution}/"
    baseline = _at(s3, record["model"]["statistics_uri"])
    found = features.gather(
        baseline,
        _read(s3, bucket, prefix + "monitoring/statistics.json"),
        record["violations"],
        _read(s3, bucket, prefix + "monitoring/drift_report.json"),
        _at(s3, record["model"]["constraints_uri"]),
        set(use_case.data.sensitive),
        _rule(s3, bucket, prefix) if record.get("judged_by") == DRIFT_REPORT else None,
    )
    version = registry.describe(sagemaker, record["model"]["arn"])
    training = _training(s3, version.evaluation_uri)
    span = (training.low, training.high) if training else (0.0, 1.0)
    today, rows_out = _predictions(s3, bucket, prefix + "predictions/", span)
    facts = RunFacts(
        record=record,
        features=found,
        today_scores=today,
        training_scores=training,
        earlier=_earlier(s3, bucket, use_case.name, day, span),
        rows_out=rows_out,
        approval={
            "at": version.approved_at.isoformat() if version.approved_at else "",
            "by": version.approved_by,
            "status": version.status,
        },
        zone=use_case.schedule.timezone,
        dag_id=record["run"]["dag_id"],
        baseline_rows=((baseline or {}).get("dataset") or {}).get("item_count"),
        links=links,
    )
    key = report_key(use_case.name, day, execution)
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=run_report.render(facts).encode(),
        ContentType="text/html; charset=utf-8",
        CacheControl="private, no-store",
    )
    records.write(s3, bucket, report_record_key(use_case.name, day, execution), report_record(facts, execution))
    return s3_uri(bucket, key)


def report_record(facts: RunFacts, execution: str) -> dict[str, Any]:
    """Return the report's figures: no value of any record, so sensitive features are in it too."""
    record = facts.record
    return {
        "version": VERSION,
        "use_case": record["use_case"],
        "batch_day": record["batch_day"],
        "execution": execution,
        "execution_created": record["execution"]["created"],
        "verdict": record["verdict"],
        "model_package_version": record["model"]["version"],
        "rows_in": record["rows_in"],
        "rows_out": facts.rows_out,
        "scores": facts.today_scores.as_dict() if facts.today_scores else None,
        "features": {
            item.name: {
                "violated": [check for check, _ in item.violations],
                "distance": item.distance,
                "psi": item.psi,
                "null_share": item.today.null_share,
            }
            for item in facts.features
        },
    }


def read_report_records(s3: Any, bucket: str, use_case: str, since: date, until: date) -> list[dict[str, Any]]:
    """Return the figures of each day's newest execution from `since` on and before `until`, oldest first."""
    newest: dict[str, dict[str, Any]] = {}
    for key in _keys(s3, bucket, use_case, since, until):
        found = _read(s3, bucket, key)
        if found is None:
            continue
        # The execution counts, not the moment of writing: an old run's report may have been drawn again.
        before = newest.get(found["batch_day"])
        if before is None or _created(found) > _created(before):
            newest[found["batch_day"]] = found
    return [newest[day] for day in sorted(newest)]


def _created(figures: dict[str, Any]) -> datetime:
    said = figures["execution_created"]
    return datetime.fromisoformat(said) if said else datetime.fromtimestamp(0, UTC)


def _keys(s3: Any, bucket: str, use_case: str, since: date, until: date) -> list[str]:
    """Return the keys of figures, in their order."""
    prefix, found = reports_prefix(use_case), []
    end = f"{prefix}{until:%Y-%m-%d}"
    for key, _ in records.keys(s3, bucket, prefix, f"{prefix}{since:%Y-%m-%d}"):
        if key >= end:
            break
        if key.endswith(".json"):
            found.append(key)
    return found


def _earlier(s3: Any, bucket: str, use_case: str, day: date, span: tuple[float, float]) -> list[list[int]]:
    """Return the counts of the days before that have the same bins."""
    before = read_report_records(s3, bucket, use_case, day - timedelta(days=EARLIER_DAYS), day)
    found = [item["scores"] for item in before if item.get("scores")]
    return [item["counts"] for item in found if (item["low"], item["high"]) == span]


def _predictions(
    s3: Any, bucket: str, prefix: str, span: tuple[float, float]
) -> tuple[scores.ScoreCounts | None, int | None]:
    keys = [key for key, _ in records.keys(s3, bucket, prefix) if key.endswith(".out")]
    if not keys:
        return None, None
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"] for key in keys)
    counted = scores.of_predictions(bodies, *span)
    return counted, counted.count + counted.outside


def _training(s3: Any, evaluation_uri: str) -> scores.ScoreCounts | None:
    if not evaluation_uri:
        return None
    bucket, key = split_s3_uri(evaluation_uri)
    found = records.get(s3, bucket, key.rpartition("/")[0] + "/predictions.csv")
    return scores.of_evaluation(found["Body"]) if found else None


def _rule(s3: Any, bucket: str, prefix: str) -> list[dict[str, str]]:
    """Return what AWS's rule violates on a day that the drift report judged; no file: nothing."""
    key = prefix + "monitoring/constraint_violations.json"
    found = _read(s3, bucket, key)
    return [item.as_dict() for item in violations.parse(found, s3_uri(bucket, key))] if found else []


def _at(s3: Any, uri: str) -> Any:
    return _read(s3, *split_s3_uri(uri)) if uri else None


def _read(s3: Any, bucket: str, key: str) -> Any:
    stored = records.read(s3, bucket, key)
    return stored.content if stored else None
