"""Starting a pipeline exactly once per attempt at the work. Usable for any SageMaker pipeline."""

import time
from collections.abc import Collection
from typing import Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from sagemaker_batch import request as requests
from sagemaker_batch.attempt import Epoch, Records, StartRecord
from sagemaker_batch.errors import BatchError, ExecutionError
from sagemaker_batch.execution import stop
from sagemaker_batch.kill import ENDS_A_START, Cause, Kill
from sagemaker_batch.links import ExecutionLink
from sagemaker_batch.log_lines import line as log_line
from sagemaker_batch.refusals import AwsRetryPolicy, Refusal, backoff, refusal
from sagemaker_batch.settings import polling, pool_name, where_to_ask
from sagemaker_batch.status import is_terminal, meaning

DAY_SECONDS = 24 * 3600.0
# A task that is resumed before the scheduler has heard that its process ended is taken for lost (airflow#71580); on a
# busy scheduler that takes seconds. The retry would re-attach, but it would be used up.
SHORTEST_PAUSE_SECONDS = 10.0


class StartPipelineOperator(BaseOperator):
    """Starts a pipeline execution, exactly once per attempt at the work, and returns its ARN.

    The attempt is DAG, run, task, map index and *epoch*: how often the run was cleared, this task's `max_tries` (a
    clear raises it, a retry does not) and when the run started (a run deleted and made again keeps its id). Its hash is
    the ClientRequestToken. Token and the exact request are written to Airflow's task state store *before* the call:

    - retry, worker killed before, during or after the call, lost response: the recorded request is sent again with the
      recorded token, even if the configuration has changed; SageMaker answers with the same execution;
    - the record has an ARN: nothing is sent, the task re-attaches. This also covers what AWS does not promise, namely
      how long it remembers a token: only the gap between call and record relies on it;
    - this task was cleared, or the run reprocessed by a backfill: a new execution; an old one that is still at work is
      stopped first, and has ended before the new one starts;
    - only a sibling was cleared while the execution is at work: re-attach;
    - we stopped the execution ourselves (`on_kill`): the next try starts anew.

    Started, the task defers until the execution is terminal, so that its pool slot (in a pool that counts deferred
    tasks, see `sagemaker_batch.pool`) is held for as long as the execution counts against SageMaker's quota. It then
    succeeds whatever the end was: PipelineSensor downstream looks, judges and returns the outcome.

    Before any cost, parameters are compared with the deployed definition. Bad requests fail at once; a reached quota
    and throttling wait in the triggerer, with growing pauses and without using up a retry; what may or may not have
    been carried out (5xx, no answer) is left to a retry, which resends.

    Args:
        pipeline_name: name of the pipeline.
        parameters: values by parameter name; all become text.
        about: what the display name shows beside DAG and run, such as the batch day.
        hold: keep the pool slot until the execution has ended (default). Otherwise return as soon as it was started:
            then nothing but SageMaker's own quota limits how many run.
        timeout: seconds after which an execution that is still at work is stopped and the task fails; also the longest
            wait for the quota.
        cancel_on_kill: stop the execution when a person ends or clears the task, or its time is up. A task marked as
            success leaves it at work, and so does a worker or a triggerer that is shut down.
        poll_seconds: seconds between looks; default from [sagemaker_batch].
        aws_conn_id, region, verify, botocore_config: how to reach AWS; defaults from [sagemaker_batch].
        pool: Airflow's own argument; by default the one that [sagemaker_batch] names.
    """

    template_fields: Collection[str] = ("pipeline_name", "parameters", "about", "region")
    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json"}
    operator_extra_links = (ExecutionLink(),)
    ui_color = "#d6ebff"

    def __init__(
        self,
        *,
        pipeline_name: str,
        parameters: dict[str, Any] | None = None,
        about: str = "",
        hold: bool = True,
        timeout: float = DAY_SECONDS,
        cancel_on_kill: bool = True,
        poll_seconds: float | None = None,
        aws_conn_id: str | None = None,
        region: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("pool", pool_name())
        kwargs.setdefault("retry_policy", AwsRetryPolicy())
        super().__init__(**kwargs)
        self.pipeline_name = pipeline_name
        self.parameters = parameters or {}
        self.about = about
        self.hold = hold
        self.timeout = timeout
        self.cancel_on_kill = cancel_on_kill
        self.poll_seconds = poll_seconds
        self.aws_conn_id = aws_conn_id
        self.region = region
        self.verify = verify
        self.botocore_config = botocore_config
        self.execution_arn = ""
        self._ti: Any = None
        self._records: Any = None
        self._record: StartRecord | None = None
        self._kill: Kill | None = None

    def execute(self, context: Any) -> str:
        """Start or re-attach; hold until the execution has ended; returns its ARN."""
        return self._run(context)

    def execute_again(self, context: Any, event: Any = None) -> str:  # noqa: ARG002 - Airflow's signature
        """Go on after a pause: the quota may have room, the former execution may have ended."""
        return self._run(context)

    def execute_complete(self, context: Any, event: Any = None) -> str:
        """Resume when the trigger could not end the task by itself; from the record and the event alone."""
        self._begin(context)
        record = self._records.read()
        told = event if isinstance(event, dict) else {}
        self.execution_arn = arn = told.get("arn") or (record.arn if record else "")
        if told.get("gone"):
            raise AirflowFailException(
                f"{arn} does not exist any more: it, or its pipeline, was deleted while it was waited for. "
                "Clear the task to start anew."
            )
        if told.get("error"):
            raise AirflowException(
                f"Waiting for {arn} ended because asking about it fails: {told['error']}. The execution itself may "
                "still be at work. Check the role and the region of the triggerer."
            )
        if told.get("timeout"):
            self._too_late(arn, told)
        try:
            meaning(told.get("status", "Succeeded"))
        except BatchError as error:
            raise AirflowFailException(str(error)) from error
        return arn

    def on_kill(self) -> None:
        """Find out why, and stop what was started if a person wants it ended."""
        if self._kill is not None:
            self._kill.happen(self._ti)

    def _run(self, context: Any) -> str:
        self._begin(context)
        try:
            record = self._start_once(context)
        except BatchError as error:
            raise AirflowFailException(str(error)) from error
        self.execution_arn = record.arn
        self.log.info("Pipeline execution %s", record.arn)
        run = {"dag_id": self._ti.dag_id, "run_id": self._ti.run_id}
        self.log.info("%s", log_line("started", run, execution_arn=record.arn, batch_day=self.about))
        if not self.hold:
            return record.arn
        from sagemaker_batch.trigger import HoldTrigger

        # At once, not at the end: what looks at the run while it works finds it.
        context["ti"].xcom_push(key="return_value", value=record.arn)
        every, first = polling()
        aws_conn_id, region = where_to_ask(self.aws_conn_id, self.region)
        self.defer(
            trigger=HoldTrigger(
                arn=record.arn,
                aws_conn_id=aws_conn_id,
                region=region,
                verify=self.verify,
                botocore_config=self.botocore_config,
                poll_seconds=self.poll_seconds or every,
                first_poll_seconds=first,
                deadline=record.since + self.timeout,
                cancel_on_kill=self.cancel_on_kill,
                stop_token=requests.token("stop", record.arn),
            ),
            method_name="execute_complete",
        )
        raise AssertionError  # pragma: no cover - defer does not return

    def _begin(self, context: Any) -> None:
        self._ti = context["ti"]
        self._records = Records(context["task_state_store"])
        self._kill = Kill(self._end, self.log)

    def _start_once(self, context: Any) -> StartRecord:
        client, epoch = self._client(), Epoch.of(context)
        record = self._records.read()
        if record is not None and record.epoch != epoch:
            record = self._after_clear(client, record, epoch)
        if record is not None and record.stopped:
            if not is_terminal(self._status(client, record.arn)):
                self._wait_for_stop(client, record.arn)
            self.log.info("%s was stopped by this task: starting anew", record.arn)
            record = self._new_record(client, context, epoch, serial=record.serial + 1)
        if record is None:
            record = self._new_record(client, context, epoch, serial=0)
        self._record = record
        if record.arn:
            self.log.info("Re-attaching to %s, which an earlier try started", record.arn)
        else:
            self._obey_kill()
            record.arn = self._send(client, record)
            self._obey_kill()
        self._records.write(record)
        return record

    def _after_clear(self, client: Any, record: StartRecord, epoch: Epoch) -> StartRecord | None:
        """Return the record to go on with, or None when the work is to begin anew.

        A clear while the task itself runs leaves `max_tries` as it is: then `on_kill` has stopped the execution, and
        that is how it is told from a sibling's clear.
        """
        cleared = record.max_tries != epoch.max_tries
        standing = self._standing(client, record)
        if not cleared:
            if not record.arn and not {"Stopping", "Stopped"} & set(standing.values()):
                return record  # the gap: the recorded request finds out
            if record.arn and standing[record.arn] == "Executing" and not record.stopped:
                record.move_to(epoch)
                return record
        for arn, status in standing.items():
            if not is_terminal(status):
                self.log.info("This task was cleared while %s was at work: stopping it first", arn)
                self._wait_for_stop(client, arn)
        return None

    def _new_record(self, client: Any, context: Any, epoch: Epoch, serial: int) -> StartRecord:
        ti, run = context["ti"], context["dag_run"]
        self._check_parameters(client)
        token = requests.token(
            ti.dag_id,
            ti.run_id,
            ti.task_id,
            ti.map_index,
            epoch.clear_number,
            epoch.max_tries,
            epoch.run_started,
            serial,
        )
        label = f" for {self.about}" if self.about else ""
        record = StartRecord(
            clear_number=epoch.clear_number,
            max_tries=epoch.max_tries,
            run_started=epoch.run_started,
            serial=serial,
            since=time.time(),
            request=requests.build(
                self.pipeline_name,
                self.parameters,
                requests.display_name(ti.dag_id, *([self.about] if self.about else []), ti.run_id),
                f"Started by Airflow{label}: DAG {ti.dag_id}, run {ti.run_id} "
                f"({getattr(run.run_type, 'value', run.run_type)}), task {ti.task_id}, attempt {token[:16]}",
                token,
            ),
        )
        self._records.write(record)
        return record

    def _check_parameters(self, client: Any) -> None:
        try:
            answer = client.describe_pipeline(PipelineName=self.pipeline_name)
        except client.exceptions.ClientError as error:
            if refusal(error) in {Refusal.GONE, Refusal.HOPELESS}:
                raise ExecutionError(
                    f"Pipeline {self.pipeline_name} cannot be described: {error}. It is probably not deployed here, "
                    "or in another region. Type `make deploy ACTION=status`, then `make deploy ACTION=apply`."
                ) from error
            raise
        requests.check(self.pipeline_name, answer["PipelineDefinition"], self.parameters)

    def _send(self, client: Any, record: StartRecord) -> str:
        name = record.request["PipelineName"]
        try:
            return client.start_pipeline_execution(**record.request)["PipelineExecutionArn"]
        except client.exceptions.ClientError as error:
            kind = refusal(error)
            if kind in {Refusal.GONE, Refusal.HOPELESS}:
                raise ExecutionError(f"SageMaker refused to start {name}: {error}") from error
            if kind not in {Refusal.QUOTA, Refusal.THROTTLED}:
                raise
            if time.time() - record.since > self.timeout:
                raise ExecutionError(
                    f"{name} could not be started in {self.timeout:.0f} s, {record.refusals} times refused: {error}. "
                    "Who else starts executions in this account? Make the pool smaller, or ask AWS for a higher quota."
                ) from error
            record.refusals += 1
            self._records.write(record)
            self._pause(record.refusals, f"{name} was not started, {kind.value} ({error})")

    def _pause(self, troubles: int, why: str) -> NoReturn:
        """Wait in the triggerer and come back to `execute_again`; no worker is held and no retry used up."""
        from sagemaker_batch.trigger import PauseTrigger

        every, first = polling()
        pause = max(backoff(self.poll_seconds or every, troubles), first, SHORTEST_PAUSE_SECONDS)
        self.log.info("%s; again in %.0f s, for which no retry is used up", why, pause)
        self.defer(trigger=PauseTrigger(time.time() + pause), method_name="execute_again")
        raise AssertionError  # pragma: no cover - defer does not return

    def _standing(self, client: Any, record: StartRecord) -> dict[str, str]:
        """Return what the record started, with statuses: its ARN, or, after the gap, those of its description."""
        if record.arn:
            return {record.arn: self._status(client, record.arn)}
        ours = record.request["PipelineExecutionDescription"]
        pages = client.get_paginator("list_pipeline_executions").paginate(
            PipelineName=record.request["PipelineName"],
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"MaxItems": 200},
        )
        return {
            item["PipelineExecutionArn"]: item["PipelineExecutionStatus"]
            for page in pages
            for item in page["PipelineExecutionSummaries"]
            if item.get("PipelineExecutionDescription") == ours
        }

    def _status(self, client: Any, arn: str) -> str:
        try:
            return client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        except client.exceptions.ClientError as error:
            if refusal(error) is Refusal.GONE:
                return "Stopped"  # gone with its pipeline: nothing is at work
            raise

    def _wait_for_stop(self, client: Any, arn: str) -> None:
        """Return when the execution has ended; until then stop it and wait in the triggerer."""
        if stop(client, arn, requests.token("stop", arn)) and not is_terminal(self._status(client, arn)):
            self._pause(1, f"{arn} is being stopped, and a new execution waits for its end")

    def _too_late(self, arn: str, told: dict[str, Any]) -> NoReturn:
        how = "it was left alone"
        if "status" in told:
            how = f"it was stopped, and is {told['status']}"
        elif self.cancel_on_kill and stop(self._client(), arn, requests.token("stop", arn)):
            how = "it is being stopped"
        raise AirflowFailException(
            f"{arn} was still at work {self.timeout:.0f} s after its start; {how}. "
            "Raise the task's timeout, or look for the step that hangs."
        )

    def _end(self, cause: Cause) -> None:
        """Stop what the record names; runs beside the main thread."""
        record = self._record
        if not self.cancel_on_kill or cause not in ENDS_A_START or record is None or not record.arn:
            return
        if stop(self._client(), record.arn, requests.token("stop", record.arn)):
            self.log.info("Stopping %s", record.arn)
            record.stopped = True
            if cause is not Cause.CLEARED:  # a cleared task instance is another one, and its record is not ours
                self._records.write(record)

    def _obey_kill(self) -> None:
        """Between two calls: start nothing for a task that a person has ended, and end what was just started."""
        cause = self._kill.cause if self._kill is not None else None
        if cause is not None and cause in ENDS_A_START:
            self._end(cause)
            raise AirflowException(f"Nothing more is started: {cause.value}.")

    def _client(self) -> Any:
        from sagemaker_batch.aws import client

        aws_conn_id, region = where_to_ask(self.aws_conn_id, self.region)
        return client("sagemaker", aws_conn_id, region, self.verify, self.botocore_config)
