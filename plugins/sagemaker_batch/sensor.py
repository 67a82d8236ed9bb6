"""Waiting for a pipeline execution without holding a worker. Usable for any SageMaker pipeline."""

import time
from collections.abc import Collection
from typing import Any, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout

from sagemaker_batch.errors import BatchError, ExecutionError
from sagemaker_batch.execution import Outcome, outcome_of, stop
from sagemaker_batch.kill import ENDS_A_WAIT, Cause, Kill
from sagemaker_batch.links import ExecutionLink
from sagemaker_batch.progress import StepProgress
from sagemaker_batch.refusals import AwsRetryPolicy, Refusal, refusal
from sagemaker_batch.request import token
from sagemaker_batch.settings import polling, where_to_ask
from sagemaker_batch.status import MEANINGS, UNSUCCESSFUL, is_terminal

PROGRESS = "step_progress"


class PipelineSensor(BaseSensorOperator):
    """Waits until a pipeline execution is terminal and returns its outcome.

    The outcome is a dictionary: `status`, `arn`, `created`, `failure_reason`, `failed_steps` (name, reason, log,
    log_link, metadata) and `steps` (name, status, kind, arn, metadata). It is made from a fresh look at SageMaker by
    whichever worker resumes, never from what an earlier one remembered.

    Args:
        execution_arn: the execution.
        fail_on: terminal statuses that fail the task, with every failed step's own reason; by default all but
            Succeeded. A caller that judges by itself passes `()`. A status unknown to this version always fails.
        deferrable: wait in the triggerer (default); otherwise the task is rescheduled between looks.
        cancel_on_kill: stop the execution when a person marks the task as failed, the run is deleted, or the timeout
            passes. A task that is cleared comes back to the same execution; one marked as success leaves it at work,
            and so does a worker or a triggerer that is shut down.
        poll_seconds: seconds between looks; default from [sagemaker_batch].
        aws_conn_id, region, verify, botocore_config: how to reach AWS; defaults from [sagemaker_batch].
    """

    template_fields: Collection[str] = ("execution_arn", "region")
    operator_extra_links = (ExecutionLink(),)
    ui_color = "#e8f4e5"

    def __init__(
        self,
        *,
        execution_arn: str,
        fail_on: Collection[str] = UNSUCCESSFUL,
        deferrable: bool = True,
        cancel_on_kill: bool = True,
        poll_seconds: float | None = None,
        aws_conn_id: str | None = None,
        region: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        unknown = set(fail_on) - set(MEANINGS)
        if unknown:
            raise ValueError(f"fail_on knows no status {min(unknown)!r}; known: {', '.join(MEANINGS)}")
        kwargs.setdefault("mode", "reschedule")
        kwargs.setdefault("retry_policy", AwsRetryPolicy())
        super().__init__(poke_interval=poll_seconds or 30.0, **kwargs)
        self.execution_arn = execution_arn
        self.fail_on = sorted(fail_on)
        self.deferrable = deferrable
        self.cancel_on_kill = cancel_on_kill
        self.poll_seconds = poll_seconds
        self.aws_conn_id = aws_conn_id
        self.region = region
        self.verify = verify
        self.botocore_config = botocore_config
        self._ti: Any = None
        self._kill: Kill | None = None

    def execute(self, context: Any) -> Any:
        """Look once; return, or wait in the triggerer (or between reschedules)."""
        self._begin(context)
        if not self.deferrable:
            try:
                return super().execute(context)
            except AirflowSensorTimeout as error:
                self._too_late(self.execution_arn, error)
        outcome = self._look()
        if is_terminal(outcome.status):
            return self._judge(outcome)
        from sagemaker_batch.trigger import PipelineTrigger

        every, first = polling()
        aws_conn_id, region = where_to_ask(self.aws_conn_id, self.region)
        self.defer(
            trigger=PipelineTrigger(
                arn=self.execution_arn,
                aws_conn_id=aws_conn_id,
                region=region,
                verify=self.verify,
                botocore_config=self.botocore_config,
                poll_seconds=self.poll_seconds or every,
                first_poll_seconds=first,
                deadline=time.time() + self.timeout,
                cancel_on_kill=self.cancel_on_kill,
                stop_token=self._stop_token(self.execution_arn),
            ),
            method_name="execute_complete",
        )
        return None

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Resume from the event alone: any worker may do it."""
        self._begin(context)
        self.execution_arn = arn = event["arn"]
        if event.get("error"):
            raise AirflowException(
                f"Waiting for {arn} ended because asking about it fails: {event['error']}. "
                "The execution itself may still be at work. Check the role and the region of the triggerer."
            )
        outcome = self._look()  # tells of an execution that is gone, too
        if event.get("timeout") and not is_terminal(outcome.status):
            self._too_late(arn)
        if not is_terminal(outcome.status):
            raise AirflowException(
                f"{arn} was {event.get('status')} and is {outcome.status} now; the task looks again."
            )
        return self._judge(outcome)

    def poke(self, context: Any) -> PokeReturnValue:
        """Look once, in the mode that does not defer; what is known of the steps outlives the process."""
        client, store = self._client(), context.get("task_state_store")
        answer = self._describe(client)
        progress = StepProgress(self.log, store.get(PROGRESS) if store else None)
        if answer["PipelineExecutionStatus"] in MEANINGS:
            progress.show(client, self.execution_arn, answer)
            if store:
                store.set(PROGRESS, progress.remember())
        outcome = self._outcome(client, answer)
        if not is_terminal(outcome.status):
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._judge(outcome))

    def on_kill(self) -> None:
        """Find out why the task is killed while it looks, and stop the execution if a person wants it ended."""
        if self._kill is not None:
            self._kill.happen(self._ti)

    def _begin(self, context: Any) -> None:
        self._ti = context.get("ti")
        self._kill = Kill(self._end, self.log)

    def _end(self, cause: Cause) -> None:
        """Stop the execution; runs beside the main thread."""
        if not self.cancel_on_kill or cause not in ENDS_A_WAIT:
            return
        if stop(self._client(), self.execution_arn, self._stop_token(self.execution_arn)):
            self.log.info("Stopping %s", self.execution_arn)

    def _look(self) -> Outcome:
        client = self._client()
        return self._outcome(client, self._describe(client))

    def _describe(self, client: Any) -> dict[str, Any]:
        try:
            return client.describe_pipeline_execution(PipelineExecutionArn=self.execution_arn)
        except client.exceptions.ClientError as error:
            if refusal(error) is not Refusal.GONE:
                raise
            raise AirflowFailException(
                f"{self.execution_arn} does not exist: it or its pipeline was deleted, or it is in another account or "
                f"region ({error}). Clear the task that starts it."
            ) from error

    def _outcome(self, client: Any, answer: dict[str, Any]) -> Outcome:
        try:
            return outcome_of(client, self.execution_arn, answer)
        except BatchError as error:
            raise AirflowFailException(str(error)) from error

    def _judge(self, outcome: Outcome) -> dict[str, Any]:
        if outcome.status in self.fail_on:
            # The execution is what it is: looking again changes nothing.
            # Its cause tells the failure callback which event this is.
            raise AirflowFailException(outcome.sentence()) from ExecutionError(outcome.sentence())
        self.log.info("%s", outcome.sentence())
        return outcome.as_dict()

    def _too_late(self, arn: str, error: Exception | None = None) -> NoReturn:
        stopped = self.cancel_on_kill and stop(self._client(), arn, self._stop_token(arn))
        failure = ExecutionError(
            f"{arn} was still at work after {self.timeout:.0f} s"
            + (" and is being stopped." if stopped else "; it was left alone.")
            + " Raise the sensor's timeout, or look for the step that hangs."
        )
        failure.__cause__ = error
        raise AirflowFailException(str(failure)) from failure

    def _stop_token(self, arn: str) -> str:
        return token("stop", arn)

    def _client(self) -> Any:
        from sagemaker_batch.aws import client

        aws_conn_id, region = where_to_ask(self.aws_conn_id, self.region)
        return client("sagemaker", aws_conn_id, region, self.verify, self.botocore_config)
