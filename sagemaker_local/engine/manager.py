"""All executions that run: one thread each, found by ARN."""

from __future__ import annotations

import json
import threading
from typing import Any

from sagemaker_local import parameters
from sagemaker_local.api import Api
from sagemaker_local.engine.context import ExecutionContext
from sagemaker_local.engine.execution import Execution
from sagemaker_local.engine.graph import build
from sagemaker_local.engine.selective import narrow
from sagemaker_local.jobs.clients import Clients
from sagemaker_local.jobs.manager import Jobs

_JOIN_SECONDS = 10.0


class Executions:
    """Starts executions, stops them, takes up what a former server left. Thread-safe."""

    def __init__(self, api: Api, jobs: Jobs, clients: Clients) -> None:
        """Prepare."""
        self._api = api
        self._jobs = jobs
        self._clients = clients
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Execution, threading.Thread]] = {}
        self._closed = False

    def begin(self, arn: str) -> None:
        """Start an execution that stands in the store, or go on with it."""
        with self._lock:
            if self._closed or arn in self._running:
                return
            execution = Execution(self._context(arn))
            thread = threading.Thread(target=self._run, args=(arn, execution), name=f"execution {arn}", daemon=True)
            self._running[arn] = (execution, thread)
        thread.start()

    def retry(self, arn: str) -> None:
        """Go on with an execution that ended: its steps that did not succeed were forgotten."""
        with self._lock:
            former = self._running.get(arn)
        if former is not None:
            former[1].join(_JOIN_SECONDS)  # its document is final, its thread about to end
        self.begin(arn)

    def stop(self, arn: str) -> None:
        """Stop an execution that stands in the store as Stopping."""
        with self._lock:
            running = self._running.get(arn)
        if running is not None:
            running[0].stop()

    def callback(self, arn: str, step: str) -> None:
        """Wake a Callback step whose answer stands in the store."""
        with self._lock:
            running = self._running.get(arn)
        if running is not None:
            running[0].answered(step)

    def recover(self) -> None:
        """Take up every execution that had not ended."""
        for status in ("Executing", "Stopping"):
            with self._api.store.read() as tx:
                found: list[dict[str, Any]] = tx.find("pipeline_execution", "PipelineExecutionStatus", status)
            for document in found:
                self.begin(document["PipelineExecutionArn"])

    def shutdown(self) -> None:
        """End all threads, leaving documents as they are: the next server takes them up."""
        with self._lock:
            self._closed = True
            running = list(self._running.values())
        for execution, _ in running:
            execution.close()

    def join(self) -> None:
        """Wait until the threads have ended; their jobs have been ended before."""
        with self._lock:
            running = list(self._running.values())
        for _, thread in running:
            thread.join(_JOIN_SECONDS)

    def _run(self, arn: str, execution: Execution) -> None:
        try:
            execution.run()
        finally:
            with self._lock:
                self._running.pop(arn, None)

    def _context(self, arn: str) -> ExecutionContext:
        with self._api.store.read() as tx:
            document = tx.get("pipeline_execution", arn)
            pipeline = tx.get("pipeline", arn.split("/")[1]) or {}
        if document is None:
            raise RuntimeError(f"The execution {arn} is gone from the store.")
        text = self._api.call("DescribePipelineDefinitionForExecution", {"PipelineExecutionArn": arn})
        definition = json.loads(text["PipelineDefinition"])
        given = {each["Name"]: each["Value"] for each in document["_local"]["parameters"]}
        steps = scheduled = build(definition)
        chosen = document.get("SelectiveExecutionConfig")
        if chosen is not None:
            selected = [each["StepName"] for each in chosen["SelectedSteps"]]
            scheduled = narrow(steps, selected, document["_local"]["reused"])
        values = parameters.check(definition, given)
        role = str(pipeline.get("RoleArn", ""))
        return ExecutionContext(self._api, self._jobs, self._clients, document, values, steps, scheduled, role)
