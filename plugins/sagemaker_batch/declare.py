"""What the DAG files share: which use cases to declare, their defaults, and the DAG of a broken file."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronDataIntervalTimetable, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException

from sagemaker_batch.failures import failure_callback, retry_callback
from sagemaker_batch.refusals import AwsRetryPolicy
from sagemaker_batch.settings import use_cases_folder
from sagemaker_batch.use_case import Alerts, Schedule, UseCase, UseCaseError, load_use_case


def use_cases(dag_file: str, dag_id: Callable[[str], str]) -> Iterator[UseCase | UseCaseError]:
    """Yield the use cases of the folder whose DAG is wanted, broken ones as their error; `dag_id` names it by theirs.

    The scheduler wants all of them; a task's process only its own, and reads no other file.
    """
    wanted = get_parsing_context().dag_id
    folder = Path(use_cases_folder(str(Path(dag_file).parent / "use_cases")))
    for path in sorted(folder.glob("*.yaml")):
        if wanted and wanted != dag_id(path.stem):
            continue
        try:
            yield load_use_case(path)
        except UseCaseError as error:
            yield error


def use_case_names(dag_file: str) -> list[str]:
    """Return the names of all use cases of the folder, without reading their files."""
    folder = Path(use_cases_folder(str(Path(dag_file).parent / "use_cases")))
    return sorted(path.stem for path in folder.glob("*.yaml"))


def timetable(cron: str | None, zone: str) -> CronDataIntervalTimetable | None:
    """Return a timetable with real data intervals, which a plain cron string would not have."""
    return CronDataIntervalTimetable(cron, timezone=zone) if cron else None


def training_schedule(use_case: UseCase, request: Asset) -> Any:
    """Return when the training DAG runs: by its cron, and early on a request where the use case wants that."""
    calendar = timetable(use_case.schedule.training, use_case.schedule.timezone)
    if not use_case.retraining.enabled:
        return calendar
    return AssetOrTimeSchedule(timetable=calendar, assets=[request]) if calendar else [request]


def start(schedule: Schedule) -> datetime:
    """Return the start date's midnight in the use case's zone."""
    day = schedule.start_date
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(schedule.timezone)).astimezone(UTC)


def defaults(use_case: UseCase, *, days: bool = True) -> dict[str, Any]:
    """Return the default arguments of every task; `days` says whether the DAG's runs are about a batch day."""
    timezone = use_case.schedule.timezone if days else None
    return {
        "owner": ", ".join(use_case.owners),
        "retries": max(2, use_case.retries),
        "retry_delay": timedelta(seconds=use_case.retry_delay_seconds),
        "retry_policy": AwsRetryPolicy(),
        # The later a task stands in its day, the sooner it runs: days are finished before new ones are begun.
        "weight_rule": "upstream",
        "on_failure_callback": failure_callback(use_case.name, use_case.alerts, timezone),
        "on_retry_callback": retry_callback(use_case.name, use_case.alerts, timezone),
    }


def broken_dag(error: UseCaseError, dag_id: str, cron: str | None) -> DAG:
    """Return a DAG that keeps id and schedule and has one failing task, which says what is wrong with the file."""
    said, schedule, alerts = str(error), error.schedule, error.alerts or Alerts()
    callback = failure_callback(error.name, alerts, schedule.timezone)
    with DAG(
        dag_id,
        schedule=timetable(cron, schedule.timezone),
        start_date=start(schedule),
        catchup=False,
        max_active_runs=1,
        tags=["sagemaker", "broken use case"],
        doc_md=f"```\n{said}\n```",
        on_failure_callback=callback,
    ) as dag:

        @task(retries=0, on_failure_callback=callback)
        def use_case_is_broken() -> None:
            """Fail with the file's mistakes."""
            raise AirflowFailException(said)

        use_case_is_broken()
    return dag
