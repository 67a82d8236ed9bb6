"""The first task of a day: which day is it, is its input complete, which objects exactly."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from sagemaker_batch.errors import BatchError, InputNotReady
from sagemaker_batch.use_case import UseCase


class BatchInputSensor(BaseSensorOperator):
    """Waits for the day's input and pins it; returns day, prefixes and objects (key, size, ETag, version id).

    Runs on schedule wait, holding no worker, until the use case's deadline after the day's end. Every other run fails
    at once when the day is not complete: waiting would not bring back a day that has passed.
    """

    template_fields: Collection[str] = ()
    ui_color = "#fff3d6"

    def __init__(self, *, use_case: UseCase, **kwargs: Any) -> None:
        kwargs.setdefault("poke_interval", 60.0)
        deadline = timedelta(minutes=use_case.data.ready.deadline_minutes)
        # Our own deadline speaks first; Airflow's only guards against a clock that is wrong.
        super().__init__(mode="reschedule", timeout=deadline + timedelta(days=2), **kwargs)
        self.use_case = use_case

    def poke(self, context: Any) -> PokeReturnValue:
        """Look once."""
        try:
            return self._look(context)
        except BatchError as error:
            raise AirflowFailException(str(error)) from error

    def _look(self, context: Any) -> PokeReturnValue:
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.inputs import data_objects, list_input, why_not_ready
        from sagemaker_batch.names import batch_prefix, s3_uri
        from sagemaker_batch.run_context import run_request
        from sagemaker_batch.settings import settings

        use_case, here, now = self.use_case, settings(), datetime.now(UTC)
        asked = run_request(context, use_case.schedule.timezone)
        ready = use_case.data.ready
        prefix = use_case.input_uri(here.bucket, asked.day)
        try:
            objects = list_input(default_client("s3", here), prefix)
            missing = why_not_ready(objects, prefix, ready, now)
        except InputNotReady as error:  # its sender is at work: that is no end of the wait
            objects, missing = [], str(error)
        if missing:
            until = asked.ends + timedelta(minutes=ready.deadline_minutes)
            if asked.waits and now < until:
                self.log.info("Batch day %s is not complete: %s. Waiting until %s.", asked.day, missing, until)
                return PokeReturnValue(is_done=False)
            why = (
                f"the deadline {until.isoformat()} has passed" if asked.waits else f"a {asked.run_type} run never waits"
            )
            raise InputNotReady(
                f"Batch day {asked.day} of {use_case.name} has no complete input: {missing}; {why}. "
                f"Put the day's files below {prefix} and run the day again."
            )
        return PokeReturnValue(
            is_done=True,
            xcom_value={
                "batch_day": asked.day.isoformat(),
                "day_ends": asked.ends.isoformat(),
                "policy": asked.policy,
                "backfilled": asked.backfilled,
                "prefix": prefix,
                "output_prefix": s3_uri(here.bucket, batch_prefix(use_case.name, asked.day)),
                "objects": [item.as_dict() for item in data_objects(objects, ready)],
            },
        )
