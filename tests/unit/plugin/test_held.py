"""What a person may make of a held day."""

from datetime import date

import pytest

from sagemaker_batch import held
from sagemaker_batch.errors import PublishError
from tests.unit.plugin.judged import put, record

SINCE = date(2026, 3, 1)
RUN = {
    "dag_id": "churn_held_predictions",
    "run_id": "r1",
    "run_type": "manual",
    "triggered_by": "dana",
    "dag_version": "",
}


def decide(s3, bucket, what, reason="checked by hand", day="2026-03-03"):
    found = held.held_record(s3, bucket, "churn", date.fromisoformat(day))
    return held.decide(s3, bucket, found, held.proposal("churn", found, what, reason, RUN))


def test_held_days_are_listed_until_they_are_decided_on(s3, bucket):
    """With why, and whether there is anything to release."""
    put(
        s3,
        bucket,
        record("2026-03-03"),
        record("2026-03-04", check="missing_column_check"),
        record("2026-03-05", "clean", 0),
    )
    found = held.held_days(s3, bucket, "churn", SINCE)
    assert [(item["batch_day"], item["can_be_released"]) for item in found] == [
        ("2026-03-03", True),
        ("2026-03-04", False),
    ]
    decide(s3, bucket, held.DISCARDED)
    assert [item["batch_day"] for item in held.held_days(s3, bucket, "churn", SINCE)] == ["2026-03-04"]


def test_a_decision_says_who_and_why_and_is_made_once(s3, bucket):
    """A retry of the same run finds its own; the other way is refused, by name."""
    put(s3, bucket, record("2026-03-03"))
    first = decide(s3, bucket, held.DISCARDED, "half the\nfile")
    assert (first["by"], first["reason"]) == ("dana", "half the file")
    assert decide(s3, bucket, held.DISCARDED, "again") == first
    with pytest.raises(PublishError, match=r"was discarded by dana at .*: half the file"):
        decide(s3, bucket, held.RELEASED)


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"verdict": "clean", "drifted": 0}, "x", "is clean and not held"),
        ({"check": "data_type_check"}, "x", "never scored, so there is nothing to release"),
        ({}, "  ", "`reason` is empty"),
    ],
)
def test_what_cannot_be_released_is_told_why(s3, bucket, changes, reason, said):
    """Each with what to do instead."""
    put(s3, bucket, record("2026-03-03", **changes))
    with pytest.raises(PublishError, match=said):
        decide(s3, bucket, held.RELEASED, reason)


def test_a_day_that_was_never_judged_is_not_held(s3, bucket):
    """The message says to run it."""
    with pytest.raises(PublishError, match="has no verdict"):
        decide(s3, bucket, held.RELEASED)
