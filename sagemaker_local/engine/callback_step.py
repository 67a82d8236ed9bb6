"""Callback steps: a message with a token goes to a queue, and the step waits until someone answers for the token."""

from __future__ import annotations

import json
import secrets
import string
import threading
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_local.engine.context import ExecutionContext
from sagemaker_local.engine.errors import EngineClosedError, StepFailedError, StepStoppedError
from sagemaker_local.engine.expressions import resolve
from sagemaker_local.engine.graph import Step

Document = dict[str, Any]

_LETTERS = string.ascii_letters + string.digits
_TOKEN_LENGTH = 10
_MAX_SECONDS = 7 * 86400.0
_READERS = {"String": str, "Integer": int, "Float": float}


def run_callback(context: ExecutionContext, step: Step) -> None:
    """Run the step.

    Raises:
        StepFailedError: the queue cannot be reached, the answer is a failure, lacks an output, or did not come.
        StepStoppedError: the execution was stopped, and the answer has come.
        EngineClosedError: the server ends.
    """
    local = (context.read_step(step.name) or {}).get("_local", {})
    token = local.get("token") or "".join(secrets.choice(_LETTERS) for _ in range(_TOKEN_LENGTH))
    scope = context.scope()
    queue = str(resolve(step.body["SqsQueueUrl"], scope))
    if "token" not in local:
        if context.stopping.is_set():
            raise StepStoppedError
        with context.api.store.transaction() as tx:
            tx.put("callback", token, {"PipelineExecutionArn": context.arn, "StepName": step.name})
        context.update_step(
            step.name,
            _local={"token": token},
            Metadata={"Callback": {"CallbackToken": token, "SqsQueueUrl": queue}},
        )
    message = {
        "token": token,
        "pipelineExecutionArn": context.arn,
        "stepName": step.name,
        "arguments": resolve(step.body.get("Arguments") or {}, scope),
    }
    _tell(context, step, queue, {**message, "status": "Executing"})
    answer = _await(context, step, token, queue, message)
    if "FailureReason" in answer:
        if context.stopping.is_set():
            raise StepStoppedError
        raise StepFailedError(f"ClientError: {answer['FailureReason']}")
    given = {each["Name"]: each["Value"] for each in answer["OutputParameters"]}
    values = _outputs(step.body.get("OutputParameters") or [], given)
    shown = {"CallbackToken": token, "SqsQueueUrl": queue, "OutputParameters": answer["OutputParameters"]}
    context.update_step(step.name, _local={"properties": {"OutputParameters": values}}, Metadata={"Callback": shown})
    if context.stopping.is_set():
        raise StepStoppedError


def _await(context: ExecutionContext, step: Step, token: str, queue: str, message: Document) -> Document:
    """Wait for the answer; when the execution stops meanwhile, tell the queue so and go on waiting, as AWS does."""
    signal = context.signal(step.name)
    began = (context.read_step(step.name) or {}).get("StartTime", context.api.clock())
    while True:
        signal.clear()
        if context.closing.is_set():
            raise EngineClosedError
        with context.api.store.read() as tx:
            document = tx.get("callback", token) or {}
        if "Answer" in document:
            return dict(document["Answer"])
        if context.stopping.is_set():
            _tell(context, step, queue, {**message, "status": "Stopping"})
        left = began + _MAX_SECONDS - context.api.clock()
        if left <= 0:
            raise StepFailedError(f"ClientError: No answer for the token {token} came within 7 days.")
        signal.wait(min(left, threading.TIMEOUT_MAX))


def _tell(context: ExecutionContext, step: Step, queue: str, message: Document) -> None:
    """Send a message, once for each status: a server that was killed in between sends it again, with the same token."""
    mark = f"told {message['status']}"
    if (context.read_step(step.name) or {}).get("_local", {}).get(mark):
        return
    try:
        context.clients.get("sqs", context.role).send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    except (ClientError, BotoCoreError) as error:
        raise StepFailedError(f"ClientError: The queue {queue} cannot be reached: {error}") from error
    context.update_step(step.name, _local={mark: True})


def _outputs(declared: list[Document], given: Document) -> Document:
    values: Document = {}
    for output in declared:
        name, kind = output["OutputName"], output["OutputType"]
        if name not in given:
            raise StepFailedError(
                f"ClientError: The answer has no {name!r}, which OutputParameters of the step names. "
                f"It has {', '.join(map(repr, sorted(given))) or 'nothing'}."
            )
        try:
            values[name] = _boolean(given[name]) if kind == "Boolean" else _READERS[kind](given[name])
        except ValueError as error:
            raise StepFailedError(f"ClientError: The answer has {name} = {given[name]!r}, no {kind}.") from error
    return values


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"
