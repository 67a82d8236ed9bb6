"""Starting a pipeline exactly once per attempt at the work. Usable for any SageMaker pipeline."""

import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from sagemaker_batch import request as requests
from sagemaker_batch.errors import BatchError, ExecutionError
from sagemaker_batch.execution import stop
from sagemaker_batch.links import ExecutionLink
from sagemaker_batch.settings import where_to_ask
from sagemaker_batch.status import is_terminal

RECORD = "start_pipeline"
# Refusals that no repetition cures.
HOPELESS = {"ResourceNotFound", "ResourceNotFoundException", "ValidationException", "AccessDeniedException"}
STOP_DEADLINE_SECONDS = 600.0


@dataclass
class StartRecord:
    """What is written before the call: whoever comes next knows what was asked for, and with which token."""

    clear_number: int
    max_tries: int
    run_started: str
    serial: int
    request: dict[str, Any]
    arn: str = ""
    stopped: bool = False


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
      stopped first;
    - only a neighbour was cleared while the execution is at work: re-attach;
    - we stopped the execution ourselves (`on_kill`): the next try starts anew.

    Before any cost, parameters are compared with the deployed definition. Bad requests fail at once; a reached quota,
    throttling and the like use Airflow's retries.

    Args:
        pipeline_name: name of the pipeline.
        parameters: values by parameter name; all become text.
        about: what the display name shows beside DAG and run, such as the batch day.
        cancel_on_kill: stop the execution when the task is killed while starting it.
        aws_conn_id, region, verify, botocore_config: how to reach AWS; defaults from [sagemaker_batch].
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
        cancel_on_kill: bool = True,
        aws_conn_id: str | None = None,
        region: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_name = pipeline_name
        self.parameters = parameters or {}
        self.about = about
        self.cancel_on_kill = cancel_on_kill
        self.aws_conn_id = aws_conn_id
        self.region = region
        self.verify = verify
        self.botocore_config = botocore_config
        self.execution_arn = ""
        self._store: Any = None
        self._record: StartRecord | None = None

    def execute(self, context: Any) -> str:
        """Start or re-attach; returns the execution's ARN."""
        self._store = context["task_state_store"]
        try:
            self.execution_arn = self._start_once(context)
        except BatchError as error:
            raise AirflowFailException(str(error)) from error
        self.log.info("Pipeline execution %s", self.execution_arn)
        return self.execution_arn

    def on_kill(self) -> None:
        """Stop what was started, and remember that it was us."""
        record = self._record
        if not self.cancel_on_kill or record is None or not record.arn:
            return
        if stop(self._client(), record.arn, requests.token("stop", record.arn)):
            self.log.info("The task was killed: stopping %s", record.arn)
            record.stopped = True
            self._write(record)

    def _start_once(self, context: Any) -> str:
        client = self._client()
        stored = self._store.get(RECORD)
        record = StartRecord(**stored) if stored else None
        epoch = _epoch(context)
        if record is not None:
            record = self._continue(client, record, epoch)
        if record is None:
            record = self._new_record(client, context, epoch, serial=0)
        elif record.arn and self._ended_by_us(client, record):
            self.log.info("%s was stopped by this task: starting anew", record.arn)
            record = self._new_record(client, context, epoch, serial=record.serial + 1)
        if record.arn:
            self.log.info("Re-attaching to %s, which an earlier try started", record.arn)
        else:
            self._record = record
            record.arn = self._send(client, record.request)
        self._record = record
        self._write(record)
        return record.arn

    def _continue(self, client: Any, record: StartRecord, epoch: tuple[int, int, str]) -> StartRecord | None:
        """Return the record to go on with, or None when the work is to begin anew."""
        before = (record.clear_number, record.max_tries, record.run_started)
        if before == epoch:
            return record
        cleared = record.max_tries != epoch[1]
        if not record.arn and not cleared:
            return record  # the gap: the recorded request finds out
        active = [arn for arn in self._started_by(client, record) if self._status(client, arn) == "Executing"]
        if not cleared and active == [record.arn]:
            record.clear_number, record.max_tries, record.run_started = epoch
            return record
        for arn in active:
            self.log.info("This task was cleared while %s was at work: stopping it first", arn)
            self._stop_and_wait(client, arn)
        return None

    def _new_record(self, client: Any, context: Any, epoch: tuple[int, int, str], serial: int) -> StartRecord:
        ti, run = context["ti"], context["dag_run"]
        self._check_parameters(client)
        identity = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, *epoch, serial)
        label = f" for {self.about}" if self.about else ""
        record = StartRecord(
            clear_number=epoch[0],
            max_tries=epoch[1],
            run_started=epoch[2],
            serial=serial,
            request=requests.build(
                self.pipeline_name,
                self.parameters,
                requests.display_name(ti.dag_id, *([self.about] if self.about else []), ti.run_id),
                f"Started by Airflow{label}: DAG {ti.dag_id}, run {ti.run_id} ({run.run_type}), task {ti.task_id}",
                requests.token(*identity),
            ),
        )
        self._write(record)
        return record

    def _check_parameters(self, client: Any) -> None:
        try:
            answer = client.describe_pipeline(PipelineName=self.pipeline_name)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in HOPELESS:
                raise ExecutionError(
                    f"Pipeline {self.pipeline_name} cannot be described: {error}. It is probably not deployed here, "
                    "or in another region. Type `make deploy ACTION=status`, then `make deploy ACTION=apply`."
                ) from error
            raise
        requests.check(self.pipeline_name, answer["PipelineDefinition"], self.parameters)

    def _send(self, client: Any, request: dict[str, Any]) -> str:
        try:
            return client.start_pipeline_execution(**request)["PipelineExecutionArn"]
        except client.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code in HOPELESS:
                raise ExecutionError(f"SageMaker refused to start {request['PipelineName']}: {error}") from error
            if code == "ResourceLimitExceeded":
                raise AirflowException(
                    f"The account's quota is reached, {request['PipelineName']} was not started: {error}. "
                    "The task tries again; lower the backfill's max_active_runs, or ask AWS for a higher quota."
                ) from error
            raise

    def _ended_by_us(self, client: Any, record: StartRecord) -> bool:
        if not record.stopped:
            return False
        if not is_terminal(self._status(client, record.arn)):
            self._stop_and_wait(client, record.arn)
        return True

    def _started_by(self, client: Any, record: StartRecord) -> list[str]:
        """Return the executions that the record started: its ARN, or, after the gap, those under its display name."""
        if record.arn:
            return [record.arn]
        name = record.request["PipelineExecutionDisplayName"]
        pages = client.get_paginator("list_pipeline_executions").paginate(
            PipelineName=record.request["PipelineName"],
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"MaxItems": 100},
        )
        return [
            item["PipelineExecutionArn"]
            for page in pages
            for item in page["PipelineExecutionSummaries"]
            if item.get("PipelineExecutionDisplayName") == name
        ]

    def _status(self, client: Any, arn: str) -> str:
        try:
            return client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in {"ResourceNotFound", "ResourceNotFoundException"}:
                return "Stopped"  # gone with its pipeline: nothing is at work
            raise

    def _stop_and_wait(self, client: Any, arn: str) -> None:
        stop(client, arn, requests.token("stop", arn))
        deadline, pause = time.monotonic() + STOP_DEADLINE_SECONDS, 0.5
        while not is_terminal(self._status(client, arn)):
            if time.monotonic() > deadline:
                raise AirflowException(
                    f"{arn} has been stopping for {STOP_DEADLINE_SECONDS:.0f} s and is not Stopped yet; "
                    "a new execution waits for it. The task tries again."
                )
            time.sleep(pause)
            pause = min(pause * 2, 15.0)

    def _write(self, record: StartRecord) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._store.set(RECORD, asdict(record), retention=NEVER_EXPIRE)

    def _client(self) -> Any:
        from sagemaker_batch.aws import client

        aws_conn_id, region = where_to_ask(self.aws_conn_id, self.region)
        return client("sagemaker", aws_conn_id, region, self.verify, self.botocore_config)


def _epoch(context: Any) -> tuple[int, int, str]:
    run = context["dag_run"]
    started: datetime | None = run.start_date
    return int(run.clear_number or 0), int(context["ti"].max_tries), started.isoformat() if started else ""
