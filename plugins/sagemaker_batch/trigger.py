"""Waiting for an execution in the triggerer: one Describe per poll, and no worker."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from sagemaker_batch.kill import ENDS_A_START, ENDS_A_WAIT, Cause, cause
from sagemaker_batch.progress import StepProgress
from sagemaker_batch.refusals import Refusal, backoff, passes, refusal
from sagemaker_batch.status import MEANINGS, is_terminal
from sagemaker_batch.threads import ENDING, LOOKING, in_thread

# What a kill has begun, until it is done: the event loop itself holds its tasks only weakly.
ENDINGS: set[asyncio.Task[None]] = set()
# How often Airflow is asked why a task was ended, and how far apart.
KILL_LOOKS, KILL_PAUSE_SECONDS = 5, 2.0


class PipelineTrigger(BaseTrigger):
    """Waits until a pipeline execution is terminal, and says so in one event.

    Everything that reaching AWS needs travels with it (connection id, region, verify, botocore's configuration), so
    that the triggerer asks where the worker asked. Events: `{"arn", "status"}`; `{"arn", "timeout": true}` when the
    deadline passed (the task then stops the execution); `{"arn", "gone": true}` when the execution does not exist any
    more; `{"arn", "error": text}` when asking cannot succeed.
    The deadline is a moment (seconds since the epoch), so a restarted triggerer does not begin anew.
    """

    # After which kills the execution is stopped: a cleared sensor comes back to the same execution.
    stops_on: ClassVar[frozenset[Cause]] = ENDS_A_WAIT

    def __init__(  # noqa: PLR0917 - the triggerer passes keywords
        self,
        arn: str,
        aws_conn_id: str | None = None,
        region: str | None = None,
        verify: bool | str | None = None,  # noqa: FBT001 - boto3's own argument
        botocore_config: dict[str, Any] | None = None,
        poll_seconds: float = 30.0,
        first_poll_seconds: float = 10.0,
        deadline: float | None = None,
        cancel_on_kill: bool = True,  # noqa: FBT001, FBT002 - rebuilt from keywords only
        stop_token: str = "",
    ) -> None:
        super().__init__()
        self.arn = arn
        self.aws_conn_id = aws_conn_id
        self.region = region
        self.verify = verify
        self.botocore_config = botocore_config
        self.poll_seconds = poll_seconds
        self.first_poll_seconds = first_poll_seconds
        self.deadline = deadline
        self.cancel_on_kill = cancel_on_kill
        self.stop_token = stop_token

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        return f"sagemaker_batch.trigger.{type(self).__name__}", {
            "arn": self.arn,
            "aws_conn_id": self.aws_conn_id,
            "region": self.region,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
            "poll_seconds": self.poll_seconds,
            "first_poll_seconds": self.first_poll_seconds,
            "deadline": self.deadline,
            "cancel_on_kill": self.cancel_on_kill,
            "stop_token": self.stop_token,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is something to say."""
        pause = self.first_poll_seconds
        troubles = 0
        client: Any = None
        progress = StepProgress(self.log)
        while True:
            left = None if self.deadline is None else self.deadline - time.time()
            await asyncio.sleep(pause if left is None else max(min(pause, left), 0.0))
            try:
                if client is None:
                    client = await in_thread(LOOKING, self._client)
                answer = await in_thread(LOOKING, client.describe_pipeline_execution, PipelineExecutionArn=self.arn)
                await in_thread(LOOKING, progress.show, client, self.arn, answer)
                status = answer["PipelineExecutionStatus"]
                if status not in MEANINGS or is_terminal(status):
                    yield self.ended(status)
                    return
                if self.deadline is not None and time.time() >= self.deadline:
                    event = await self.too_late(client)
                    if event is not None:
                        yield event
                        return
            except Exception as error:  # noqa: BLE001 - whatever it is, the task must hear of it
                if refusal(error) is Refusal.GONE:
                    yield TriggerEvent({"arn": self.arn, "gone": True})
                    return
                if not passes(error):
                    yield TriggerEvent({"arn": self.arn, "error": f"{type(error).__name__}: {error}"})
                    return
                troubles += 1
                pause = backoff(self.poll_seconds, troubles)
                self.log.warning("Asking about %s failed (%s); again in %.0f s", self.arn, error, pause)
                if self.deadline is not None and time.time() >= self.deadline:
                    yield TriggerEvent({"arn": self.arn, "timeout": True})
                    return
                continue
            troubles, pause = 0, self.poll_seconds

    def ended(self, status: str) -> TriggerEvent:
        """Return the event of an execution that has ended, or whose status nobody knows."""
        return TriggerEvent({"arn": self.arn, "status": status})

    async def too_late(self, client: Any) -> TriggerEvent | None:  # noqa: ARG002 - for those that stop it themselves
        """Return the event of a deadline that has passed, or None to go on waiting."""
        return TriggerEvent({"arn": self.arn, "timeout": True})

    async def on_kill(self) -> None:
        """Stop the execution when a person ended the waiting task; Airflow calls this for every act of a person."""
        if not self.cancel_on_kill:
            return
        # A task of its own: the triggerer cancels a trigger anew at each of its rounds until that has ended, and gives
        # on_kill thirty seconds, less than its first question to Airflow may take on a busy machine.
        ending = asyncio.create_task(self._end(), name=f"ending {self.arn}")
        ENDINGS.add(ending)
        ending.add_done_callback(ENDINGS.discard)
        await asyncio.shield(ending)

    async def _end(self) -> None:
        """Find out why the task was ended, and stop the execution if that calls for it."""
        from sagemaker_batch.execution import stop

        why = await self._why_killed()
        if why not in self.stops_on:
            self.log.info("%s: %s is left alone", why.value if why else "Why is unknown", self.arn)
            return
        client = await in_thread(ENDING, self._client)
        if await in_thread(ENDING, stop, client, self.arn, self.stop_token):
            self.log.info("%s: stopping %s", why.value, self.arn)

    async def _why_killed(self) -> Cause | None:
        for attempt in range(KILL_LOOKS):
            try:
                return await in_thread(ENDING, cause, self.task_instance)
            except Exception:
                if attempt == KILL_LOOKS - 1:
                    self.log.exception("Airflow does not say why the task was ended")
                await asyncio.sleep(KILL_PAUSE_SECONDS)
        return None

    def _client(self) -> Any:
        from sagemaker_batch.aws import client

        return client("sagemaker", self.aws_conn_id, self.region, self.verify, self.botocore_config)


class HoldTrigger(PipelineTrigger):
    """Holds the start's pool slot until the execution is terminal, then ends the task itself, as a success.

    Ended from here, the task does not queue for a slot again, behind starts that would fill the pool while its work is
    done already. A deadline that passes stops the execution first, and waits for its end with the slot still held;
    only then is the task resumed, to fail. What the execution's end means is the sensor's to say.
    """

    stops_on: ClassVar[frozenset[Cause]] = ENDS_A_START

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stopped = False

    def ended(self, status: str) -> TriggerEvent:
        """End the task, unless it must say what was wrong."""
        if self._stopped:
            return TriggerEvent({"arn": self.arn, "timeout": True, "status": status})
        return TaskSuccessEvent() if status in MEANINGS else super().ended(status)

    async def too_late(self, client: Any) -> TriggerEvent | None:
        """Stop the execution once, and go on until it has ended."""
        from sagemaker_batch.execution import stop

        if not self.cancel_on_kill:
            return TriggerEvent({"arn": self.arn, "timeout": True})
        self._stopped = await in_thread(ENDING, stop, client, self.arn, self.stop_token)
        self.log.warning("The deadline has passed: stopping %s", self.arn)
        self.deadline = None
        return None


class PauseTrigger(BaseTrigger):
    """Fires at a moment (seconds since the epoch): a wait that costs neither a worker nor a retry."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        return "sagemaker_batch.trigger.PauseTrigger", {"until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire when the moment has come; at once when it has passed."""
        await asyncio.sleep(max(self.until - time.time(), 0.0))
        yield TriggerEvent({"paused": True})
