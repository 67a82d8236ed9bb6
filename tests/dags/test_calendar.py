"""Which days a backfill of the daily DAG runs: Airflow's own selection, over changes of the clock, and ours in each."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from airflow.models.backfill import _get_info_list
from airflow.serialization.serialized_objects import DagSerialization

from sagemaker_batch.batch_day import read_request

CHURN = (Path(__file__).parents[2] / "dags" / "use_cases" / "churn.yaml").read_text()


@pytest.fixture
def daily(dags, tmp_path):
    """The daily DAG in a zone, as the scheduler knows it."""

    def build(zone):
        (tmp_path / "churn.yaml").write_text(re.sub(r"timezone: \S+", f"timezone: {zone}", CHURN))
        dag = dags("batch_monitor", tmp_path)["churn_batch_monitor"]
        return DagSerialization.from_dict(DagSerialization.to_dict(dag))

    return build


def midnight(day, zone):
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("zone", "changed", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2025, 11, 2), 25),
        ("Pacific/Auckland", date(2026, 4, 5), 25),
        ("UTC", date(2026, 3, 4), 24),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_backfill_runs_exactly_its_days_over_a_change_of_the_clock(daily, zone, changed, hours, reverse):
    """Three days asked for are three runs, each of its own day in the zone, the odd one 23 or 25 hours long."""
    days = [changed + timedelta(days=shift) for shift in (-1, 0, 1)]
    now = midnight(changed + timedelta(days=5), zone)
    found = _get_info_list(
        from_date=midnight(days[0], zone).astimezone(UTC),
        to_date=midnight(days[-1], zone).astimezone(UTC),
        reverse=reverse,
        dag=daily(zone),
    )
    asked = [
        read_request(
            "backfill",
            item.data_interval.start,
            item.data_interval.end,
            {"batch_day": None, "model_policy": "latest"},
            None,
            zone,
            now,
        )
        for item in found
    ]
    assert [item.day for item in asked] == (days[::-1] if reverse else days)
    odd = next(item for item in found if item.data_interval.start == midnight(changed, zone))
    assert odd.data_interval.end - odd.data_interval.start == timedelta(hours=hours)
    assert [item.ends.astimezone(ZoneInfo(zone)).hour for item in asked] == [0, 0, 0]


def test_airflow_offers_no_day_that_is_not_over(daily):
    """Today and tomorrow are left out of a backfill; a day that is not over never gets a run."""
    today = datetime.now(UTC).date()
    found = _get_info_list(
        from_date=midnight(today - timedelta(days=2), "UTC"),
        to_date=midnight(today + timedelta(days=2), "UTC"),
        reverse=False,
        dag=daily("UTC"),
    )
    assert [item.data_interval.start.date() for item in found] == [today - timedelta(days=2), today - timedelta(days=1)]
