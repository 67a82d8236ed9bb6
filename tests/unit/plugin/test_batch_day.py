"""Which day a run is about."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from sagemaker_batch.batch_day import read_request
from sagemaker_batch.errors import BadRun

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
PARAMS = {"batch_day": None, "model_policy": "latest"}


def ask(run_type="manual", start=None, end=None, conf=None, timezone="UTC", now=NOW, **params):  # noqa: PLR0917 - a run has that many facets
    return read_request(run_type, start, end, {**PARAMS, **params}, conf, timezone, now)


def at(day, hour=0, zone="UTC"):
    return datetime(2026, 3, day, hour, tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_the_calendar_names_the_day(run_type):
    """A scheduled or backfilled run scores the day on which its data interval starts."""
    asked = ask(run_type, at(3), at(4))
    assert asked.day == date(2026, 3, 3)
    assert asked.waits == (run_type == "scheduled")
    assert asked.backfilled == (run_type == "backfill")


def test_the_day_is_the_use_cases_not_utcs():
    """In Auckland the interval starts on the day before by UTC."""
    start, end = at(3, zone="Pacific/Auckland"), at(4, zone="Pacific/Auckland")
    assert ask("backfill", start.astimezone(UTC), end.astimezone(UTC), timezone="Pacific/Auckland").day.day == 3


def test_a_day_of_23_hours_is_a_day():
    """The day on which clocks go forward has a name like any other."""
    start, end = at(29, zone="Europe/Berlin"), at(30, zone="Europe/Berlin")
    asked = ask("backfill", start, end, timezone="Europe/Berlin", now=datetime(2026, 4, 1, tzinfo=UTC))
    assert asked.day == date(2026, 3, 29)


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_a_calendar_run_that_names_a_day_is_refused(run_type):
    """A backfill's configuration would make every day score the same one."""
    with pytest.raises(BadRun, match="every run of a backfill would score that one day"):
        ask(run_type, at(3), at(4), batch_day="2026-03-03")


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered", "operator_triggered"])
def test_any_other_run_must_name_its_day(run_type):
    """Not even a logical date stands in for batch_day."""
    with pytest.raises(BadRun, match="does not say which day to score"):
        ask(run_type, at(3), at(4))


def test_a_manual_day_counts_whatever_its_interval_says():
    """Airflow gives a manual run the interval before its logical date."""
    assert ask(batch_day="2026-03-05", start=at(2), end=at(3)).day == date(2026, 3, 5)


@pytest.mark.parametrize("day", ["2026-03-10", "2026-03-11", "2027-01-01"])
def test_a_day_that_is_not_over_is_refused(day):
    """Neither the future nor today can be complete."""
    with pytest.raises(BadRun, match="is not over"):
        ask(batch_day=day)


def test_the_day_ends_by_the_use_cases_clock():
    """At noon UTC on the 10th it is the 11th in Kiritimati, and the 10th is over there."""
    assert ask(batch_day="2026-03-10", timezone="Pacific/Kiritimati").day == date(2026, 3, 10)


@pytest.mark.parametrize("day", ["tomorrow", "03/03/2026", "2026-02-30"])
def test_what_is_no_date_is_refused(day):
    """The message shows how to write it."""
    with pytest.raises(BadRun, match="write it as 2026-03-03"):
        ask(batch_day=day)


def test_a_run_without_an_interval_of_a_day_is_refused():
    """A cron string would give intervals of no length, and no day to score."""
    with pytest.raises(BadRun, match="no data interval of a day"):
        ask("scheduled", at(3), at(3))


@pytest.mark.parametrize("policy", ["latest", "as_of", "published", "arn:aws:sagemaker:us-east-1:1:model-package/g/1"])
def test_policies_are_these_four(policy):
    """A policy is a word, or the package itself."""
    assert ask(batch_day="2026-03-03", model_policy=policy).policy == policy


def test_an_unknown_policy_is_refused():
    """It does not fall back to latest."""
    with pytest.raises(BadRun, match="model_policy is 'newest'"):
        ask(batch_day="2026-03-03", model_policy="newest")


def test_a_package_pinned_beside_the_policy_is_refused():
    """An unknown key would be ignored silently, and latest would score."""
    with pytest.raises(BadRun, match="A model is pinned by model_policy alone"):
        ask("backfill", at(3), at(4), conf={"model_package_arn": "arn:x"})


def test_a_misspelt_key_gets_a_suggestion():
    """A typing mistake must not score another day."""
    with pytest.raises(BadRun, match="Did you mean batch_day"):
        ask(conf={"batchday": "2026-03-03"})
