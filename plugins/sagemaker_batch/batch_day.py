"""Which day a run is about: the start of its data interval in the use case's time zone, or the `batch_day` Param.

Pure: run type, interval, Params and clock come in as values.
"""

import difflib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sagemaker_batch.errors import BadRun

POLICIES = ("latest", "as_of", "published")
# Runs that Airflow makes from the calendar; every other run must say which day it means.
CALENDAR = {"scheduled", "backfill"}


@dataclass(frozen=True)
class RunRequest:
    """What a run asks for. `ends` is the first moment after the batch day, aware."""

    day: date
    ends: datetime
    run_type: str
    policy: str

    @property
    def backfilled(self) -> bool:
        """Whether the run belongs to a backfill: it never pages anyone."""
        return self.run_type == "backfill"

    @property
    def waits(self) -> bool:
        """Whether the run waits for input: only those on schedule do."""
        return self.run_type == "scheduled"


def read_request(  # noqa: PLR0917 - a run has that many facets
    run_type: str,
    interval_start: datetime | None,
    interval_end: datetime | None,
    params: dict[str, Any],
    conf: dict[str, Any] | None,
    timezone: str,
    now: datetime,
) -> RunRequest:
    """Return what the run asks for.

    Raises:
        BadRun: no batch day, one that is no date or not over yet, one beside the calendar's own, an unknown policy, or
            a configuration key that is no Param.
    """
    check_keys(conf, params)
    zone = ZoneInfo(timezone)
    asked = params.get("batch_day")
    if run_type in CALENDAR:
        if asked:
            raise BadRun(
                f"This is a {run_type} run, whose batch day is its data interval's; it carries batch_day={asked!r} all "
                "the same, and every run of a backfill would score that one day. Leave batch_day empty, or trigger a "
                "single run by hand with it."
            )
        if interval_start is None or interval_end is None or interval_start == interval_end:
            raise BadRun(
                f"This {run_type} run has no data interval of a day ({interval_start} to {interval_end}), so it has no "
                "batch day. The DAG needs CronDataIntervalTimetable: was its schedule changed?"
            )
        day, ends = interval_start.astimezone(zone).date(), interval_end
    else:
        day = _asked_day(asked, run_type)
        ends = midnight(day + timedelta(days=1), zone)
    if ends > now:
        raise BadRun(
            f"Batch day {day} is not over: it ends at {ends.astimezone(zone).isoformat()}, and now it is "
            f"{now.astimezone(zone).isoformat(timespec='minutes')} ({timezone}). Trigger the run after that."
        )
    return RunRequest(day=day, ends=ends, run_type=run_type, policy=_policy(params.get("model_policy")))


def check_keys(conf: dict[str, Any] | None, params: dict[str, Any]) -> None:
    """Refuse a run whose configuration says something that no Param takes: Airflow itself passes it over.

    Raises:
        BadRun: naming the key, and the one that was probably meant.
    """
    unknown = sorted(set(conf or {}) - set(params))
    if unknown:
        close = difflib.get_close_matches(unknown[0], list(params), n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        pinned = " A model is pinned by model_policy alone." if "model_policy" in params else ""
        raise BadRun(
            f"The run's configuration has the key {unknown[0]!r}, which is no Param of this DAG.{hint} "
            f"Known: {', '.join(params)}.{pinned}"
        )


def read_day(text: Any) -> date:
    """Return the day that a person wrote.

    Raises:
        BadRun: it is no date.
    """
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise BadRun(f"batch_day is {text!r}, which is no date; write it as 2026-03-03.") from None


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the day's first moment in the zone, aware."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _asked_day(asked: Any, run_type: str) -> date:
    if not asked:
        raise BadRun(
            f"This {run_type.replace('_', ' ')} run does not say which day to score. Trigger it again with batch_day, "
            'for example {"batch_day": "2026-03-03"}; for several days ask for a backfill.'
        )
    return read_day(asked)


def _policy(policy: Any) -> str:
    text = str(policy or "latest")
    if text in POLICIES or text.startswith("arn:"):
        return text
    raise BadRun(f"model_policy is {text!r}; write {', '.join(POLICIES)}, or the ARN of a model package.")
