"""Days whose labels have arrived, or changed, since the model was last judged by them."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sagemaker_batch import quality_index, records, registry
from sagemaker_batch.batch_day import read_day
from sagemaker_batch.errors import BadRun
from sagemaker_batch.names import batch_prefix, execution_id, manifest_key, quality_prefix, s3_uri, split_s3_uri
from sagemaker_batch.use_case import UseCase

# Days that one scheduled run takes on, oldest first; the next run goes on.
MOST = 31
# What the pipeline takes; each day that is found has a value for each.
PARAMETERS = (
    "PredictionsUri", "LabelsUri", "FeatureSchemaUri", "BaselineStatisticsUri", "BaselineConstraintsUri",
    "OutputPrefixUri", "RecordIdColumn", "LabelColumn", "MinimumRows", "MinimumShare", "Tolerance", "Sigmas",
)  # fmt: skip


@dataclass
class Found:
    """Days to judge, each with what starts its pipeline, and days that are left out, each with the reason."""

    days: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def asked_day(run_type: str, interval_start: datetime | None, params: dict[str, Any], timezone: str) -> date | None:
    """Return the one day that a run is about: a backfill's own, or `batch_day`; None to look for new labels.

    Raises:
        BadRun: `batch_day` is no date, or stands beside the calendar's own.
    """
    asked = params.get("batch_day")
    if run_type in {"backfill", "scheduled"}:
        if asked:
            raise BadRun(
                f"This {run_type} run carries batch_day={asked!r}; a backfill has its own days, and a scheduled run "
                "looks for new labels. Leave batch_day empty, or trigger a single run by hand with it."
            )
        if run_type == "scheduled":
            return None
        if interval_start is None:
            raise BadRun("This backfill run has no data interval, so it has no day. Was the DAG's schedule changed?")
        return interval_start.astimezone(ZoneInfo(timezone)).date()
    return read_day(asked) if asked else None


def find(s3: Any, sagemaker: Any, bucket: str, use_case: UseCase, *, only: date | None, today: date) -> Found:
    """Return the days whose labels or published predictions differ from those of the newest quality record.

    `only` is looked at alone, and judged again even if nothing has changed; otherwise the days of
    `quality.look_back_days` before `today` are.
    """
    quality = use_case.quality
    if quality is None:
        raise BadRun(f"{use_case.name} has no section `quality` any more. Trigger nothing, or add it again.")
    since = only or today - timedelta(days=quality.look_back_days)
    labels = label_objects(s3, use_case, bucket, since, only or date.max)
    found = Found()
    if only is not None and not labels:
        found.left_out[only.isoformat()] = f"there are no labels below {use_case.labels_uri(bucket, only.isoformat())}"
    known = quality_index.standing(quality_index.read_entries(s3, bucket, use_case.name, since))
    versions: dict[str, registry.ModelVersion] = {}
    for day, objects in sorted(labels.items()):
        if len(found.days) == MOST:
            found.left_out[day.isoformat()] = f"{MOST} days are enough for one run; the next one goes on"
            continue
        stored = records.read(s3, bucket, manifest_key(use_case.name, day))
        if stored is None:
            found.left_out[day.isoformat()] = "its predictions are not published"
            continue
        manifest = stored.content
        mark = signature(objects, manifest["execution_arn"])
        if only is None and day in known and known[day].signature == mark:
            continue
        arn = manifest["model_package_arn"]
        try:
            version = versions.get(arn) or registry.describe(sagemaker, arn)
        except registry.RegistryError as error:
            found.left_out[day.isoformat()] = str(error)
            continue
        versions[arn] = version
        if not (version.quality_statistics_uri and version.quality_constraints_uri and version.feature_schema_uri):
            found.left_out[day.isoformat()] = (
                f"version {version.version}, which made its predictions, has no model-quality baseline"
            )
            continue
        found.days.append(_day(use_case, bucket, day, objects, mark, manifest, version))
    return found


def label_objects(
    s3: Any, use_case: UseCase, bucket: str, since: date, until: date = date.max
) -> dict[date, list[dict[str, Any]]]:
    """Return the label files (key, ETag, size, last change) of each day of a period: one list of keys a thousand.

    Both ends are included. Markers such as _SUCCESS and hidden files are none.
    """
    place, path = split_s3_uri(use_case.labels_uri(bucket, "{day}"))
    before, after = path.split("{day}")
    found: dict[date, list[dict[str, Any]]] = {}
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=place, Prefix=before, StartAfter=f"{before}{since.isoformat()}"
    )
    for item in (item for page in pages for item in page.get("Contents", [])):
        text, rest = item["Key"].removeprefix(before)[:10], item["Key"].removeprefix(before)[10:]
        name = item["Key"].rsplit("/", 1)[-1]
        if not rest.startswith(after) or not name or name.startswith(("_", ".")):
            continue
        try:
            day = date.fromisoformat(text)
        except ValueError:
            continue
        if day > until:
            break
        found.setdefault(day, []).append(
            {
                "key": item["Key"],
                "etag": item["ETag"].strip('"'),
                "size": item["Size"],
                "modified": item["LastModified"].isoformat(),
            }
        )
    return found


def signature(objects: Collection[dict[str, Any]], predictions: str) -> str:
    """Return what tells one set of labels for one execution's predictions from another: 12 hexadecimal digits."""
    parts = [predictions, *sorted(f"{item['key']} {item['etag']}" for item in objects)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _day(  # noqa: PLR0917 - a day has that many facets
    use_case: UseCase,
    bucket: str,
    day: date,
    objects: list[dict[str, Any]],
    mark: str,
    manifest: dict[str, Any],
    version: registry.ModelVersion,
) -> dict[str, Any]:
    quality, data = use_case.quality, use_case.data
    assert quality is not None  # noqa: S101 - `find` has looked
    predictions = f"{batch_prefix(use_case.name, day)}/{execution_id(manifest['execution_arn'])}/predictions/"
    return {
        "batch_day": day.isoformat(),
        "signature": mark,
        "objects": objects,
        "manifest_uri": s3_uri(bucket, manifest_key(use_case.name, day)),
        "predictions_execution_arn": manifest["execution_arn"],
        "model": {
            "arn": version.arn,
            "version": version.version,
            "statistics_uri": version.quality_statistics_uri,
            "evaluation_uri": version.evaluation_uri,
        },
        "parameters": {
            "PredictionsUri": s3_uri(bucket, predictions),
            "LabelsUri": use_case.labels_uri(bucket, day.isoformat()),
            "FeatureSchemaUri": version.feature_schema_uri,
            "BaselineStatisticsUri": version.quality_statistics_uri,
            "BaselineConstraintsUri": version.quality_constraints_uri,
            "OutputPrefixUri": s3_uri(bucket, quality_prefix(use_case.name, day)),
            "RecordIdColumn": quality.record_id or data.record_id,
            "LabelColumn": quality.label or data.label.name,
            "MinimumRows": str(quality.minimum_rows),
            "MinimumShare": str(quality.minimum_share),
            "Tolerance": str(quality.tolerance),
            "Sigmas": str(quality.sigmas),
        },
    }
