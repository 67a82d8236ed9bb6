"""A run that nobody works on: its deadline is told by the triggerer, and a backfilled one pages nobody."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from local.rest import AirflowApi
from sagemaker_batch import names
from tests.integration.neighbours import LATE

if TYPE_CHECKING:
    from tests.integration.conftest import Laptop

pytestmark = pytest.mark.timeout(900)
DAG = names.batch_dag(LATE)
DAY, BACKFILLED = date(2026, 1, 2), date(2026, 1, 3)


def leave_waiting(api: AirflowApi) -> None:
    """Make two runs of a DAG that is paused, when the house is made: their minute passes while other tests run."""
    api.wait_for_dags([DAG])
    api.backfill(DAG, BACKFILLED, BACKFILLED)
    api.trigger(DAG, {"batch_day": str(DAY)})


def test_a_run_without_a_verdict_is_told_by_its_deadline(house: Laptop) -> None:
    """No task ran, so none could tell; the message names the run's state and the runbook's entry."""
    subject = f"[error] {LATE} {DAY}: no verdict"
    house.wait(lambda: any(alert.subject == subject for alert in house.inbox.collect()), "the deadline to be told")
    (alert,) = [alert for alert in house.inbox.collect() if alert.subject == subject]
    assert alert.attributes["event"] == "batch_late"
    assert f"The run of {DAG} is queued" in alert.text
    assert "#batch_late" in alert.text
    # The backfilled run was made before, so its deadline has passed too.
    assert not [alert for alert in house.inbox.collect() if LATE in alert.subject and str(BACKFILLED) in alert.subject]
