"""What Airflow itself knows of a day: runs that are at work or failed before there was a verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sagemaker_batch.names import batch_dag

ACTIVE = {"queued", "running"}


@dataclass(frozen=True)
class DayRun:
    """One run of a daily DAG."""

    use_case: str
    run_id: str
    state: str
    day: date


def read_runs(session: Any, zones: dict[str, str], since: date) -> dict[str, list[DayRun]]:
    """Return queued, running and failed runs by use case, oldest first; `zones` maps use cases to their time zones.

    A run's day is its `batch_day`, else the start of its data interval.
    """
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    by_dag = {batch_dag(name): name for name in zones}
    horizon = datetime(since.year, since.month, since.day, tzinfo=UTC) - timedelta(days=1)
    columns = (DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.data_interval_start, DagRun.conf)
    rows = session.execute(
        select(*columns)
        .where(DagRun.dag_id.in_(by_dag), DagRun.state.in_([*ACTIVE, "failed"]), DagRun.run_after >= horizon)
        .order_by(DagRun.id)
    )
    found: dict[str, list[DayRun]] = {}
    for dag_id, run_id, state, interval, conf in rows:
        use_case = by_dag[dag_id]
        day = run_day(conf, interval, zones[use_case])
        if day is not None:
            found.setdefault(use_case, []).append(DayRun(use_case, run_id, str(state), day))
    return found


def read_run_day(session: Any, dag_id: str, run_id: str, zone: str) -> date | None:
    """Return the batch day of a run; None where there is no such run, or it names no day."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    columns = (DagRun.conf, DagRun.data_interval_start)
    row = session.execute(select(*columns).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).first()
    return run_day(row[0], row[1], zone) if row else None


def run_day(conf: Any, interval: datetime | None, zone: str) -> date | None:
    """Return the day that a run is about."""
    asked = conf.get("batch_day") if isinstance(conf, dict) else None
    if asked:
        try:
            return date.fromisoformat(str(asked))
        except ValueError:
            return None
    return interval.astimezone(ZoneInfo(zone)).date() if interval else None


def active_days(runs: Iterable[DayRun]) -> set[date]:
    """Return the days at work."""
    return {run.day for run in runs if run.state in ACTIVE}


def failed_days(runs: Iterable[DayRun]) -> dict[date, DayRun]:
    """Return the newest failed run of each day."""
    return {run.day: run for run in runs if run.state not in ACTIVE}
