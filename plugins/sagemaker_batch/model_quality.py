"""The tasks of the model-quality DAG: which days have labels, what they say of the model, who hears of it."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk.exceptions import AirflowSkipException

from sagemaker_batch import names
from sagemaker_batch.daily import final
from sagemaker_batch.errors import BadRun, MonitorError
from sagemaker_batch.use_case import UseCase

FIND, START, FINISH = "find_labels", "start_model_quality", "wait_for_model_quality"
JUDGE, TELL, CLOSE = "judge_quality", "tell_quality", "close_run"
FAILED = "failed"
TROUBLES = ("late", "duplicates", "contradictory", "unknown_ids", "empty", "unreadable", "without_id")


def day_of(ti: Any) -> dict[str, Any]:
    """Return the day of a mapped task: the one of its index among those that `find_labels` found."""
    return dict(ti.xcom_pull(task_ids=FIND)[ti.map_index])


class ModelQuality:
    """The model of one use case against the truth."""

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case

    def pipeline(self) -> str:
        """Return the name of the pipeline in the environment that Airflow's configuration names."""
        from sagemaker_batch.settings import settings

        return names.quality_pipeline(self.use_case.name, settings().environment)

    @final
    def find_labels(self, **context: Any) -> list[dict[str, Any]]:
        """Return the days to judge; the log says which are left out, and why.

        Raises:
            BadRun: the one day that the run is about has no labels, or cannot be judged.
        """
        from sagemaker_batch import batch_day, ground_truth
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.run_context import run_params
        from sagemaker_batch.settings import settings

        here, run, zone = settings(), context["dag_run"], self.use_case.schedule.timezone
        kind = str(getattr(run.run_type, "value", run.run_type))
        params = run_params(context)
        batch_day.check_keys(run.conf, params)
        only = ground_truth.asked_day(kind, run.data_interval_start, params, zone)
        found = ground_truth.find(
            default_client("s3", here),
            default_client("sagemaker", here),
            here.bucket,
            self.use_case,
            only=only,
            today=datetime.now(UTC).astimezone(ZoneInfo(zone)).date(),
        )
        for day, why in found.left_out.items():
            print(f"{day} is left out: {why}.")  # noqa: T201 - the task's log
        context["ti"].xcom_push(key="left_out", value=found.left_out)
        if only is not None and not found.days and kind != "backfill":
            raise BadRun(f"{only} cannot be judged: {found.left_out[only.isoformat()]}.")
        for item in found.days:
            print(f"{item['batch_day']}: {len(item['objects'])} label file(s)")  # noqa: T201 - the task's log
        return found.days

    @final
    def judge_quality(self, **context: Any) -> list[dict[str, Any]]:
        """Judge every day whose labels were compared, oldest first; returns a short account of each.

        A day that cannot be judged keeps no other from it: it is in the account as `failed`, with the reason.
        """
        from sagemaker_batch import quality
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.run_context import run_facts
        from sagemaker_batch.settings import settings

        ti, here = context["ti"], settings()
        s3, sagemaker = default_client("s3", here), default_client("sagemaker", here)
        accounts = []
        for number, given in enumerate(ti.xcom_pull(task_ids=FIND)):
            try:
                outcome = _outcome(ti, number, given)
                record = quality.judge(s3, sagemaker, here.bucket, self.use_case, given, outcome, run_facts(context))
            except MonitorError as error:
                print(error)  # noqa: T201 - the task's log
                accounts.append({"batch_day": given["batch_day"], "verdict": FAILED, "reasons": [str(error)]})
                continue
            print("\n".join(told(record)))  # noqa: T201 - the task's log
            accounts.append(
                {
                    **{name: record[name] for name in ("batch_day", "verdict", "uri", "reasons")},
                    "metrics": {name: item["value"] for name, item in record["metrics"].items()},
                    "model_version": record["model_package_version"],
                    "matched": record["labels"]["matched"],
                    "predictions": record["labels"]["predictions"],
                }
            )
        return accounts

    @final
    def tell_quality(self, **context: Any) -> list[str]:
        """Alert on each day whose quality has dropped, and tell those who heard so when it has not after all.

        Backfilled days page nobody: they go to the digest.

        Raises:
            MonitorError: a day could not be judged; after all others were told of.
            Undeliverable: a route failed; the alert is in the outbox.
        """
        from sagemaker_batch.errors import Undeliverable

        accounts, lost, done = context["ti"].xcom_pull(task_ids=JUDGE), [], []
        for account in accounts:
            try:
                said = self._tell(account, context)
            except Undeliverable as error:
                lost.append(str(error))
                continue
            done += [f"{account['batch_day']}: {said}"] if said else []
        failed = [" ".join(account["reasons"]) for account in accounts if account["verdict"] == FAILED]
        if failed:
            raise MonitorError(" ".join([*failed, *lost]))
        if lost:
            raise Undeliverable(" ".join(lost))
        if not done:
            raise AirflowSkipException("There is nothing that anybody needs to hear of.")
        return done

    @final
    def close_run(self, **context: Any) -> str:
        """Enter the run, and send a backfill's digest when no other day is outstanding."""
        from sagemaker_batch import closing
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.settings import settings

        ti, here, zone = context["ti"], settings(), self.use_case.schedule.timezone
        s3, starts = default_client("s3", here), context["dag_run"].data_interval_start
        day = starts.astimezone(ZoneInfo(zone)).date().isoformat() if starts else ""

        def describe(note: closing.Note) -> dict[str, Any]:
            # A run on schedule is about many days and leaves no entry.
            accounts = {item["batch_day"]: item for item in ti.xcom_pull(task_ids=JUDGE) or []}
            left_out = ti.xcom_pull(task_ids=FIND, key="left_out") or {}
            return day_entry(accounts.get(day), left_out.get(day), note)

        entry = closing.enter(s3, here.bucket, self.use_case, context, day, describe)
        closing.flush(s3, here.bucket, self.use_case, context)
        return closing.close(s3, here.bucket, self.use_case, context, entry)

    def _tell(self, account: dict[str, Any], context: Any) -> str:
        """Tell of a day, and return how that went; nothing where there is nothing to tell."""
        from sagemaker_batch import messages, records, router
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.quality import DROPPED, GOOD
        from sagemaker_batch.run_context import links, run_facts
        from sagemaker_batch.settings import settings

        here, run = settings(), context["dag_run"]
        if run_facts(context)["run_type"] == "backfill":
            return ""
        s3, day, dag_id = default_client("s3", here), account["batch_day"], run.dag_id
        before = router.standing(s3, here.bucket, self.use_case.name, dag_id, day)
        if account["verdict"] == DROPPED:
            stored = records.read(s3, *names.split_s3_uri(account["uri"]))
            if stored is None:
                raise MonitorError(f"The quality record {account['uri']} is gone. Clear {JUDGE} to write it again.")
            where = links(context, "quality_dropped", record=account["uri"])
            alert = messages.quality_alert(self.use_case.name, dag_id, stored.content, where)
        elif account["verdict"] == GOOD and before is not None and before.verdict == DROPPED:
            said = "Its labels were put right, or more have arrived: no metric is worse than its bound any more."
            alert = messages.recovered_alert(
                self.use_case.name, dag_id, day, before.event, GOOD, said, links(context, before.event)
            )
        else:
            return ""
        return router.tell(s3, here.bucket, alert, self.use_case.alerts, owner=run.run_id)


def day_entry(account: dict[str, Any] | None, left_out: str | None, note: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a digest says of a backfilled day: its account, or why it was left out, or how its run failed."""
    from sagemaker_batch.events import SEVERITY
    from sagemaker_batch.quality import DROPPED

    said: dict[str, Any] = {"verdict": FAILED, "severity": "error", "done": "not judged", "reasons": [], "features": []}
    if note is not None:
        return {**said, "reasons": [f"{note['task_id']}: {note['what']}"]}
    if left_out is not None:
        return {**said, "verdict": "left out", "severity": "none", "reasons": [left_out]}
    if account is None or account["verdict"] == FAILED:
        told = account["reasons"] if account else ["the run ended without saying why; see its tasks"]
        return {**said, "reasons": told}
    figures = [f"{name} {value:.4f}" for name, value in account["metrics"].items() if value is not None]
    labels = f"{account['matched']} of {account['predictions']} predictions have a usable label"
    return {
        **said,
        "verdict": account["verdict"],
        "severity": SEVERITY["quality_dropped"] if account["verdict"] == DROPPED else "none",
        "done": ", ".join([labels, *figures]),
        "reasons": account["reasons"],
        "model_version": account["model_version"],
    }


def _outcome(ti: Any, number: int, given: dict[str, Any]) -> dict[str, Any]:
    """Return what the sensor of a map index saw.

    Raises:
        MonitorError: it never got there.
    """
    outcome: dict[str, Any] | None = ti.xcom_pull(task_ids=FINISH, map_indexes=number)
    if outcome is None:
        raise MonitorError(
            f"The labels of {given['batch_day']} were not compared: {START} or {FINISH} of map index {number} failed, "
            "and says why. Clear it."
        )
    return outcome


def told(record: dict[str, Any]) -> list[str]:
    """Return a quality record as lines of a log."""
    labels = record["labels"]
    said = f"Batch day {record['batch_day']} of {record['use_case']}: quality {record['verdict']}; "
    lines = [
        said + f"{labels['matched']} of {labels['predictions']} predictions have a usable label.",
        *[f"  {reason}" for reason in record["reasons"]],
        *[f"  labels, {name.replace('_', ' ')}: {labels[name]}" for name in TROUBLES if labels[name]],
    ]
    rolling = record["rolling"]
    for name, item in record["metrics"].items():
        if item["value"] is not None:
            over = rolling["metrics"].get(name)
            lines.append(
                f"  {name}: {item['value']:.4f}"
                + (f", baseline {item['baseline']:.4f}" if item["baseline"] is not None else "")
                + (f", over {rolling['days']} day(s) {over:.4f}" if over is not None else "")
            )
    return [*lines, f"Record: {record['uri']}"]
