"""docs/on-call.md says what the shipped defaults do, and they cry wolf hardly ever."""

from datetime import date

import pytest

from local import alert_seconds, on_call


@pytest.fixture(scope="module")
def found():
    return on_call.seeded()


def test_the_page_is_what_the_seeded_days_come_to(found):
    """Make it anew with `make on-call` when analyzer, rules, generator, runbook or defaults have changed."""
    assert on_call.PAGE.read_text(encoding="utf-8") == on_call.page(found, on_call.recorded()), "run `make on-call`"


def test_at_most_one_clean_day_in_sixty_is_told_of(found):
    """By either report that may decide."""
    assert max(on_call.false_alarms(found, rule) for rule in on_call.RULES) <= 1


def test_what_harms_every_customer_is_never_missed(found):
    """The demo's drift, another unit, a missing column, a text among numbers: told on every day by the default rule."""
    days = [day["violations"] for what, found_days in found["drifted"].items() if "calls" in what or "unit" in what
            or "missing" in what or "text" in what for day in found_days]  # fmt: skip
    assert len(days) == 4 * on_call.DRIFTED_DAYS
    assert "clean" not in days


def test_no_alert_on_record_is_lost():
    """Of each channel, and whatever else is recorded is told with its circumstances."""
    rows = on_call.recorded()["delivery"]
    assert {row["lost"] for row in rows.values()} == {0}


def test_the_95th_percentile_is_one_that_was_measured():
    """Of twenty, the second longest."""
    told = alert_seconds.summary([float(number) for number in range(1, 21)], 1.0, "a machine", date(2026, 3, 3))
    assert (told["median"], told["p95"], told["longest"], told["count"]) == (10.5, 19.0, 20.0, 20)
