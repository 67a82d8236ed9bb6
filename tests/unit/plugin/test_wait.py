"""The first task of a day: which objects it pins, who waits for them, and who does not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from sagemaker_batch import inputs
from sagemaker_batch.errors import InputNotReady
from sagemaker_batch.events import of_failure
from sagemaker_batch.use_case import load_use_case
from sagemaker_batch.wait import BatchInputSensor

USE_CASE = load_use_case(Path(__file__).parents[3] / "dags" / "use_cases" / "churn.yaml")
# By the use case's own calendar (UTC): over, and not long ago, also when midnight comes while the tests run.
YESTERDAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def use_case():
    ready = USE_CASE.data.ready.model_copy(
        update={"success_object": "_SUCCESS", "files": None, "quiet_seconds": 0, "deadline_minutes": 2 * 24 * 60}
    )
    return USE_CASE.model_copy(update={"data": USE_CASE.data.model_copy(update={"ready": ready})})


def look(use_case, run_type, *, day=YESTERDAY, **params):
    run = SimpleNamespace(
        run_type=run_type, data_interval_start=day, data_interval_end=day + timedelta(days=1), conf=None
    )
    params = {"batch_day": None, "model_policy": "latest", **params}
    return BatchInputSensor(task_id="wait", use_case=use_case).poke(
        {"dag": SimpleNamespace(params=params), "dag_run": run, "params": params}
    )


def put(s3, bucket, name, body=b"a,b\n1,2\n", day=YESTERDAY):
    s3.put_object(Bucket=bucket, Key=f"churn/input/dt={day:%Y-%m-%d}/{name}", Body=body)


def test_a_run_by_the_clock_waits_for_its_day(s3, bucket, use_case):
    """The sender may be late; the deadline of the use case has not passed."""
    put(s3, bucket, "a.csv")
    assert not look(use_case, "scheduled").is_done


def test_after_the_deadline_it_fails_and_says_which_it_was(s3, bucket, use_case):
    """Nobody waits for ever, and people hear of a late batch."""
    with pytest.raises(AirflowFailException, match=r"no complete input.*the deadline .* has passed") as caught:
        look(use_case, "scheduled", day=YESTERDAY - timedelta(days=3))
    assert of_failure(caught.value) == "batch_late"


def test_an_object_that_vanishes_under_the_look_ends_no_wait(s3, bucket, use_case, monkeypatch):
    """What a sender keeps aside while it writes is gone a moment later: a run by the clock looks again."""
    put(s3, bucket, "_temporary")

    def vanished(*_):
        raise InputNotReady("_temporary was deleted while the day's input was read")

    monkeypatch.setattr(inputs, "list_input", vanished)
    assert not look(use_case, "scheduled").is_done
    with pytest.raises(AirflowFailException, match="was deleted while the day's input was read; a backfill run never"):
        look(use_case, "backfill")


@pytest.mark.parametrize(("run_type", "params"), [("backfill", {}), ("manual", {"batch_day": f"{YESTERDAY:%Y-%m-%d}"})])
def test_a_backfilled_day_without_input_fails_at_once(s3, bucket, use_case, run_type, params):
    """Waiting would not bring back a day that has passed."""
    put(s3, bucket, "a.csv")
    with pytest.raises(AirflowFailException, match=f"_SUCCESS is not among them; a {run_type} run never waits"):
        look(use_case, run_type, **params)


def test_a_complete_day_is_pinned_object_by_object(s3, bucket, use_case):
    """Version ids, so that an object that is replaced under the run is noticed."""
    put(s3, bucket, "a.csv")
    put(s3, bucket, "b.csv")
    put(s3, bucket, "_SUCCESS", b"")
    found = look(use_case, "backfill").xcom_value
    assert found["batch_day"] == f"{YESTERDAY:%Y-%m-%d}"
    assert [item["key"].rsplit("/", 1)[-1] for item in found["objects"]] == ["a.csv", "b.csv"]
    assert all(item["version_id"] and item["etag"] for item in found["objects"])
    put(s3, bucket, "a.csv", b"a,b\n9,9\n")
    again = look(use_case, "backfill").xcom_value
    assert again["objects"][0]["version_id"] != found["objects"][0]["version_id"]
    assert again["objects"][1] == found["objects"][1]


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_a_half_complete_day_is_refused_whatever_lies_there(s3, bucket, use_case, run_type):
    """Today's data is not complete before midnight, marker or not."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    put(s3, bucket, "a.csv", day=today)
    put(s3, bucket, "_SUCCESS", b"", day=today)
    with pytest.raises(AirflowFailException, match="is not over"):
        look(use_case, run_type, day=today)
