"""The pool that caps executions, in a database of Airflow's own tables."""

import pytest
from airflow.models.pool import Pool
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from sagemaker_batch import pool


@pytest.fixture
def session():
    engine = create_engine("sqlite://")
    Pool.metadata.create_all(engine, tables=[Pool.__table__])
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def found(session, name="sagemaker_executions"):
    return session.scalar(select(Pool).where(Pool.pool == name))


def test_an_absent_pool_is_made(session):
    """Below SageMaker's quota of 20, and counting deferred tasks, without which it would cap nothing."""
    assert pool.ensure(session) == "made with 16 slots"
    made = found(session)
    assert (made.slots, made.include_deferred) == (16, True)
    assert pool.ensure(session) == ""


def test_a_size_that_a_person_set_stays(session):
    """The UI is where a platform team makes it smaller."""
    session.add(Pool(pool="sagemaker_executions", slots=5, description="", include_deferred=True))
    assert pool.ensure(session) == ""
    assert found(session).slots == 5


def test_a_configured_size_is_what_counts(session, monkeypatch):
    """On MWAA the configuration is what is kept in code."""
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__MAX_EXECUTIONS", "3")
    session.add(Pool(pool="sagemaker_executions", slots=5, description="", include_deferred=True))
    assert "has 3 slots" in pool.ensure(session)
    assert found(session).slots == 3


def test_a_pool_that_forgets_deferred_tasks_is_mended(session):
    """Someone who made it by hand easily misses the box."""
    session.add(Pool(pool="sagemaker_executions", slots=5, description="", include_deferred=False))
    assert "counts deferred tasks from now on" in pool.ensure(session)
    assert found(session).include_deferred


def test_the_name_is_configurable(session, monkeypatch):
    """Two environments in one account share one quota, and may share a pool's name."""
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__POOL", "ours")
    pool.ensure(session)
    assert found(session, "ours")


@pytest.mark.parametrize("text", ["none", "0", "-3", "1.5"])
def test_a_size_that_is_none_is_refused(monkeypatch, text):
    """It is said with the option's name."""
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__MAX_EXECUTIONS", text)
    with pytest.raises(ValueError, match="max_executions is"):
        pool.configured_slots()


def test_only_processes_with_a_database_see_to_it(monkeypatch):
    """A task's process announces itself too, and has none."""
    seen = []
    monkeypatch.setattr(pool, "keep", lambda: seen.append(1))
    pool.PoolListener().on_starting(type("TaskRunnerMarker", (), {})())
    assert seen == []
    pool.PoolListener().on_starting(type("Job", (), {})())
    pool.PoolListener().on_dag_run_running(None, "")
    assert seen == [1, 1]
