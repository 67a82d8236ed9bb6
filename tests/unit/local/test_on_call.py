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
    """Of each channel that has been down; whoever heard late heard once."""
    rows = on_call.recorded()["delivery"]
    assert set(rows) == {"aws", "http", "pagerduty_events", "slack", "slackwebhook", "smtp"}
    for row in rows.values():
        assert (row["lost"], row["twice"]) == (0, 0)
        assert row["other"] == row["late"] == row["told"] > 0


def test_the_95th_percentile_is_one_that_was_measured(found):
    """Of twenty, the second longest; the page tells days alone and all at once apart."""
    seconds = {"1": [float(number) for number in range(1, 21)], "4": [30.0, 40.0]}
    told = alert_seconds.summary(seconds, 1.0, "a machine", date(2026, 3, 3))
    assert told["at_once"]["1"] == {"count": 20, "median": 10.5, "p95": 19.0, "longest": 20.0}
    text = on_call.page(found, {"delivery": {}, "seconds": told})
    assert "| 1 | 20 | 10.5 s | 19.0 s | 20.0 s |\n| 4 | 2 | 35.0 s | 40.0 s | 40.0 s |" in text
    assert "2026-03-03, in one house" in text
