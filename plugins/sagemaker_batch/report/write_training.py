"""Writing a training's report: the edge that reads evaluation and registry and puts the file into S3."""

import csv
import io
from typing import Any

from sagemaker_batch import records, registry
from sagemaker_batch.names import execution_id, s3_uri, split_s3_uri, training_report_key
from sagemaker_batch.registry import ModelVersion
from sagemaker_batch.report import training_report
from sagemaker_batch.report.training_report import TrainingFacts
from sagemaker_batch.use_case import UseCase

# Beyond it curves say nothing new.
ROWS = 200_000


def write_training_report(  # noqa: PLR0917 - a boundary with many parts
    s3: Any,
    sagemaker: Any,
    bucket: str,
    use_case: UseCase,
    arn: str,
    threshold: float,
    links: list[tuple[str, str]],
) -> str:
    """Draw the training of a registered version; returns the report's URI."""
    version = registry.describe(sagemaker, arn)
    section = use_case.model.metrics_section
    evaluation = _document(s3, version.evaluation_uri, "")
    in_use = _in_use(sagemaker, version)
    other = _document(s3, in_use.evaluation_uri, "") if in_use else {}
    facts = TrainingFacts(
        use_case=use_case.name,
        version=version,
        dataset=evaluation.get("dataset", {}),
        metrics=evaluation.get(section, {}),
        predictions=predictions(s3, version.evaluation_uri),
        importance=_document(s3, version.evaluation_uri, "feature_importance.json").get("features", {}),
        gate=use_case.model.gate,
        threshold=threshold,
        zone=use_case.schedule.timezone,
        in_use=in_use,
        in_use_metrics=other.get(section, {}),
        links=links,
    )
    key = training_report_key(use_case.name, execution_id(version.execution_arn))
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=training_report.render(facts).encode(),
        ContentType="text/html; charset=utf-8",
        CacheControl="private, no-store",
    )
    return s3_uri(bucket, key)


def _in_use(sagemaker: Any, candidate: ModelVersion) -> ModelVersion | None:
    """Return the newest approved version that is older than the candidate."""
    try:
        found = registry.latest_approved(sagemaker, candidate.group)
        if found.arn == candidate.arn:
            found = registry.as_of(sagemaker, candidate.group, candidate.created)
    except registry.RegistryError:
        return None
    return found if found.arn != candidate.arn else None


def _document(s3: Any, evaluation_uri: str, name: str) -> dict[str, Any]:
    """Return evaluation.json, or a file beside it; empty where there is none."""
    if not evaluation_uri:
        return {}
    bucket, key = split_s3_uri(evaluation_uri)
    stored = records.read(s3, bucket, f"{key.rpartition('/')[0]}/{name}" if name else key)
    return stored.content if stored else {}


def predictions(s3: Any, evaluation_uri: str) -> list[tuple[float, float]]:
    """Return score and label of the test rows, which lie beside evaluation.json; none where there are none."""
    if not evaluation_uri:
        return []
    bucket, key = split_s3_uri(evaluation_uri)
    found = records.get(s3, bucket, f"{key.rpartition('/')[0]}/predictions.csv")
    if found is None:
        return []
    lines = csv.DictReader(io.StringIO(found["Body"].read().decode()))
    score = "probability" if "probability" in (lines.fieldnames or []) else "prediction"
    return [(float(line[score]), float(line["label"])) for line, _ in zip(lines, range(ROWS), strict=False)]
