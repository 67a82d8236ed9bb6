"""The tasks of the held-predictions DAG: list what is held, and do with a day what a person asks."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import Asset

from sagemaker_batch import names
from sagemaker_batch.daily import final
from sagemaker_batch.errors import BadRun
from sagemaker_batch.use_case import UseCase

LIST, BRANCH, RELEASE = "list_held", "branch_on_action", "release_predictions"
DISCARD, AGAIN = "discard_predictions", "run_day_again"
ACTIONS = {"list": [], "release": [RELEASE], "discard": [DISCARD], "run again": [AGAIN]}
LISTED = timedelta(days=60)


class Holding:
    """Held days of one use case."""

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case
        self.predictions = Asset(f"{use_case.name}/predictions")

    @final
    def list_held(self, **_context: Any) -> list[dict[str, Any]]:
        """Return the held days of the last sixty, and print them for the log."""
        from sagemaker_batch import held
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.settings import settings

        here = settings()
        since = (datetime.now(UTC) - LISTED).date()
        found = held.held_days(default_client("s3", here), here.bucket, self.use_case.name, since)
        for item in found:
            can = "can be released" if item["can_be_released"] else "was never scored"
            print(f"{item['batch_day']}: {item['rows']} rows, {can}: {item['reasons'][0]}")  # noqa: T201 - the log
        if not found:
            print("No day is held.")  # noqa: T201 - the task's log
        return found

    @final
    def branch_on_action(self, **context: Any) -> list[str]:
        """Return the task of the action that is asked for.

        Raises:
            BadRun: a day is needed and not given, or is no date.
        """
        params = context["params"]
        if params["action"] != "list":
            self._day(params)
        return ACTIONS[params["action"]]

    @final
    def release_predictions(self, **context: Any) -> dict[str, Any]:
        """Publish a held day all the same, with who and why in its manifest, and emit the asset.

        The release is recorded when nothing forbids it any more: a day that cannot go out stays held.
        """
        from sagemaker_batch import held, publication
        from sagemaker_batch.errors import PublishError

        s3, bucket, record, asked = self._asked(held.RELEASED, **context)
        if newer := held.published_by_newer(s3, bucket, self.use_case.name, record):
            raise PublishError(f"Batch day {record['batch_day']} was published since by {newer}; it stays.")
        _, content = publication.prepare_day(s3, bucket, self.use_case, record["uri"], asked["run"], _release(asked))
        made = held.decide(s3, bucket, record, asked)
        content |= {"released": _release(made), "published_by": made["run"]}
        done = publication.put_day(s3, bucket, record, content)
        context["outlet_events"][self.predictions].extra = publication.announced(done)
        self._told(s3, bucket, made, **context)
        return done

    def pages(self, context: Any) -> dict[str, str]:
        """Return where the manifest of a day that was released can be opened."""
        from sagemaker_batch.report.addresses import manifest_address

        done = context["ti"].xcom_pull(task_ids=RELEASE)
        return {"manifest": manifest_address(self.use_case.name, done["batch_day"])} if done else {}

    @final
    def discard_predictions(self, **context: Any) -> dict[str, Any]:
        """Note that a held day is never to be published by this execution."""
        from sagemaker_batch import day_index, held

        s3, bucket, record, asked = self._asked(held.DISCARDED, **context)
        made = held.decide(s3, bucket, record, asked)
        day_index.enter_discarded(s3, bucket, record)
        self._told(s3, bucket, made, **context)
        return made

    def _asked(self, what: str, **context: Any) -> tuple[Any, str, dict[str, Any], dict[str, Any]]:
        from sagemaker_batch import held
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.run_context import run_facts
        from sagemaker_batch.settings import settings

        here = settings()
        s3, params = default_client("s3", here), context["params"]
        record = held.held_record(s3, here.bucket, self.use_case.name, self._day(params))
        asked = held.proposal(self.use_case.name, record, what, params["reason"] or "", run_facts(context))
        return s3, here.bucket, record, asked

    def _told(self, s3: Any, bucket: str, made: dict[str, Any], **context: Any) -> None:
        """Tell those who heard that the day was held; a route that is down keeps nobody from deciding."""
        from sagemaker_batch import messages, router
        from sagemaker_batch.errors import Undeliverable
        from sagemaker_batch.run_context import links

        name, day, dag_id = self.use_case.name, made["batch_day"], names.batch_dag(self.use_case.name)
        before = router.standing(s3, bucket, name, dag_id, day)
        if before is None:
            return
        said = f"{made['decision']} by {made['by']}: {made['reason']}"
        alert = messages.recovered_alert(
            name, dag_id, day, before.event, made["decision"], said, links(context, before.event)
        )
        try:
            router.tell(s3, bucket, alert, self.use_case.alerts, owner=context["dag_run"].run_id)
        except Undeliverable as error:
            print(error)  # noqa: T201 - the log; the alert is in the outbox

    @staticmethod
    def _day(params: Any) -> date:
        try:
            return date.fromisoformat(str(params["batch_day"]))
        except ValueError:
            raise BadRun(
                f"To {params['action']} say which day: batch_day is {params['batch_day']!r}; write it as 2026-03-03. "
                "The action list shows what is held."
            ) from None


def _release(decision: dict[str, Any]) -> dict[str, str]:
    return {key: decision[key] for key in ("reason", "by", "at")}
