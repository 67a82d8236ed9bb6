"""Section `schedule`: crons, time zone, first day."""

import re
from datetime import date

from pydantic import Field, field_validator

from sagemaker_batch.use_case.section import Section

CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


class Schedule(Section):
    """When the DAGs run. A batch day starts at the batch cron's moment in this time zone."""

    training: str | None = Field(
        default="0 2 1 * *", description="Cron of the training DAG; null for runs by hand only."
    )
    batch: str = Field(default="0 0 * * *", description="Cron of the daily DAG; each interval is one batch day.")
    watchdog: str | None = Field(
        default="20 * * * *", description="Cron of the watchdog DAG; null for runs by hand only."
    )
    quality: str | None = Field(
        default="0 0 * * *",
        description="Cron of the DAG that looks for labels, if section quality is there; null for runs by hand only.",
    )
    timezone: str = Field(default="UTC", description="IANA time zone of every cron and of the batch day.")
    start_date: date = Field(default=date(2026, 1, 1), description="First day that may run or be backfilled.")
    grace_minutes: int = Field(
        default=120,
        ge=0,
        description="How long after data.ready.deadline_minutes a day must have its verdict; then it is told as late.",
    )
    catchup: bool = Field(default=False, description="Whether unpausing runs every day since start_date.")

    @field_validator("training", "batch", "watchdog", "quality")
    @classmethod
    def _a_cron(cls, value: str | None) -> str | None:
        if value is not None:
            check_cron(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        import zoneinfo

        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no IANA time zone; examples: UTC, Europe/Berlin") from None
        return value


def check_cron(text: str) -> None:
    """Refuse what is no cron of five fields (names and presets are not accepted, so that all readers agree).

    Raises:
        ValueError: saying which field is wrong.
    """
    fields = text.split()
    if len(fields) != len(CRON_RANGES):
        raise ValueError(f"{text!r} is no cron: expected 5 fields (minute hour day month weekday), found {len(fields)}")
    for value, (low, high) in zip(fields, CRON_RANGES, strict=True):
        for part in value.split(","):
            found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/([1-9]\d*))?", part)
            numbers = [int(number) for number in found.groups()[:2] if number] if found else [-1]
            if numbers != sorted(numbers) or any(not low <= number <= high for number in numbers):
                raise ValueError(f"{text!r} is no cron: {part!r} is not within {low}-{high}")
