"""Answers for Callback steps, by the token that the step sent to its queue."""

from __future__ import annotations

from typing import Any

from sagemaker_local.errors import ConflictError, ResourceNotFoundError
from sagemaker_local.operations.registry import Call, operation

Document = dict[str, Any]

_FINAL = ("Succeeded", "Failed", "Stopped")


@operation("SendPipelineExecutionStepSuccess")
def send_pipeline_execution_step_success(call: Call) -> Document:
    return _answer(call, {"OutputParameters": call.request.get("OutputParameters", [])})


@operation("SendPipelineExecutionStepFailure")
def send_pipeline_execution_step_failure(call: Call) -> Document:
    return _answer(call, {"FailureReason": call.request.get("FailureReason", "The callback reported a failure.")})


def _answer(call: Call, answer: Document) -> Document:
    token = call.request["CallbackToken"]
    document = call.tx.get("callback", token)
    if document is None:
        raise ResourceNotFoundError(f"No callback step waits for the token {token}.")
    arn, step = document["PipelineExecutionArn"], document["StepName"]
    state = call.tx.get("step", f"{arn}/{step}")
    if "Answer" in document or state is None or state["StepStatus"] in _FINAL:
        raise ConflictError(f"The callback step {step} of {arn} has been answered for already, or has ended.")
    call.tx.put("callback", token, {**document, "Answer": answer})
    call.after_commit(lambda: call.api.runner.callback(arn, step))
    return {"PipelineExecutionArn": arn}
