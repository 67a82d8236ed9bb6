"""Lambda steps: the Arguments are the event, the answer's members are the outputs."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_local.engine.errors import StepFailedError
from sagemaker_local.engine.expressions import as_text

Document = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}


def invoke(client: Any, function: str, event: Document, outputs: list[Document]) -> Document:
    """Invoke a function and return the values of the declared outputs.

    Args:
        client: of Lambda.
        function: name or ARN.
        event: what the function is given.
        outputs: ``[{"OutputName", "OutputType"}]``.

    Raises:
        StepFailedError: the function failed (with its own message), or its answer lacks an output.
    """
    try:
        response = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        payload = response["Payload"].read()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        kind = "Step.THROTTLING" if status == 429 else "Step.SERVICE_FAULT" if status >= 500 else None
        raise StepFailedError(
            f"ClientError: The function {function} could not be invoked: {code}: {error.response['Error']['Message']}",
            kind,
        ) from error
    except BotoCoreError as error:
        raise StepFailedError(
            f"ClientError: The function {function} could not be invoked: {error}", "Step.SERVICE_FAULT"
        ) from error
    if "FunctionError" in response:
        raise StepFailedError(f"ClientError: The function {function} failed: {_said(payload)}")
    return _outputs(function, payload, outputs)


def _said(payload: bytes) -> str:
    """Return the message of an exception in a function, as the runtime reports it."""
    try:
        document = json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")[:500]
    if not isinstance(document, dict) or "errorMessage" not in document:
        return payload.decode(errors="replace")[:500]
    kind = document.get("errorType")
    return f"{kind}: {document['errorMessage']}" if kind else str(document["errorMessage"])


def _outputs(function: str, payload: bytes, outputs: list[Document]) -> Document:
    if not outputs:
        return {}
    try:
        answer = json.loads(payload)
    except ValueError as error:
        raise StepFailedError(f"ClientError: The answer of {function} is no JSON: {error}") from error
    if not isinstance(answer, dict):
        raise StepFailedError(f"ClientError: The answer of {function} is no object: {answer!r:.200}")
    values: Document = {}
    for output in outputs:
        name, kind = output["OutputName"], output["OutputType"]
        if name not in answer:
            raise StepFailedError(
                f"ClientError: The answer of {function} has no {name!r}, which OutputParameters of the step names. "
                f"It has {', '.join(map(repr, sorted(answer))) or 'nothing'}."
            )
        value = as_text(answer[name]) if kind == "String" else answer[name]
        if not isinstance(value, _TYPES[kind]) or (kind != "Boolean" and isinstance(value, bool)):
            raise StepFailedError(f"ClientError: The answer of {function} has {name} = {value!r}, which is no {kind}.")
        values[name] = value
    return values
