"""A use case's days: what each one is, and what to type for those that were never scored. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sagemaker_batch import day_index
from sagemaker_batch.day_index import DayEntry
from sagemaker_batch.names import batch_dag
from sagemaker_batch.report import marks
from sagemaker_batch.report.marks import Mark
from sagemaker_batch.views.runs import DayRun, active_days, failed_days


@dataclass(frozen=True)
class Day:
    """A day of the calendar; `entry` is the execution that stands, `run` a failed run that left no verdict."""

    day: date
    mark: Mark
    entry: DayEntry | None = None
    run: DayRun | None = None
    note: str = ""


@dataclass(frozen=True)
class Gap:
    """Consecutive batch days that were never scored, and the moments at which the first and the last begin."""

    first: date
    last: date
    count: int
    begins: datetime
    ends: datetime

    def command(self, use_case: str) -> str:
        """Return the backfill that scores exactly these days."""
        return (
            f"airflow backfill create --dag-id {batch_dag(use_case)} "
            f"--from-date {self.begins.isoformat()} --to-date {self.ends.isoformat()}"
        )


@lru_cache(maxsize=512)
def batch_days(cron: str, zone: str, first: date, last: date) -> Mapping[date, datetime]:
    """Return the batch days from first to last with the moment at which each begins, by the schedule's own cron."""
    from croniter import croniter

    where = ZoneInfo(zone)
    # Wall clock: the cron is read in the zone.
    begun = datetime(first.year, first.month, first.day) - timedelta(seconds=1)  # noqa: DTZ001
    moments = croniter(cron, begun)
    found: dict[date, datetime] = {}
    while (moment := moments.get_next(datetime)).date() <= last:
        found.setdefault(moment.date(), moment.replace(tzinfo=where))
    return MappingProxyType(found)


def days(
    entries: Iterable[DayEntry], runs: list[DayRun], expected: Mapping[date, datetime], today: date
) -> dict[date, Day]:
    """Return every day that is expected or known; days before the first known one were never meant to be scored."""
    stands = day_index.standing(entries)
    active, failed = active_days(runs), failed_days(runs)
    known = {*stands, *active, *failed}
    begun = min(known) if known else today
    every = known | {day for day in expected if begun <= day < today}
    return {day: _day(day, stands.get(day), active, failed.get(day)) for day in sorted(every)}


def gaps(known: Mapping[date, Day], expected: Mapping[date, datetime]) -> list[Gap]:
    """Return the runs of missing days: neighbours in the schedule, whatever lies between them in the calendar."""
    found: list[list[date]] = []
    adjacent = False
    for day in sorted(expected):
        missing = day in known and known[day].mark is marks.MISSING
        if missing and adjacent:
            found[-1].append(day)
        elif missing:
            found.append([day])
        adjacent = missing
    return [Gap(part[0], part[-1], len(part), expected[part[0]], expected[part[-1]]) for part in found]


def _day(day: date, entry: DayEntry | None, active: set[date], failed: DayRun | None) -> Day:
    if day in active:
        return Day(day, marks.RUNNING, entry)
    if entry is None:
        return Day(day, marks.FAILED, run=failed) if failed else Day(day, marks.MISSING)
    if entry.verdict == "held" and (entry.published or entry.discarded):
        return Day(day, marks.RELEASED if entry.published else marks.DISCARDED, entry)
    if entry.verdict in {"held", "failed"}:
        return Day(day, marks.BY_VERDICT[entry.verdict], entry)
    if not entry.published:
        return Day(day, marks.FAILED, entry, failed, "judged, and not published")
    return Day(day, marks.BY_VERDICT[entry.verdict], entry)
