"""The fault table shows what was measured, and a fault that failed cannot look as if it had not."""

from datetime import UTC, datetime

import pytest

from local.errors import HouseError
from tests.faults.play import TABLE, Row, chosen, compare
from tests.faults.registry import Expected
from tests.faults.table import Circumstances, commit_id, render
from tests.faults.trial import Measured

NOW = datetime(2026, 3, 3, 4, 5, tzinfo=UTC)
ENDED = Measured(executions=("Stopped", "Succeeded"), runs=("success",), tasks={"assess_batch": "success"}, published=2)


def page(*rows: Row) -> list[str]:
    return render(rows, Circumstances(90.0, "3.3.1", "9.34.0", "25"), "abc1234567", NOW).splitlines()


def test_a_row_tells_executions_state_publication_and_seconds():
    """Everything in a row comes from the measurement."""
    row = page(Row(TABLE[0], ENDED, 12.4))[-1]
    assert row.startswith(f"| {TABLE[0].name} | {TABLE[0].done} | 2 | run success; execution Stopped, Succeeded |")
    assert row.endswith("| the day, from execution 2 of 2 | 12 | yes |")


def test_the_page_says_what_was_measured_and_when():
    """Commit and date stand on top, with the number of faults."""
    text = "\n".join(page(Row(TABLE[0], ENDED, 1.0)))
    assert "Airflow 3.3.1 with amazon provider 9.34.0" in text
    assert "commit abc1234567 on 2026-03-03 04:05 UTC, 1 faults in 2 minutes" in text


def test_a_fault_that_failed_stays_visible():
    """Its row says no and why, also when it never came to an end."""
    shown = page(Row(TABLE[0], ENDED, 1.0, "runs: expected x | y"), Row(TABLE[1], None, 2.0, "HouseError: no"))
    assert shown[-2].endswith("| **no**: runs: expected x / y |")
    assert shown[-1].endswith("| ? | not reached | ? | 2 | **no**: HouseError: no |")


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (Expected(("Stopped", "Succeeded"), published=2), ""),
        (Expected(("Succeeded",), published=2), "executions: expected ('Succeeded',)"),
        (Expected(ENDED.executions, ("failed",), published=2), "runs: expected ('failed',)"),
        (Expected(ENDED.executions, published=None), "published execution: expected None, got 2"),
        (Expected(ENDED.executions, published=2, tasks={"assess_batch": "failed"}), "tasks: expected"),
    ],
)
def test_whatever_differs_is_said(expected, said):
    """Number and status of executions, states of runs and tasks, and the published execution are compared."""
    found = compare(expected, ENDED)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_faults_are_chosen_by_name_or_by_seed():
    """A seed always draws the same ones, and a name that means nothing is refused with those that there are."""
    assert {fault.id for fault in chosen(["triggerer"])} == {"triggerer_killed", "triggerer_terminated"}
    assert chosen(sample=3, seed=5) == chosen(sample=3, seed=5)
    assert len(chosen(sample=3, seed=5)) == 3
    assert chosen() == TABLE
    with pytest.raises(HouseError, match="no fault of_nobody"):
        chosen(["of_nobody"])


def test_each_fault_has_a_row_of_its_own():
    """Names and ids are unique, and each says what was done."""
    assert len({fault.id for fault in TABLE}) == len({fault.name for fault in TABLE}) == len(TABLE) >= 25
    assert all(fault.done for fault in TABLE)


def test_the_commit_is_the_repositorys_own():
    """Ten digits, and a word when files differ from it."""
    assert len(commit_id().split()[0]) == 10
