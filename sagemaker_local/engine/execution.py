"""One execution: starts each step as soon as what it waits for has ended, until nothing is left to start.

After a failure no further step starts, except those that ask for it (DependsOn with the Trigger Failed or Any); steps
that run are let finish. All state is in the store: `run` begins the same way for a new execution and for one that a
former server left, whose finished steps are kept.
"""

from __future__ import annotations

import queue
import sys
import threading
import traceback
from typing import Any

from sagemaker_local.engine.context import JOB_TITLES, ExecutionContext
from sagemaker_local.engine.errors import EngineClosedError, StepFailedError, StepStoppedError
from sagemaker_local.engine.graph import Step
from sagemaker_local.engine.jobs import stop_job
from sagemaker_local.engine.steps import run_step

Document = dict[str, Any]

FAILURE = "Step failure: One or many steps failed."
_FINAL = ("Succeeded", "Failed", "Stopped")
_MAX_REASON = 1024
_DEFAULT_PARALLEL = 50  # AWS's default of steps at a time


class Execution:
    """Runs in one thread, with one more for each step that runs."""

    def __init__(self, context: ExecutionContext) -> None:
        """Prepare; nothing happens before `run`."""
        self._context = context
        self._events: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._running: set[str] = set()
        self._outcomes: dict[str, str] = {}  # of Condition steps that have succeeded
        self._statuses: dict[str, str] = {}

    def run(self) -> None:
        """Run to the end; the execution's document tells how it came out."""
        try:
            self._take_up()
            self._schedule()
        except EngineClosedError:
            return
        except Exception as error:  # noqa: BLE001 - a bug of ours fails the execution, never the server, and is told
            traceback.print_exc(file=sys.stderr)
            self._end("Failed", f"Internal failure of sagemaker_local: {error!r}")

    def stop(self) -> None:
        """Begin to stop: no further step starts, running jobs are stopped."""
        self._context.stopping.set()
        for step in self._context.mark_stopping():
            job = step["_local"].get("job")
            if job and self._exists(*job):
                stop_job(self._context, *job)
        self._context.wake()
        self._events.put(None)

    def close(self) -> None:
        """End the threads and leave the documents as they are: the server ends."""
        self._context.closing.set()
        self._context.stopping.set()
        self._context.wake()
        self._events.put(None)

    def answered(self, step: str) -> None:
        """Wake a Callback step: its answer is in the store."""
        self._context.signal(step).set()

    def _take_up(self) -> None:
        if self._context.execution["PipelineExecutionStatus"] == "Stopping":
            self.stop()
        for step in self._documents():
            name, status = step["StepName"], step["StepStatus"]
            if status in _FINAL:
                self._settle(name, status, step)
            elif status == "Stopping":
                self._context.stopping.set()
        self._check_unfinished()

    def _check_unfinished(self) -> None:
        """Begin again to wait for steps that ran when a former server ended."""
        for step in self._documents():
            if step["StepStatus"] not in _FINAL and not self._context.closing.is_set():
                self._launch(self._context.steps[step["StepName"]], resumed=True)

    def _schedule(self) -> None:
        while True:
            if not self._context.stopping.is_set():
                for step in self._ready():
                    self._launch(step)
            if not self._running:
                break
            name = self._events.get()
            if self._context.closing.is_set():
                raise EngineClosedError
            if name is not None:
                self._running.discard(name)
                document = self._context.read_step(name) or {}
                self._settle(name, document["StepStatus"], document)
        if self._context.closing.is_set():
            raise EngineClosedError
        self._conclude()

    def _settle(self, name: str, status: str, document: Document) -> None:
        self._statuses[name] = status
        outcome = document.get("Metadata", {}).get("Condition", {}).get("Outcome")
        if status == "Succeeded" and outcome is not None:
            self._outcomes[name] = outcome

    def _ready(self) -> list[Step]:
        unhandled = self._unhandled_failures()
        parallel = self._parallel()
        found: list[Step] = []
        for step in self._context.scheduled.values():
            if len(found) + len(self._running) >= parallel:
                break
            if step.name in self._statuses or step.name in self._running:
                continue
            if step.condition is not None and self._outcomes.get(step.condition) != step.branch:
                continue
            if unhandled:
                continue
            if all(self._statuses.get(name) in wanted for name, wanted in step.waits_for.items()):
                found.append(step)
        return found

    def _parallel(self) -> int:
        """Return how many steps may run at a time; UpdatePipelineExecution may have changed it."""
        with self._context.api.store.read() as tx:
            document = tx.get("pipeline_execution", self._context.arn) or {}
        return int((document.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps", _DEFAULT_PARALLEL))

    def _unhandled_failures(self) -> list[str]:
        handled = {
            name
            for step in self._context.scheduled.values()
            for name, wanted in step.waits_for.items()
            if self._statuses.get(name) in wanted
        }
        return [name for name, status in self._statuses.items() if status == "Failed" and name not in handled]

    def _launch(self, step: Step, *, resumed: bool = False) -> None:
        if not resumed:
            self._context.update_step(step.name, **self._first(step))
        self._running.add(step.name)
        threading.Thread(target=self._run_step, args=(step,), name=f"step {step.name}", daemon=True).start()

    def _first(self, step: Step) -> Document:
        body = step.body
        shown = {"StepDisplayName": body.get("DisplayName"), "StepDescription": body.get("Description")}
        return {
            **{member: value for member, value in shown.items() if value},
            "StartTime": self._context.api.clock(),
            "StepStatus": "Executing",
            "AttemptCount": 1,
        }

    def _run_step(self, step: Step) -> None:
        status, reason = "Succeeded", None
        try:
            run_step(self._context, step)
        except EngineClosedError:
            self._events.put(None)
            return
        except StepStoppedError:
            status = "Stopped"
        except StepFailedError as error:
            status, reason = "Failed", str(error)[:_MAX_REASON]
        except Exception as error:  # noqa: BLE001 - a bug of ours fails the step, never the server, and is told
            traceback.print_exc(file=sys.stderr)
            status, reason = "Failed", f"Internal failure of sagemaker_local: {error!r}"[:_MAX_REASON]
        if self._context.closing.is_set():
            self._events.put(None)
            return
        self._context.update_step(step.name, StepStatus=status, EndTime=self._context.api.clock(), FailureReason=reason)
        self._events.put(step.name)

    def _conclude(self) -> None:
        failed = [name for name, status in self._statuses.items() if status == "Failed"]
        with self._context.api.store.read() as tx:
            document = tx.get("pipeline_execution", self._context.arn) or {}
        if self._context.stopping.is_set() or document.get("PipelineExecutionStatus") == "Stopping":
            self._end("Stopped", None)
        elif self._unhandled_failures() or "Stopped" in self._statuses.values():
            self._end("Failed", FAILURE)
        elif failed:
            self._end("CompletedWithFailures", None)
        else:
            self._end("Succeeded", None)

    def _end(self, status: str, reason: str | None) -> None:
        with self._context.api.store.transaction() as tx:
            document = tx.get("pipeline_execution", self._context.arn)
            if document is None:
                return
            document["PipelineExecutionStatus"] = status
            document["LastModifiedTime"] = self._context.api.clock()
            if reason is not None:
                document["FailureReason"] = reason
            tx.put("pipeline_execution", self._context.arn, document)

    def _documents(self) -> list[Document]:
        with self._context.api.store.read() as tx:
            return tx.list("step", self._context.arn)

    def _exists(self, kind: str, name: str) -> bool:
        if kind not in JOB_TITLES:
            return False
        with self._context.api.store.read() as tx:
            return tx.get(kind, name) is not None
