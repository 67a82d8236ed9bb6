"""Which batch days should have a verdict by now. Pure."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sagemaker_batch.use_case import Schedule, UseCase


def time_allowed(use_case: UseCase) -> timedelta:
    """Return how long after its end a batch day may be without a verdict: its input's deadline, and a grace."""
    return timedelta(minutes=use_case.data.ready.deadline_minutes + use_case.schedule.grace_minutes)


def expected_days(schedule: Schedule, allowed: timedelta, since: date, now: datetime) -> list[date]:
    """Return the batch days from `since` on whose verdict is due: the day and what is allowed after it are over.

    `now` is aware; a day is the start of the batch cron's interval in the use case's zone.
    """
    from croniter import croniter

    zone = ZoneInfo(schedule.timezone)
    first = max(since, schedule.start_date)
    # From the evening before, on the wall clock: the first moment may be midnight itself.
    wall = datetime(first.year, first.month, first.day) - timedelta(seconds=1)  # noqa: DTZ001 - a wall clock has no zone
    moments = croniter(schedule.batch, wall)
    starts = moments.get_next(datetime)
    found: list[date] = []
    while True:
        ends = moments.get_next(datetime)
        if ends.replace(tzinfo=zone).astimezone(UTC) + allowed > now:
            return found
        found.append(starts.date())
        starts = ends
