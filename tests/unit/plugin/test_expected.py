"""Which days should have a verdict by now."""

from datetime import UTC, date, datetime, timedelta

import pytest

from sagemaker_batch.expected import expected_days
from sagemaker_batch.use_case import Schedule

EIGHT_HOURS = timedelta(hours=8)


@pytest.mark.parametrize(
    ("now", "days"),
    [
        (datetime(2026, 3, 4, 7, 59, tzinfo=UTC), [2]),
        (datetime(2026, 3, 4, 8, 0, tzinfo=UTC), [2, 3]),
        (datetime(2026, 3, 2, 12, tzinfo=UTC), []),
    ],
)
def test_a_day_is_due_when_it_its_deadline_and_a_grace_are_over(now, days):
    """Not a minute before."""
    assert [day.day for day in expected_days(Schedule(), EIGHT_HOURS, date(2026, 3, 2), now)] == days


def test_nothing_is_expected_before_the_start_date():
    """Whatever the watchdog looked at first."""
    schedule = Schedule(start_date=date(2026, 3, 3))
    assert expected_days(schedule, EIGHT_HOURS, date(2026, 1, 1), datetime(2026, 3, 4, 9, tzinfo=UTC)) == [
        date(2026, 3, 3)
    ]


def test_days_follow_the_zone_of_the_use_case_across_the_change_of_clocks():
    """29 March has 23 hours in Berlin, and is one day."""
    schedule = Schedule(timezone="Europe/Berlin", batch="30 1 * * *")
    now = datetime(2026, 3, 31, 7, 30, tzinfo=UTC)  # 09:30 in Berlin: the 30th ended at 01:30, eight hours ago
    found = expected_days(schedule, EIGHT_HOURS, date(2026, 3, 28), now)
    assert [day.day for day in found] == [28, 29, 30]
    assert expected_days(schedule, EIGHT_HOURS, date(2026, 3, 28), now - timedelta(seconds=1))[-1].day == 29
