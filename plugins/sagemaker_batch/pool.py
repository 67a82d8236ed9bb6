"""The pool whose slots are pipeline executions: the cap below SageMaker's quota of an account.

A start holds its slot until its execution has ended, also while it is deferred, so the pool's size is the largest
number of executions that Airflow has at work. Airflow makes no pool by itself, and a task of an absent pool waits
unheard for ever; so this module makes it where the scheduler starts, and again when someone deleted it.
"""

import logging
from typing import Any

from airflow.listeners import hookimpl

from sagemaker_batch.settings import option, pool_name

log = logging.getLogger(__name__)
# SageMaker's default quota is 20 executions; the rest is room for people, and for executions that are being stopped.
DEFAULT_SLOTS = 16
DESCRIPTION = "Pipeline executions at work at the same time; kept below SageMaker's quota by sagemaker_batch."


def configured_slots() -> int | None:
    """Return [sagemaker_batch] max_executions; None where it is left to the pool in Airflow's database.

    Raises:
        ValueError: it is no positive number.
    """
    text = option("max_executions")
    if not text:
        return None
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"[sagemaker_batch] max_executions is {text!r}; write a number from 1 up, such as 16.")
    return int(text)


def ensure(session: Any) -> str:
    """Make the pool, or bring it to what the cap needs; returns what was changed, or nothing.

    It must count deferred tasks. Its size is the configuration's where that says one, else whatever a person set in the
    UI, else 16.
    """
    from airflow.models.pool import Pool
    from sqlalchemy import select

    name, slots = pool_name(), configured_slots()
    pool = session.scalar(select(Pool).where(Pool.pool == name))
    if pool is None:
        made = Pool(pool=name, slots=slots or DEFAULT_SLOTS, description=DESCRIPTION, include_deferred=True)
        session.add(made)
        session.flush()
        return f"made with {made.slots} slots"
    changes = []
    if not pool.include_deferred:
        pool.include_deferred = True
        changes.append("counts deferred tasks from now on, without which it caps nothing")
    if slots is not None and pool.slots != slots:
        changes.append(f"has {slots} slots from now on, as [sagemaker_batch] max_executions says, and not {pool.slots}")
        pool.slots = slots
    return "; ".join(changes)


class PoolListener:
    """Keeps the pool where Airflow's own processes have the database: at their start, and at the start of each run."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """See to the pool when the scheduler (or another job of Airflow) starts; a task's process has no database."""
        if type(component).__name__ == "Job":
            keep()

    @hookimpl
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:  # noqa: ARG002 - Airflow's signature
        """See to the pool when a run starts: someone may have deleted it."""
        keep()


def keep() -> None:
    """See to the pool in a session of its own: the scheduler's is in the middle of a transaction."""
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    try:
        with create_session(scoped=False) as session:
            changed = ensure(session)
    except IntegrityError:
        return  # another process made it at the same moment
    if changed:
        log.warning("Pool %s %s", pool_name(), changed)
