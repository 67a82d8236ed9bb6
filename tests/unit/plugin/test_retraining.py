"""When the history asks for a new model, and when it may not."""

from datetime import UTC, datetime, timedelta

import pytest

from sagemaker_batch import retraining
from sagemaker_batch.history import judged_days
from sagemaker_batch.use_case import Retraining
from tests.unit.plugin.judged import MODEL, put, record

NOW = datetime(2026, 3, 20, tzinfo=UTC)
RULE = Retraining(enabled=True)
DAYS = ["2026-03-03", "2026-03-04", "2026-03-05"]


def drifting():
    return [record(day) for day in DAYS]


def wish(*days):
    return retraining.from_drift(list(days), RULE, MODEL)


def test_three_days_of_drift_ask_for_a_model_and_say_which():
    """The reason is what the reviewer of the new version reads."""
    found = wish(*drifting())
    assert (found.kind, found.days) == ("drift", DAYS)
    assert found.reason == (
        "drift of at least 30% of the features on 3 days: 2026-03-03 40%, 2026-03-04 40%, 2026-03-05 40%"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"verdict": "clean", "drifted": 0},
        {"drifted": 2},
        {"check": "data_type_check"},
        {"check": "missing_column_check"},
        {"check": "categorical_values_check"},
        {"verdict": "failed"},
        {"model": {"arn": "arn:p/2", "version": 2}},
        {"run": {"run_type": "backfill"}},
    ],
)
def test_a_day_that_is_no_drift_of_this_model_does_not_count(changed):
    """Neither a broken schema nor a former model, a backfill, a failed day or a milder one."""
    assert wish(record(DAYS[0]), record(DAYS[1]), record(DAYS[2], **changed)) is None


def test_a_broken_schema_between_drifting_days_neither_counts_nor_hides_them():
    """It says nothing of drift."""
    broken = record("2026-03-06", check="missing_column_check")
    assert wish(*drifting(), broken).days == DAYS


def test_of_several_executions_the_newest_of_a_day_counts(s3, bucket):
    """A day that was run again with mended files is no drift any more."""
    first = record(DAYS[0])
    later = record(DAYS[0], "clean", 0, execution="later")
    later["execution"]["created"] = "2026-03-09T00:00:00+00:00"
    put(s3, bucket, later, first, record("2026-01-01"))
    (found,) = judged_days(s3, bucket, "churn", datetime(2026, 3, 1, tzinfo=UTC).date())
    assert found["verdict"] == "clean"


def test_requests_are_capped_and_wait_for_each_other(s3, bucket):
    """Two a month, a week apart, whoever asks: the state is in S3."""
    asked = [wish(*[record(f"2026-03-{start + number:02d}") for number in range(3)]) for start in (1, 4, 7, 10)]

    def ask(what, now):
        known = retraining.requests(s3, bucket, "churn")
        no = retraining.refusal(known, what, RULE, now)
        return no or retraining.make_request(s3, bucket, "churn", what, MODEL, now, "r")["id"]

    first = datetime(2026, 3, 6, tzinfo=UTC)
    assert ask(asked[0], first) == "2026-03/1"
    assert "7 days later" in ask(asked[1], first + timedelta(days=2))
    assert "rested on some of the same days" in ask(asked[0], first + timedelta(days=8))
    assert ask(asked[1], first + timedelta(days=8)) == "2026-03/2"
    assert "per_month allows" in ask(asked[2], first + timedelta(days=16))
    assert ask(asked[3], first + timedelta(days=30)) == "2026-04/1"


def test_two_runs_that_ask_at_once_make_one_request(s3, bucket, monkeypatch):
    """Both counted before either wrote."""
    found = wish(*drifting())
    monkeypatch.setattr(retraining.records, "keys", lambda *_: iter(()))
    made = [retraining.make_request(s3, bucket, "churn", found, MODEL, NOW, run) for run in ("a", "b")]
    assert made[0]["id"] == "2026-03/1"
    assert made[1] is None


def test_requests_that_airflow_has_forgotten_do_not_train_again():
    """Its events are cleaned up or its database is new; only one that has just been made may have been lost."""
    old, new = ({"id": f"2026-0{month}/1", "at": f"2026-0{month}-19T12:00:00+00:00"} for month in (2, 3))
    assert retraining.unsent([old], set(), NOW) is None
    assert retraining.unsent([old, new], set(), NOW) == new
    assert retraining.unsent([old, new], {new["id"]}, NOW) is None


def test_quality_below_its_bound_asks_too():
    """On the days that the rule wants, of the model in use."""
    dropped = {"batch_day": "2026-03-03", "model_package_arn": MODEL, "verdict": "dropped"}
    assert retraining.from_quality([dropped], RULE, MODEL).kind == "quality"
    assert retraining.from_quality([{**dropped, "verdict": "good"}], RULE, MODEL) is None
    assert retraining.from_quality([{**dropped, "model_package_arn": "other"}], RULE, MODEL) is None
