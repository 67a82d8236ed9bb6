"""All jobs that run: one thread each, found by kind and name."""

from __future__ import annotations

import threading
from typing import Any

from sagemaker_local.jobs import process
from sagemaker_local.jobs.context import Context
from sagemaker_local.jobs.job import Job
from sagemaker_local.jobs.processing import ProcessingJob
from sagemaker_local.jobs.training import TrainingJob
from sagemaker_local.jobs.transform import TransformJob
from sagemaker_local.jobs.tuning import TuningJob

KINDS: dict[str, type[Job]] = {job.kind: job for job in (ProcessingJob, TrainingJob, TransformJob)}
# In the order in which they are taken up: tuning jobs wait for training jobs.
_TITLES = {**{kind: job.title for kind, job in KINDS.items()}, TuningJob.kind: TuningJob.title}
_JOIN_SECONDS = 10.0


class Jobs:
    """Starts jobs, stops them, takes up what a former server left. Thread-safe."""

    def __init__(self, context: Context) -> None:
        """Prepare."""
        self._context = context
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], tuple[Job | TuningJob, threading.Thread]] = {}
        self._closed = False

    def begin(self, kind: str, name: str) -> None:
        """Start a job that stands in the store; one that runs already is left alone."""
        with self._lock:
            if self._closed or (kind, name) in self._running:
                return
            job = self._made(kind, name)
            thread = threading.Thread(target=self._run, args=(kind, name, job), name=f"{kind} {name}", daemon=True)
            self._running[kind, name] = (job, thread)
        thread.start()

    def stop(self, kind: str, name: str) -> None:
        """End a job that stands in the store as Stopping."""
        with self._lock:
            running = self._running.get((kind, name))
        if running is not None:
            running[0].stop()

    def kill_after(self, kind: str, name: str, seconds: float) -> None:
        """Have a job's processes killed so many seconds after its command began."""
        with self._lock:
            running = self._running.get((kind, name))
        if running is not None:
            running[0].kill_after(seconds)

    def wait(self, kind: str, name: str) -> None:
        """Return when a job has ended (or the server ends)."""
        with self._lock:
            running = self._running.get((kind, name))
        if running is not None:
            running[0].finished.wait()

    def recover(self) -> None:
        """Take up every job that had not ended."""
        for kind, title in _TITLES.items():
            for status in ("InProgress", "Stopping"):
                with self._context.api.store.read() as tx:
                    found: list[dict[str, Any]] = tx.find(kind, f"{title}Status", status)
                for document in found:
                    self.begin(kind, document[f"{title}Name"])

    def shutdown(self) -> None:
        """End all groups at once, leaving documents as they are: the next server says what became of them."""
        with self._lock:
            self._closed = True
            running = list(self._running.values())
        for job, _ in running:
            job.abandon()
        for _, thread in running:
            thread.join(_JOIN_SECONDS)
        process.close()

    def _made(self, kind: str, name: str) -> Job | TuningJob:
        if kind == TuningJob.kind:
            return TuningJob(self._context, name, self.wait, self.kill_after)
        return KINDS[kind](self._context, name)

    def _run(self, kind: str, name: str, job: Job | TuningJob) -> None:
        try:
            job.run()
        finally:
            with self._lock:
                self._running.pop((kind, name), None)
