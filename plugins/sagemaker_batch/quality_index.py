"""The index of quality records: empty objects whose keys carry the figures, so that a list of keys is a whole history.

As with `day_index`, each execution writes a key of its own, and a page of 400 days costs one list and no reads.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.names import execution_id, quality_index_prefix

KEY = re.compile(
    r"dt=(?P<day>\d{4}-\d{2}-\d{2})/(?P<created>\d{8}T\d{6})\.(?P<execution>[a-z0-9]+)\.(?P<verdict>good|dropped|unknown)"
    r"\.v(?P<version>\d+)\.(?P<signature>[0-9a-f]{12})\.(?P<matched>\d+)of(?P<predictions>\d+)\.(?P<figures>.*)"
)
# What a page shows; each as `name=value~rolling~baseline`, of which the last two may be empty.
SHOWN = ("accuracy", "auc", "precision", "recall", "f1", "brier", "calibration_error", "mae", "rmse", "r2")
FIGURE = re.compile(r"(?P<name>[a-z0-9_]+)=(?P<value>[^~,]*)~(?P<rolling>[^~,]*)~(?P<baseline>[^~,]*)")


@dataclass(frozen=True)
class Figure:
    """A metric of a day, over the rolling window, and of the model's baseline; None where it is not known."""

    value: float | None
    rolling: float | None
    baseline: float | None


@dataclass(frozen=True)
class QualityEntry:
    """What one execution found of a day. `signature` is that of the labels and predictions it compared.

    `written` is when it was judged: an execution may be judged again, and then has two entries.
    """

    day: date
    created: datetime
    execution: str
    verdict: str
    version: int
    signature: str
    matched: int
    predictions: int
    written: datetime
    figures: dict[str, Figure]


def entry_key(record: dict[str, Any]) -> str:
    """Return the key that a quality record has in the index."""
    moment = datetime.fromisoformat(record["execution"]["created"]).astimezone(UTC)
    rolling = record["rolling"]["metrics"]
    said = ",".join(
        f"{name}={_text(item['value'])}~{_text(rolling.get(name))}~{_text(item['baseline'])}"
        for name, item in sorted(record["metrics"].items())
        if name in SHOWN
    )
    labels = record["labels"]
    return (
        f"{quality_index_prefix(record['use_case'])}dt={record['batch_day']}/{moment:%Y%m%dT%H%M%S}"
        f".{execution_id(record['execution']['arn'])}.{record['verdict']}.v{record['model_package_version']}"
        f".{record['signature']}.{labels['matched']}of{labels['predictions']}.{said}"
    )


def enter(s3: Any, bucket: str, record: dict[str, Any]) -> None:
    """Enter a quality record; doing it again changes nothing."""
    s3.put_object(Bucket=bucket, Key=entry_key(record), Body=b"")


def read_entries(s3: Any, bucket: str, use_case: str, since: date | None = None) -> list[QualityEntry]:
    """Return every entry from a day on, oldest first."""
    prefix = quality_index_prefix(use_case)
    after = f"{prefix}dt={since:%Y-%m-%d}" if since else ""
    found = (parse(key.removeprefix(prefix), written) for key, written in records.keys(s3, bucket, prefix, after))
    return [entry for entry in found if entry is not None]


def standing(entries: Iterable[QualityEntry]) -> dict[date, QualityEntry]:
    """Return what stands for each day, by day: what the newest execution found, as it was judged last."""
    found: dict[date, QualityEntry] = {}
    for entry in sorted(entries, key=lambda item: (item.day, item.created, item.written)):
        found[entry.day] = entry
    return found


def parse(name: str, written: datetime) -> QualityEntry | None:
    """Return what a key (without the prefix) says; None for a key of another form, as a later version may write."""
    said = KEY.fullmatch(name)
    if said is None:
        return None
    return QualityEntry(
        day=date.fromisoformat(said["day"]),
        created=datetime.strptime(said["created"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC),
        execution=said["execution"],
        verdict=said["verdict"],
        version=int(said["version"]),
        signature=said["signature"],
        matched=int(said["matched"]),
        predictions=int(said["predictions"]),
        written=written,
        figures={
            item["name"]: Figure(_number(item["value"]), _number(item["rolling"]), _number(item["baseline"]))
            for item in FIGURE.finditer(said["figures"])
        },
    )


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _number(text: str) -> float | None:
    return float(text) if text else None
