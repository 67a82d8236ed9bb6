"""The tasks of the model-quality DAG: which days have labels, what they say of the model, who hears of it."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk.exceptions import AirflowSkipException

from sagemaker_batch import names
from sagemaker_batch.daily import final
from sagemaker_batch.errors import BadRun
from sagemaker_batch.use_case import UseCase

FIND, START, FINISH = "find_labels", "start_model_quality", "wait_for_model_quality"
JUDGE, TELL = "judge_quality", "tell_quality"
TROUBLES = ("late", "duplicates", "contradictory", "unknown_ids", "empty", "unreadable", "without_id")


def day_of(ti: Any) -> dict[str, Any]:
    """Return the day of a mapped task: one of those that `find_labels` found."""
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
        from sagemaker_batch import ground_truth
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.settings import settings

        here, run, zone = settings(), context["dag_run"], self.use_case.schedule.timezone
        kind = str(getattr(run.run_type, "value", run.run_type))
        only = ground_truth.asked_day(kind, run.data_interval_start, dict(context["params"]), zone)
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
    def judge_quality(self, **context: Any) -> dict[str, Any]:
        """Judge a day, write its record, and return a short account."""
        from sagemaker_batch import quality
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.run_context import run_facts
        from sagemaker_batch.settings import settings

        ti, here = context["ti"], settings()
        record = quality.judge(
            default_client("s3", here),
            default_client("sagemaker", here),
            here.bucket,
            self.use_case,
            day_of(ti),
            ti.xcom_pull(task_ids=FINISH, map_indexes=ti.map_index),
            run_facts(context),
        )
        print("\n".join(told(record)))  # noqa: T201 - the task's log
        return {
            **{name: record[name] for name in ("batch_day", "verdict", "severity", "uri", "reasons")},
            "metrics": {name: item["value"] for name, item in record["metrics"].items()},
            "labels": record["labels"],
        }

    @final
    def tell_quality(self, **context: Any) -> str:
        """Alert when quality has dropped, and tell those who heard so when it has not after all; else skip.

        Backfilled days page nobody: their records and the page show them.
        """
        from sagemaker_batch import messages, records, router
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.quality import DROPPED, UNKNOWN
        from sagemaker_batch.run_context import links, run_facts
        from sagemaker_batch.settings import settings

        ti, here, run = context["ti"], settings(), context["dag_run"]
        short = ti.xcom_pull(task_ids=JUDGE, map_indexes=ti.map_index)
        if run_facts(context)["run_type"] == "backfill":
            raise AirflowSkipException("A backfilled day pages nobody.")
        s3, day, dag_id = default_client("s3", here), short["batch_day"], run.dag_id
        before = router.standing(s3, here.bucket, self.use_case.name, dag_id, day)
        if short["verdict"] == DROPPED:
            stored = records.read(s3, *names.split_s3_uri(short["uri"]))
            if stored is None:
                raise BadRun(f"The quality record {short['uri']} is gone. Clear {JUDGE} to write it again.")
            where = links(context, "quality_dropped", record=short["uri"])
            alert = messages.quality_alert(self.use_case.name, dag_id, stored.content, where)
        elif short["verdict"] != UNKNOWN and before is not None and before.verdict == DROPPED:
            said = "More labels have arrived; by all of them no metric is worse than its bound."
            alert = messages.recovered_alert(
                self.use_case.name, dag_id, day, before.event, short["verdict"], said, links(context, before.event)
            )
        else:
            raise AirflowSkipException(f"{day} is {short['verdict']}: nobody needs to hear of it.")
        return router.tell(s3, here.bucket, alert, self.use_case.alerts, owner=run.run_id)


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
