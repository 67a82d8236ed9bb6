"""The tasks of the watchdog: what no run of the other DAGs can see of itself.

Days that never got a verdict, versions that were approved outside Airflow, messages that were not delivered, and
whether the history asks for a new model.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from sagemaker_batch import names
from sagemaker_batch.daily import final
from sagemaker_batch.errors import Undeliverable
from sagemaker_batch.use_case import UseCase

DAYS, APPROVALS, RETRAIN, FLUSH = "check_days", "check_approvals", "consider_retraining", "flush_alerts"
# Farther back nobody is told of a missing day any more.
LOOK_BACK = timedelta(days=14)
HISTORY = timedelta(days=60)


class Watchdog:
    """What is watched of one use case."""

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case
        self.model_approved = Asset(f"{use_case.name}/model_approved")
        self.retraining = Asset(f"{use_case.name}/retraining_requested")

    @final
    def check_days(self, **context: Any) -> list[str]:
        """Tell of each day that should have a verdict and has none; returns them.

        Days are expected from the one on which the watchdog first looked, so that a new installation pages nobody for
        its past. A day whose failure was told is not told again.
        """
        from sagemaker_batch import messages, records, router
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.expected import expected_days, time_allowed
        from sagemaker_batch.history import days_with_verdict
        from sagemaker_batch.run_context import links
        from sagemaker_batch.settings import settings

        here, name, now = settings(), self.use_case.name, datetime.now(UTC)
        s3, dag_id = default_client("s3", here), names.batch_dag(name)
        today = now.astimezone(ZoneInfo(self.use_case.schedule.timezone)).date()
        records.create(s3, here.bucket, names.watch_key(name), {"version": 1, "since": today.isoformat()})
        stored = records.read(s3, here.bucket, names.watch_key(name))
        since = max(date.fromisoformat(stored.content["since"]) if stored else today, today - LOOK_BACK)
        days = expected_days(self.use_case.schedule, time_allowed(self.use_case), since, now)
        judged = days_with_verdict(s3, here.bucket, name, since)
        missing = [day.isoformat() for day in days if day not in judged]
        for day in missing:
            known = router.standing(s3, here.bucket, name, dag_id, day)
            if known is not None and known.verdict == "failed":
                continue
            alert = messages.missing_alert(name, dag_id, day, links(context, "batch_late"))
            router.tell(s3, here.bucket, alert, self.use_case.alerts, owner=context["dag_run"].run_id)
        return missing

    @final
    def check_approvals(self, **context: Any) -> str:
        """Emit the asset for the version in use when it was approved outside Airflow; else nothing, and skip."""
        from sagemaker_batch import registry
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.settings import settings

        group = names.model_package_group(self.use_case.name, settings().environment)
        try:
            version = registry.latest_approved(default_client("sagemaker"), group)
        except registry.NoApprovedModel as error:
            raise AirflowSkipException(str(error)) from error
        told = {event.extra.get("model_package_arn") for event in context["inlet_events"][self.model_approved]}
        if version.arn in told:
            raise AirflowSkipException(f"Version {version.version} was told already.")
        context["outlet_events"][self.model_approved].extra = version.as_event()
        return version.arn

    @final
    def consider_retraining(self, **context: Any) -> dict[str, Any]:
        """Emit a request to retrain, with its reason, when the history asks for one; else skip and say why.

        A request that was written and never reached Airflow (its worker died in between) is emitted first.
        """
        from sagemaker_batch import retraining
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.settings import settings

        here, name, now = settings(), self.use_case.name, datetime.now(UTC)
        s3 = default_client("s3", here)
        known = retraining.requests(s3, here.bucket, name)
        emitted = {event.extra.get("request") for event in context["inlet_events"][self.retraining]}
        request = retraining.unsent(known, emitted, now)
        if request is None:
            wish, model_arn = self._wish(s3, here.bucket, now)
            if wish is None:
                raise AirflowSkipException("Nothing in the history asks for a new model.")
            no = retraining.refusal(known, wish, self.use_case.retraining, now)
            if no:
                raise AirflowSkipException(f"Not now, although there is {wish.reason}: {no}.")
            run_id = context["dag_run"].run_id
            request = retraining.make_request(s3, here.bucket, name, wish, model_arn, now, run_id)
            if request is None:
                raise AirflowSkipException("Another run has just made a request.")
        context["outlet_events"][self.retraining].extra = {
            "request": request["id"],
            "kind": request["kind"],
            "reason": request["reason"],
        }
        return request

    def _wish(self, s3: Any, bucket: str, now: datetime) -> tuple[Any, str]:
        from sagemaker_batch import history, quality, registry, retraining
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.settings import settings

        sagemaker = default_client("sagemaker")
        group = names.model_package_group(self.use_case.name, settings().environment)
        try:
            version = registry.latest_approved(sagemaker, group)
        except registry.NoApprovedModel as error:
            raise AirflowSkipException(str(error)) from error
        if waiting := registry.pending_after(sagemaker, group, version.created):
            raise AirflowSkipException(f"A newer version waits for a decision already: {waiting}.")
        name, since, rule = self.use_case.name, (now - HISTORY).date(), self.use_case.retraining
        wish = retraining.from_drift(history.judged_days(s3, bucket, name, since), rule, version.arn)
        if wish is None:
            wish = retraining.from_quality(quality.history(s3, bucket, name, since, version.arn), rule, version.arn)
        return wish, version.arn

    def flush_alerts(self, **context: Any) -> int:
        """Send what earlier senders left undelivered; fails, and so shows, while something is.

        Raises:
            Undeliverable: naming what is left.
        """
        from sagemaker_batch import alerts
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.settings import settings

        here = settings()
        owner = context["dag_run"].run_id
        left = alerts.flush(default_client("s3", here), here.bucket, self.use_case.name, owner=owner)
        if left:
            raise Undeliverable(f"{len(left)} alert(s) are still undelivered: {' '.join(left)}")
        return 0
