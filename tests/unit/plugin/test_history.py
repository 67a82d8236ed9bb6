"""What is asked of S3 about past days, and what that costs."""

from datetime import date

import pytest

from sagemaker_batch.history import days_with_verdict, judged_days
from tests.unit.plugin.judged import put, record

DAYS = ["2025-12-31", "2026-03-03", "2026-03-04", "2026-03-05"]


@pytest.fixture
def calls(s3, bucket):
    """Calls of S3 since the days were judged, by operation; and what the lists began after."""
    put(s3, bucket, *map(record, DAYS))
    made = []
    s3.meta.events.register(
        "provide-client-params.s3.*", lambda params, model, **_: made.append((model.name, params.get("StartAfter")))
    )
    return made


def read(calls):
    return [name for name, _ in calls].count("GetObject")


def test_days_before_the_period_are_neither_read_nor_listed(s3, bucket, calls):
    """Else a look at two weeks would cost more each year."""
    found = judged_days(s3, bucket, "churn", date(2026, 3, 3))
    assert [item["batch_day"] for item in found] == DAYS[1:]
    assert calls[0] == ("ListObjectsV2", "churn/verdicts/dt=2026-03-03")
    assert read(calls) == 3


def test_one_day_reads_that_day_alone(s3, bucket, calls):
    """As a person does who decides on a held day of last month."""
    (found,) = judged_days(s3, bucket, "churn", date(2026, 3, 4), date(2026, 3, 4))
    assert found["batch_day"] == "2026-03-04"
    assert read(calls) == 1


def test_which_days_were_judged_is_known_without_reading_them(s3, bucket, calls):
    """The watchdog asks each hour."""
    assert days_with_verdict(s3, bucket, "churn", date(2026, 3, 4)) == {date(2026, 3, 4), date(2026, 3, 5)}
    assert read(calls) == 0
