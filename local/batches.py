"""The daily job as a person sees it: one backfill over some days, one day by hand, and what became of each."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

from local.alertbox import Alert
from local.cloud import Cloud
from local.errors import HouseError
from local.outcome import DayOutcome, read_record
from local.rest import FINAL_STATES, POLL_SECONDS, AirflowApi, run_day
from sagemaker_batch import names

DEADLINE_SECONDS = 900.0
ACTIVE_RUNS = 4


def backfill(
    api: AirflowApi, cloud: Cloud, days: Sequence[date], say: Callable[[str], None]
) -> dict[date, dict[str, Any]]:
    """Ask for one backfill from the first to the last day and watch it; return each day's run as it ended.

    Raises:
        HouseError: Airflow refused, or it did not end in time.
    """
    dag = names.batch_dag(cloud.use_case)
    api.unpause(dag)
    number = api.backfill(dag, min(days), max(days), max_active_runs=ACTIVE_RUNS, reprocess_behavior="none")
    say(f"{dag}: backfill {number}, {min(days)} to {max(days)}, up to {ACTIVE_RUNS} days at once")
    told: dict[str, str] = {}
    until = time.monotonic() + DEADLINE_SECONDS
    while True:
        runs = {day: run for run in api.runs(dag) if run["run_type"] == "backfill" and (day := run_day(run))}
        for line in _changes(api, dag, ((str(day), run) for day, run in sorted(runs.items())), told):
            say(line)
        if all(day in runs and runs[day]["state"] in FINAL_STATES for day in days) and api.backfill_done(number):
            return runs
        _keep_waiting(api, until, f"backfill {number} of {dag}")


def by_hand(api: AirflowApi, cloud: Cloud, day: date, say: Callable[[str], None]) -> dict[str, Any]:
    """Trigger one day as a person does, naming it in `batch_day`, and watch it; return the run as it ended."""
    dag = names.batch_dag(cloud.use_case)
    run_id = api.trigger(dag, {"batch_day": day.isoformat()})
    told: dict[str, str] = {}
    until = time.monotonic() + DEADLINE_SECONDS
    while True:
        run = api.run(dag, run_id)
        for line in _changes(api, dag, [(str(day), run)], told):
            say(line)
        if run["state"] in FINAL_STATES:
            return run
        _keep_waiting(api, until, f"the run of {day} of {dag}")


def outcome(
    cloud: Cloud, day: date, run: dict[str, Any], rows_given: int, alerts: Iterable[Alert], *, manual: bool
) -> DayOutcome:
    """Read what a day ended as: the newest verdict record, the manifest, and the rows that were really published."""
    records, manifest = cloud.verdicts(day), cloud.manifest(day)
    verdict, version, top, reasons = read_record(records[-1]) if records else ("", None, (), ())
    counted = None
    if manifest:
        counted = sum(cloud.count_records(uri) for uri in prediction_uris(manifest))
    return DayOutcome(
        day=day,
        by_hand=manual,
        run_state=run["state"],
        model_version=version,
        rows_given=rows_given,
        rows_in=manifest["rows_in"] if manifest else None,
        rows_out=manifest["rows_out"] if manifest else None,
        rows_counted=counted,
        verdict=verdict,
        top=top,
        reasons=reasons,
        manifest_uri=names.s3_uri(cloud.bucket, names.manifest_key(cloud.use_case, day)) if manifest else "",
        alerts=tuple(alert for alert in alerts if alert.concerns(day)),
    )


def prediction_uris(manifest: dict[str, Any]) -> list[str]:
    """Return the URIs of a manifest's predictions (docs/contracts/manifest.schema.json)."""
    return [item["uri"] for item in manifest["predictions"]]


def _changes(
    api: AirflowApi, dag: str, runs: Iterable[tuple[str, dict[str, Any]]], told: dict[str, str]
) -> Iterable[str]:
    """Yield a line whenever a run's state or the task it is at has changed."""
    for name, run in runs:
        line = run["state"]
        if run["state"] == "running":
            at = [
                task["task_id"]
                for task in api.tasks(dag, run["dag_run_id"])
                if task["state"] in {"running", "deferred", "queued", "up_for_retry", "up_for_reschedule"}
            ]
            line += f": {', '.join(sorted(at))}" if at else ""
        if told.get(name) != line and not (line == "running" and name in told):
            told[name] = line
            yield f"{name}  {line}"


def _keep_waiting(api: AirflowApi, until: float, what: str) -> None:
    api.check()
    if time.monotonic() > until:
        raise HouseError(f"{what} did not end within {DEADLINE_SECONDS:.0f} s.", f"Look at {api.url}.")
    time.sleep(POLL_SECONDS)
