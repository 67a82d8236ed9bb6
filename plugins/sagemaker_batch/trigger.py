"""Waiting for an execution in the triggerer: one Describe per poll, and no worker."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from sagemaker_batch.status import MEANINGS, is_terminal

BACKOFF_LIMIT_SECONDS = 300.0
# What passes by itself: throttling in its several names, and the service's own bad moments.
PASSING = {
    "InternalFailure",
    "InternalServerError",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


class PipelineTrigger(BaseTrigger):
    """Waits until a pipeline execution is terminal, and says so in one event.

    Everything that reaching AWS needs travels with it (connection id, region, verify, botocore's configuration), so
    that the triggerer asks where the worker asked. Events: `{"arn", "status"}`; `{"arn", "timeout": true}` when the
    deadline passed (the task then stops the execution); `{"arn", "error": text}` when asking cannot succeed.
    The deadline is a moment (seconds since the epoch), so a restarted triggerer does not begin anew.
    """

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
        return "sagemaker_batch.trigger.PipelineTrigger", {
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
            if left is not None and left <= 0:
                yield TriggerEvent({"arn": self.arn, "timeout": True})
                return
            await asyncio.sleep(pause if left is None else min(pause, left))
            try:
                if client is None:
                    client = await self._in_thread(self._client)
                answer = await self._in_thread(client.describe_pipeline_execution, PipelineExecutionArn=self.arn)
                await self._in_thread(progress.show, client, self.arn)
            except Exception as error:  # noqa: BLE001 - whatever it is, the task must hear of it
                if not passes(error):
                    yield TriggerEvent({"arn": self.arn, "error": f"{type(error).__name__}: {error}"})
                    return
                troubles += 1
                pause = backoff(self.poll_seconds, troubles)
                self.log.warning("Asking about %s failed (%s); again in %.0f s", self.arn, error, pause)
                continue
            troubles, pause = 0, self.poll_seconds
            status = answer["PipelineExecutionStatus"]
            if status not in MEANINGS or is_terminal(status):
                yield TriggerEvent({"arn": self.arn, "status": status})
                return

    async def on_kill(self) -> None:
        """Stop the execution when a person ends the waiting task."""
        if not self.cancel_on_kill:
            return
        from sagemaker_batch.execution import stop

        client = await self._in_thread(self._client)
        if await self._in_thread(stop, client, self.arn, self.stop_token):
            self.log.info("Stopping %s because its task was ended", self.arn)

    def _client(self) -> Any:
        from sagemaker_batch.aws import client

        return client("sagemaker", self.aws_conn_id, self.region, self.verify, self.botocore_config)

    @staticmethod
    async def _in_thread(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # asgiref's bridge lets the hook ask the triggerer for its connection from the thread; asyncio's would not.
        from asgiref.sync import sync_to_async

        # Cancelled itself, asgiref raises another CancelledError, without the message by which the triggerer tells a
        # person's act from its own end: on_kill would not be called, and the execution would go on.
        answer = asyncio.ensure_future(sync_to_async(call, thread_sensitive=False)(*args, **kwargs))
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(answer)


class StepProgress:
    """Prints each change of a step once."""

    def __init__(self, log: logging.Logger | Any) -> None:
        self.log = log
        self.seen: dict[str, str] = {}

    def show(self, client: Any, arn: str) -> None:
        """List the steps and print what changed since the last time."""
        from sagemaker_batch.execution import read_steps

        for step in read_steps(client, arn):
            if self.seen.get(step.name) != step.status:
                self.seen[step.name] = step.status
                self.log.info("%s: %s%s", step.name, step.status, f" ({step.reason})" if step.reason else "")


def passes(error: Exception) -> bool:
    """Tell whether waiting can cure the error: throttling, 5xx, no connection, no answer."""
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection

    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        http = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code in PASSING or http >= 500 or http == 429
    return isinstance(error, (NoConnection, HTTPClientError))


def backoff(poll_seconds: float, troubles: int) -> float:
    """Return the pause after so many failures in a row: doubling, with jitter, at most five minutes."""
    longest = min(BACKOFF_LIMIT_SECONDS, max(poll_seconds, 0.1) * 2 ** min(troubles, 12))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreading load, not a secret
