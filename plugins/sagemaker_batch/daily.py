"""The tasks of the daily DAG, as callables: each reads what came before from XCom and calls one room.

The DAG file draws the edges; nothing here imports boto3 or the amazon provider until a task runs.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException

from sagemaker_batch import names
from sagemaker_batch.errors import BatchError, MonitorError, Undeliverable
from sagemaker_batch.use_case import UseCase

WAIT, RESOLVE, START = "wait_for_batch", "resolve_model", "start_batch_monitor"
FINISH, ASSESS, BRANCH = "wait_for_batch_monitor", "assess_batch", "branch_on_violations"
PUBLISH, WARN, HOLD, CRITICAL = "publish_predictions", "alert_warning", "hold_predictions", "alert_critical"
REPORT, CLOSE = "write_report", "close_run"
# Which tasks follow which verdict. No edge leads from an alert to publish or hold: a skipped alert would skip them.
BRANCHES = {"clean": [PUBLISH], "warned": [PUBLISH, WARN], "held": [HOLD, CRITICAL]}


def final(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let errors that a repetition cannot cure fail the task at once, with their own words."""

    @wraps(call)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from sagemaker_batch.registry import RegistryError

        try:
            return call(*args, **kwargs)
        except Undeliverable:
            raise  # the network may be back at the next try
        except (BatchError, RegistryError) as error:
            raise AirflowFailException(str(error)) from error

    return wrapped


class Daily:
    """The daily work of one use case."""

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case
        # A name alone: a URI would make Airflow import every provider that knows a scheme, at parse time.
        self.predictions = Asset(f"{use_case.name}/predictions")

    def pipeline(self) -> str:
        """Return the name of the pipeline in the environment that Airflow's configuration names."""
        from sagemaker_batch.settings import settings

        return names.batch_pipeline(self.use_case.name, settings().environment)

    @final
    def resolve_model(self, **context: Any) -> dict[str, Any]:
        """Resolve the policy once, so that the whole run uses the version that was found."""
        from sagemaker_batch import constraints, records, registry
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.errors import BadRun
        from sagemaker_batch.settings import settings

        here, given = settings(), context["ti"].xcom_pull(task_ids=WAIT)
        client = default_client("sagemaker", here)
        group, policy = names.model_package_group(self.use_case.name, here.environment), given["policy"]
        if policy == "as_of":
            version = registry.as_of(client, group, datetime.fromisoformat(given["day_ends"]))
        elif policy == "published":
            key = names.manifest_key(self.use_case.name, date.fromisoformat(given["batch_day"]))
            stored = records.read(default_client("s3", here), here.bucket, key)
            if stored is None:
                raise BadRun(
                    f"model_policy is published, and batch day {given['batch_day']} has no manifest "
                    f"(s3://{here.bucket}/{key}). Use latest or as_of for a day that was never published."
                )
            version = registry.resolve(client, group, stored.content["model_package_arn"])
        else:
            version = registry.resolve(client, group, "" if policy == "latest" else policy)
        return {
            "policy": policy,
            "arn": version.arn,
            "version": version.version,
            "model_name": version.model_name,
            "statistics_uri": version.statistics_uri,
            "constraints_uri": constraints.settle(
                default_client("s3", here), version.constraints_uri, self.use_case.monitor.overrides
            ),
            "suggested_constraints_uri": version.constraints_uri,
            "feature_schema_uri": version.feature_schema_uri,
            "approved_at": version.approved_at.isoformat() if version.approved_at else "",
        }

    @final
    def assess_batch(self, **context: Any) -> dict[str, Any]:
        """Judge the day, write the record, return what the next tasks need; a failed verdict fails the task."""
        from sagemaker_batch import metrics
        from sagemaker_batch.assess import judge
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.report.addresses import run_addresses
        from sagemaker_batch.run_context import run_facts
        from sagemaker_batch.settings import settings

        ti, here = context["ti"], settings()
        given = ti.xcom_pull(task_ids=WAIT)
        record = judge(
            default_client("s3", here),
            default_client("sagemaker", here),
            here.bucket,
            self.use_case,
            date.fromisoformat(given["batch_day"]),
            ti.xcom_pull(task_ids=FINISH),
            {"input": given, "model": ti.xcom_pull(task_ids=RESOLVE), "run": run_facts(context)},
        )
        addresses = run_addresses(context, record, here.console_url)
        short = {**_summary(record), "pages": addresses.pages(manifest=record["action"] == "publish")}
        ti.xcom_push(key="verdict", value=short)
        # Where no page can be shown, the log says what it would.
        print("\n".join(told(record)))  # noqa: T201 - the task's log
        print(metrics.line(record))  # noqa: T201 - for log searches
        metrics.day_judged(record, context["dag_run"].start_date)
        if record["verdict"] == "failed":
            raise MonitorError(
                f"Batch day {record['batch_day']} of {self.use_case.name} has no verdict, and nothing is published. "
                + " ".join(record["reasons"])
                + f" Record: {record['uri']}"
            )
        return short

    @final
    def write_report(self, **context: Any) -> dict[str, str]:
        """Draw the run beside its verdict; nothing waits for it, and a report that cannot be drawn fails this alone."""
        from airflow.sdk.exceptions import AirflowSkipException

        from sagemaker_batch.aws import default_client
        from sagemaker_batch.history import verdict_record
        from sagemaker_batch.report.addresses import run_addresses
        from sagemaker_batch.report.write import write_run_report
        from sagemaker_batch.settings import settings

        ti, here = context["ti"], settings()
        verdict = ti.xcom_pull(task_ids=ASSESS, key="verdict")
        if verdict is None:
            raise AirflowSkipException("The run came to no verdict, so there is nothing to draw; see its failed task.")
        s3 = default_client("s3", here)
        record = verdict_record(s3, verdict["uri"])
        addresses = run_addresses(context, record, here.console_url)
        sagemaker = default_client("sagemaker", here)
        uri = write_run_report(s3, sagemaker, here.bucket, self.use_case, record, addresses.links())
        return {"uri": uri, **verdict["pages"]}

    @staticmethod
    def pages(context: Any) -> dict[str, str]:
        """Return where the run's report and records can be opened; nothing before the day was judged."""
        return (context["ti"].xcom_pull(task_ids=ASSESS, key="verdict") or {}).get("pages", {})

    def held_pages(self, context: Any) -> dict[str, str]:
        """Return the same for a held day, and the manifest that an earlier execution published, if there is one."""
        from sagemaker_batch.report.addresses import manifest_address

        pages, standing = self.pages(context), context["ti"].xcom_pull(task_ids=HOLD) or {}
        shown = manifest_address(self.use_case.name, standing["batch_day"]) if standing.get("still_published") else ""
        return {**pages, "manifest": shown}

    def branch_on_violations(self, **context: Any) -> list[str]:
        """Return the tasks that follow the verdict."""
        return BRANCHES[context["ti"].xcom_pull(task_ids=ASSESS)["verdict"]]

    @final
    def publish_predictions(self, **context: Any) -> dict[str, Any]:
        """Make the day visible by one conditional put, and emit the asset."""
        from sagemaker_batch import log_lines
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.publication import announced, publish_day
        from sagemaker_batch.run_context import run_facts
        from sagemaker_batch.settings import settings

        ti, here = context["ti"], settings()
        record_uri = ti.xcom_pull(task_ids=ASSESS)["uri"]
        facts = run_facts(context)
        done = publish_day(default_client("s3", here), here.bucket, self.use_case, record_uri, facts)
        kept = {key: done[key] for key in ("how", "rows_out", "manifest_uri", "model_package_arn")}
        print(log_lines.line("published", facts, **_of(done), use_case=self.use_case.name, **kept))  # noqa: T201
        context["outlet_events"][self.predictions].extra = announced(done)
        return done

    @final
    def hold_predictions(self, **context: Any) -> dict[str, Any]:
        """Leave what is published as it is, and say what that is. The verdict record is all that a held day writes."""
        from sagemaker_batch import log_lines
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.publication import still_published
        from sagemaker_batch.run_context import run_facts
        from sagemaker_batch.settings import settings

        ti, here = context["ti"], settings()
        verdict, execution = ti.xcom_pull(task_ids=ASSESS), ti.xcom_pull(task_ids=FINISH)["arn"]
        done = still_published(default_client("s3", here), here.bucket, self.use_case, verdict)
        facts = {"execution_arn": execution, "batch_day": verdict["batch_day"], "use_case": self.use_case.name}
        still = done["still_published"]
        print(log_lines.line("held", run_facts(context), **facts, still_published=still))  # noqa: T201 - for searches
        return done

    @final
    def alert(self, **context: Any) -> str:
        """Alert on the verdict by its severity; a backfilled day waits for the digest."""
        from sagemaker_batch import events, messages, router
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.history import verdict_record
        from sagemaker_batch.report.addresses import run_addresses
        from sagemaker_batch.run_context import links
        from sagemaker_batch.settings import settings

        ti, here = context["ti"], settings()
        if ti.xcom_pull(task_ids=WAIT)["backfilled"]:
            return "a backfilled day: it goes to the digest"
        s3, run = default_client("s3", here), context["dag_run"]
        record = verdict_record(s3, ti.xcom_pull(task_ids=ASSESS)["uri"])
        pages = run_addresses(context, record, here.console_url)
        where = links(
            context,
            events.of_verdict(record),
            report=pages.report,
            execution=pages.execution,
            verdict=record["uri"],
            violations=record["reports"].get("violations", ""),
        )
        alert = messages.verdict_alert(self.use_case.name, run.dag_id, record, where)
        return router.tell(s3, here.bucket, alert, self.use_case.alerts, owner=run.run_id)

    def close_run(self, **context: Any) -> str:
        """Enter the run, and send a backfill's digest when no other day is outstanding."""
        from sagemaker_batch import closing
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.run_context import batch_day_or_empty
        from sagemaker_batch.settings import settings

        ti, here = context["ti"], settings()
        s3, use_case = default_client("s3", here), self.use_case
        verdict = ti.xcom_pull(task_ids=ASSESS, key="verdict")

        def describe(note: closing.Note) -> dict[str, Any]:
            return {
                "model_version": (ti.xcom_pull(task_ids=RESOLVE) or {}).get("version"),
                "rows": (verdict or {}).get("rows_in"),
                **day_entry(verdict, ti.xcom_pull(task_ids=PUBLISH), note),
            }

        day = batch_day_or_empty(context, use_case.schedule.timezone)
        entry = closing.enter(s3, here.bucket, use_case, context, day, describe)
        closing.flush(s3, here.bucket, use_case, context)
        if not entry["backfilled"] and entry["verdict"] != "failed":
            self._recovered(s3, here.bucket, context["dag_run"].dag_id, entry, context)
        return closing.close(s3, here.bucket, use_case, context, entry)

    def _recovered(self, s3: Any, bucket: str, dag_id: str, entry: dict[str, Any], context: Any) -> None:
        """Tell those who heard of a day that it has ended otherwise since: clean after held, published after failed."""
        from sagemaker_batch import messages, router
        from sagemaker_batch.run_context import links

        name, day = self.use_case.name, entry["batch_day"]
        before = router.standing(s3, bucket, name, dag_id, day)
        if before is None or before.verdict == entry["verdict"]:
            return
        alert = messages.recovered_alert(
            name, dag_id, day, before.event, entry["verdict"], entry["done"], links(context, before.event)
        )
        router.tell(s3, bucket, alert, self.use_case.alerts, owner=entry["run_id"])


def day_entry(
    verdict: dict[str, Any] | None, published: dict[str, Any] | None, note: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what a digest says of one day, from what its tasks left behind."""
    if verdict is None or note is not None or (verdict["action"] == "publish" and published is None):
        what = f"{note['task_id']}: {note['what']}" if note else "the run ended without saying why; see its tasks"
        return {
            "verdict": "failed",
            "severity": "error",
            "done": f"published ({published['manifest_uri']})" if published else "nothing was published",
            "reasons": [what],
            "features": verdict["features"] if verdict else [],
        }
    done = f"published ({published['manifest_uri']})" if published else "held, nothing was published"
    return {
        "verdict": verdict["verdict"],
        "severity": verdict["severity"],
        "done": done,
        "reasons": verdict["reasons"][:3],
        "features": verdict["features"],
    }


def _of(done: dict[str, Any]) -> dict[str, Any]:
    return {"execution_arn": done["execution_arn"], "batch_day": done["batch_day"]}


def told(record: dict[str, Any]) -> list[str]:
    """Return the verdict as lines of a log: why, the top features with both figures, where the record lies."""
    lines = [f"Batch day {record['batch_day']} of {record['use_case']}: {record['verdict']} ({record['severity']})."]
    lines += [f"  {reason}" for reason in record["reasons"]]
    for item in record["top_features"]:
        lines.append(f"  {item['feature']} ({', '.join(item['checks'])}): {item['baseline']} -> {item['today']}")
    return [*lines, f"Record: {record['uri']}"]


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    keep = ("batch_day", "verdict", "severity", "action", "share", "uri", "rows_in")
    return {
        **{name: record[name] for name in keep},
        "reasons": record["reasons"][:5],
        "features": [item["feature"] for item in record["top_features"]],
        "violations": len(record["violations"]),
    }
