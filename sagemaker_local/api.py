"""The SageMaker API in process: what the server does for HTTP and the running half does by name.

`Api.call` is the whole life of a request: validation, idempotency token, one transaction, the handler, the check of its
answer, commit, and only then the word to the runner.

The running half finds what it needs through the API itself: an execution's definition by
``DescribePipelineDefinitionForExecution``, its resolved parameters by ``ListPipelineParametersForExecution``.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from sagemaker_local import model, operations, validation
from sagemaker_local.admin.access import Access
from sagemaker_local.admin.calls import Calls
from sagemaker_local.admin.faults import Faults
from sagemaker_local.errors import ApiError, ConflictError, NotImplementedHereError, ValidationError
from sagemaker_local.operations.registry import HANDLERS, Call, Handler
from sagemaker_local.quotas import Quotas
from sagemaker_local.store import Store, Transaction

Document = dict[str, Any]

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
RUNNING_STATUSES = ("Executing", "Stopping")


class RunnerSeam(Protocol):
    """What operations tell the running half, always after their transaction has committed.

    `kind` is ``processing_job``, ``training_job``, ``transform_job`` or ``tuning_job``.
    """

    def start(self) -> None:
        """Begin to run, and take up what a former process left."""

    def shutdown(self) -> None:
        """End every thread and process."""

    def job_created(self, kind: str, name: str) -> None:
        """A job stands in the store as InProgress."""

    def job_stop(self, kind: str, name: str) -> None:
        """A job stands in the store as Stopping."""

    def execution_created(self, arn: str) -> None:
        """An execution stands in the store as Executing."""

    def execution_stop(self, arn: str) -> None:
        """An execution stands in the store as Stopping."""

    def execution_retry(self, arn: str) -> None:
        """A failed or stopped execution stands in the store as Executing again."""

    def callback(self, arn: str, step: str) -> None:
        """The answer for a Callback step stands in the store."""


class NullRunner:
    """Runs nothing: for tests of the API alone."""

    def start(self) -> None:
        """Begin nothing."""

    def shutdown(self) -> None:
        """End nothing."""

    def job_created(self, kind: str, name: str) -> None:
        """Leave the job as it is."""

    def job_stop(self, kind: str, name: str) -> None:
        """Leave the job as it is."""

    def execution_created(self, arn: str) -> None:
        """Leave the execution as it is."""

    def execution_stop(self, arn: str) -> None:
        """Leave the execution as it is."""

    def execution_retry(self, arn: str) -> None:
        """Leave the execution as it is."""

    def callback(self, arn: str, step: str) -> None:
        """Leave the step as it is."""


class Api:
    """The service. Thread-safe: all state is in the store."""

    def __init__(
        self,
        store: Store,
        *,
        account: str = DEFAULT_ACCOUNT,
        region: str = DEFAULT_REGION,
        endpoint_url: str = "http://127.0.0.1:4566",
        runner: RunnerSeam | None = None,
        clock: Callable[[], float] = time.time,
        quotas: Quotas | None = None,
    ) -> None:
        """Put the service together.

        Args:
            store: where everything is kept.
            account: twelve digits, part of every ARN.
            region: the one region that this service is.
            endpoint_url: where jobs and the engine reach this service and the rest of the local AWS.
            runner: what makes jobs and executions run; NullRunner when left out (set `runner` later to attach one).
            clock: epoch seconds.
            quotas: AWS's default limits when left out.
        """
        operations.load()
        self.store = store
        self.account = account
        self.region = region
        self.endpoint_url = endpoint_url
        self.runner: RunnerSeam = runner or NullRunner()
        self.clock = clock
        self.quotas = quotas or Quotas()
        self.faults = Faults()
        self.calls = Calls()
        self.access = Access()

    def call(self, operation: str, request: Document, region: str | None = None) -> Document:
        """Run one operation and return its answer (timestamps as epoch seconds).

        Raises:
            ApiError: as AWS would answer, or 501 for what is not implemented here.
        """
        handler = self._handler(operation)
        if region is not None and region != self.region:
            raise ValidationError(
                f"This local SageMaker is region {self.region}, the request is for {region}. "
                f"Use region_name={self.region!r} in the client, "
                f"or start another with: python -m sagemaker_local --region {region}"
            )
        checked = validation.check_request(model.operation(operation), request)
        prepared = handler.prepare(self, checked) if handler.prepare else None
        if not handler.writes:
            with self.store.read() as tx:
                return self._answer(handler, Call(operation, checked, self, tx, round(self.clock(), 3), prepared))
        with self.store.transaction() as tx:
            call = Call(operation, checked, self, tx, round(self.clock(), 3), prepared)
            answer = self._once(handler, call)
        call.run_after_commit()
        return answer

    def running_executions(self) -> int:
        """Return how many executions are Executing or Stopping."""
        with self.store.read() as tx:
            return sum(
                tx.count_where("pipeline_execution", "PipelineExecutionStatus", status) for status in RUNNING_STATUSES
            )

    def _handler(self, operation: str) -> Handler:
        if operation not in model.operation_names():
            raise ApiError("UnknownOperationException", f"SageMaker has no operation {operation!r}.", 404)
        handler = HANDLERS.get(operation)
        if handler is None:
            raise NotImplementedHereError(operation)
        return handler

    def _once(self, handler: Handler, call: Call) -> Document:
        """Answer a repeated token as the first time; the transaction makes that true of racing calls too."""
        members = model.token_members(handler.name)
        tokens = [call.request[name] for name in members if name in call.request]
        if not tokens:
            return self._answer(handler, call)
        key = f"{handler.name}/{'/'.join(tokens)}"
        digest = _digest({name: value for name, value in call.request.items() if name not in members})
        seen = call.tx.get("token", key)
        if seen is None:
            answer = self._answer(handler, call)
            call.tx.insert("token", key, {"Request": digest, "Response": answer, "CreationTime": call.now})
            return answer
        if seen["Request"] != digest:
            raise _token_reused(handler.name, members[0], tokens[0])
        return seen["Response"]

    def _answer(self, handler: Handler, call: Call) -> Document:
        return validation.check_response(model.operation(handler.name), handler.function(call) or {})


def _digest(request: Document) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _token_reused(operation: str, member: str, token: str) -> ApiError:
    message = (
        f"{member} {token!r} was used for {operation} before, with other parameters. "
        "Repeat the former request unchanged, or use a new token for a new request."
    )
    return ConflictError(message) if "ConflictException" in model.error_codes(operation) else ValidationError(message)


__all__ = ["Api", "NullRunner", "RunnerSeam", "Store", "Transaction"]
