"""The index of days: empty objects whose keys say what became of a day, so that a list of keys is a whole calendar.

A thousand days cost one ListObjectsV2 and no GetObject; each run writes its own key, so nothing is ever contended.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.names import days_prefix, execution_id

KEY = re.compile(
    r"dt=(?P<day>\d{4}-\d{2}-\d{2})/(?P<created>\d{8}T\d{6})\.(?P<execution>[a-z0-9]+)\.(?P<verdict>clean|warned|held|failed)"
    r"\.v(?P<version>\d+)\.(?P<violated>\d+)of(?P<monitored>\d+)\.(?P<rows>\d*)rows(?P<since>\.published|\.discarded)?"
)


@dataclass(frozen=True)
class DayEntry:
    """What one execution made of a day.

    `rows` is None where nothing could be read; `written` is when it was judged; `published` whether its manifest was
    put; `discarded` whether a person decided that it never will be.
    """

    day: date
    created: datetime
    execution: str
    verdict: str
    version: int
    violated: int
    monitored: int
    rows: int | None
    written: datetime | None = None
    published: bool = False
    discarded: bool = False

    @property
    def is_verdict(self) -> bool:
        """Whether this is the entry of the verdict itself, and not of what came of it."""
        return not (self.published or self.discarded)


def entry_key(record: dict[str, Any]) -> str:
    """Return the key that a verdict record has in the index."""
    created = record["execution"]["created"]
    moment = datetime.fromisoformat(created).astimezone(UTC) if created else datetime.fromtimestamp(0, UTC)
    rows = "" if record["rows_in"] is None else record["rows_in"]
    return (
        f"{days_prefix(record['use_case'])}dt={record['batch_day']}/{moment:%Y%m%dT%H%M%S}"
        f".{execution_id(record['execution']['arn'])}.{record['verdict']}.v{record['model']['version']}"
        f".{len(record['violated_features'])}of{record['monitored_features']}.{rows}rows"
    )


def enter(s3: Any, bucket: str, record: dict[str, Any]) -> None:
    """Enter the verdict of a day; doing it again changes nothing."""
    s3.put_object(Bucket=bucket, Key=entry_key(record), Body=b"")


def enter_published(s3: Any, bucket: str, record: dict[str, Any]) -> None:
    """Enter that the predictions of a judged day have become visible; doing it again changes nothing."""
    s3.put_object(Bucket=bucket, Key=f"{entry_key(record)}.published", Body=b"")


def enter_discarded(s3: Any, bucket: str, record: dict[str, Any]) -> None:
    """Enter that a held day is not to be published by this execution; doing it again changes nothing."""
    s3.put_object(Bucket=bucket, Key=f"{entry_key(record)}.discarded", Body=b"")


def read_entries(s3: Any, bucket: str, use_case: str, since: date | None = None) -> list[DayEntry]:
    """Return every entry from a day on, oldest first (one ListObjectsV2 a thousand)."""
    prefix = days_prefix(use_case)
    after = f"{prefix}dt={since:%Y-%m-%d}" if since else ""
    found = (parse(key.removeprefix(prefix), written) for key, written in records.keys(s3, bucket, prefix, after))
    return [entry for entry in found if entry is not None]


def parse(name: str, written: datetime | None = None) -> DayEntry | None:
    """Return what a key (without the prefix) says; None for a key of another form, as a later version may write."""
    said = KEY.fullmatch(name)
    if said is None:
        return None
    return DayEntry(
        day=date.fromisoformat(said["day"]),
        created=datetime.strptime(said["created"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC),
        execution=said["execution"],
        verdict=said["verdict"],
        version=int(said["version"]),
        violated=int(said["violated"]),
        monitored=int(said["monitored"]),
        rows=int(said["rows"]) if said["rows"] else None,
        written=written,
        published=said["since"] == ".published",
        discarded=said["since"] == ".discarded",
    )


def standing(entries: Iterable[DayEntry]) -> dict[date, DayEntry]:
    """Return what stands for each day: the newest execution, and of that the judgement written last."""
    found: dict[date, DayEntry] = {}
    published, discarded, nothing = set(), set(), datetime.fromtimestamp(0, UTC)
    for entry in entries:
        if entry.published:
            published.add((entry.day, entry.execution))
        if entry.discarded:
            discarded.add((entry.day, entry.execution))
        other = found.get(entry.day)
        if other is None or (entry.created, entry.written or nothing) >= (other.created, other.written or nothing):
            found[entry.day] = entry
    return {
        day: replace(
            entry, published=(day, entry.execution) in published, discarded=(day, entry.execution) in discarded
        )
        for day, entry in found.items()
    }
