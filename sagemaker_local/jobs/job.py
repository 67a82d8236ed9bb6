"""The life of one job, the same for all kinds: fetch, run on record, finish, tell.

What is in the store decides after a restart (`_local` of the job's document): no ``pid`` means that the command never
began, so the job starts from the beginning; a ``pid`` without ``exit_code`` means that it was cut off, so it fails;
an ``exit_code`` means that only its end is left to do, which can be done again.
"""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sagemaker_local.jobs import objects, process
from sagemaker_local.jobs.context import Context
from sagemaker_local.jobs.errors import JobFailedError, JobStoppedError
from sagemaker_local.jobs.layout import Layout
from sagemaker_local.jobs.logs import LogStream
from sagemaker_local.runtimes.table import Runtime

Document = dict[str, Any]

# How long a job may take to end by itself after SIGTERM.
GRACE_SECONDS = 10.0
LOST = (
    "InternalServerError: The local SageMaker ended while the job ran; what was left of its process was ended. "
    "Start the job again."
)


@dataclass(frozen=True)
class Launch:
    """What to run for a job."""

    command: list[str]
    environment: dict[str, str]
    cwd: Path


class Job(ABC):
    """One job. `run` is called once, in a thread of its own; `stop` and `abandon` by any other."""

    kind: ClassVar[str]  # in the store
    title: ClassVar[str]  # in AWS's members
    group: ClassVar[str]  # of its log
    runtime_kind: ClassVar[str]

    def __init__(self, context: Context, name: str) -> None:
        """Prepare; nothing happens before `run`."""
        self.context = context
        self.name = name
        self.layout = Layout(context.directory / self.runtime_kind / name)
        self.finished = threading.Event()
        self.runtime: Runtime | None = None
        self._lock = threading.Lock()
        self._process: process.Process | None = None
        self._stopping = False
        self._abandoned = False
        self._timed_out = False
        self._started = threading.Event()
        self._log: LogStream | None = None

    # What differs between kinds.

    @abstractmethod
    def prepare(self, document: Document) -> Launch:
        """Fetch what the job needs and say what to run."""

    @abstractmethod
    def complete(self, document: Document, exit_code: int) -> Document:
        """Store what the job left; return the members that change with its success.

        Raises:
            JobFailedError: it did not succeed.
        """

    def ended(self, document: Document, status: str, reason: str | None) -> None:
        """Change a document for its end; kinds add what they show besides status and reason."""
        document[f"{self.title}Status"] = status
        document[f"{self.end_prefix}EndTime"] = self.context.api.clock()
        if reason is not None:
            document["FailureReason"] = reason[:1024]

    def began(self, document: Document) -> None:
        """Change a document for the begin of its command."""
        document[f"{self.end_prefix}StartTime"] = self.context.api.clock()

    def observe(self, line: str) -> None:
        """Look at a line of the job's output; most kinds have nothing to see."""
        del line

    @property
    def end_prefix(self) -> str:
        """``Processing`` in ProcessingEndTime."""
        return self.title.removesuffix("Job")

    @property
    def s3(self) -> Any:
        """The client."""
        return self.context.clients.get("s3")

    # The life.

    def run(self) -> None:
        """Live the whole life; never raises."""
        try:
            self._live(self.document())
        except JobStoppedError:
            self._conclude("Stopped", None)
        except JobFailedError as error:
            self._conclude("Failed", str(error))
        except Exception as error:  # noqa: BLE001 - a bug of ours ends the job, never the server, and is told in full
            traceback.print_exc(file=sys.stderr)
            self._conclude("Failed", f"InternalServerError: sagemaker_local failed: {error!r}")
        finally:
            self._close_log()
            self.finished.set()

    def stop(self) -> None:
        """End the job's group: SIGTERM, and SIGKILL after a while."""
        with self._lock:
            self._stopping = True
            self._end_process()

    def abandon(self) -> None:
        """End the job's group at once and leave its document as it is: the server ends."""
        with self._lock:
            self._abandoned = True
            if self._process is not None:
                process.end_group(self._process.pid)

    def kill_after(self, seconds: float) -> None:
        """Have the job's group killed so many seconds after its command began, as when its instance is lost."""

        def kill() -> None:
            while not self._started.wait(0.1):
                if self.finished.is_set():
                    return
            if not self.finished.wait(seconds):
                with self._lock:
                    if self._process is not None:
                        self._process.signal(signal.SIGKILL)

        threading.Thread(target=kill, name=f"kill {self.name}", daemon=True).start()

    def document(self) -> Document:
        """Return the job's document."""
        with self.context.api.store.read() as tx:
            document = tx.get(self.kind, self.name)
        if document is None:
            raise RuntimeError(f"The {self.kind} {self.name} is gone from the store.")
        return document

    def check_stop(self) -> None:
        """Raise JobStoppedError when the job shall not go on."""
        if self._stopping or self._abandoned:
            raise JobStoppedError

    def say(self, line: str) -> None:
        """Add a line to the job's log."""
        if self._log is not None:
            self._log.write(line)

    def _live(self, document: Document) -> None:
        local = document["_local"]
        if document[f"{self.title}Status"] == "Stopping":
            self._stopping = True
        if "exit_code" not in local:
            if "pid" in local:
                process.end_leftover(local["pid"], local["identity"], local["marker"])
                if self._stopping:
                    raise JobStoppedError
                raise JobFailedError(LOST)
            shutil.rmtree(self.layout.directory, ignore_errors=True)
            self.layout.create()
            self._open_log()
            self.check_stop()
            exit_code = self._execute(self.prepare(document), document)
        else:
            exit_code = local["exit_code"]
            self._timed_out = local.get("timed_out", False)
        self._finish(exit_code)

    def _execute(self, launch: Launch, document: Document) -> int:
        marker = document[f"{self.title}Arn"]
        environment = self.layout.environment(
            launch.environment,
            endpoint_url=self.context.clients.endpoint_url,
            region=self.context.clients.region,
            marker=marker,
        )
        command = [self.layout.rewrite(part) for part in launch.command]
        with self._lock:
            self.check_stop()
            self._process = process.Process(command, environment, launch.cwd, self._on_line)
        started = self._process

        def record(body: Document) -> None:
            body["_local"].update(pid=started.pid, identity=started.identity, marker=marker)
            self.began(body)

        self.update(record)
        limit = (document.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
        timer = threading.Timer(min(limit, threading.TIMEOUT_MAX), self._time_out) if limit else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        started.go()
        self._started.set()
        exit_code = started.wait()
        if timer is not None:
            timer.cancel()
        if self._abandoned:
            raise JobStoppedError
        self.update(lambda body: body["_local"].update(exit_code=exit_code, timed_out=self._timed_out))
        return exit_code

    def _finish(self, exit_code: int) -> None:
        if self._stopping:
            raise JobStoppedError
        document = self.document()
        if self._timed_out:
            limit = document["StoppingCondition"]["MaxRuntimeInSeconds"]
            self._conclude(
                "Stopped",
                f"MaxRuntimeExceeded: The job ran longer than MaxRuntimeInSeconds = {limit} of its StoppingCondition "
                "and was ended. Raise that limit, or make the job's input smaller.",
            )
            return
        changes = self.complete(document, exit_code)
        self._conclude("Completed", None, changes)
        shutil.rmtree(self.layout.directory, ignore_errors=True)

    def _conclude(self, status: str, reason: str | None, changes: Document | None = None) -> None:
        if self._abandoned:
            return
        if reason is not None:
            self.say(reason)
        # The log is complete before the job is: who sees the end of a job can read all it said.
        self._close_log()

        def change(document: Document) -> None:
            document.update(changes or {})
            self.ended(document, status, reason)
            document["_local"].pop("pid", None)

        self.update(change)

    def update(self, change: Callable[[Document], None]) -> None:
        """Change the job's document in one transaction."""
        with self.context.api.store.transaction() as tx:
            document = tx.get(self.kind, self.name)
            if document is None:
                return
            change(document)
            if "LastModifiedTime" in document:
                document["LastModifiedTime"] = self.context.api.clock()
            tx.put(self.kind, self.name, document)

    def _time_out(self) -> None:
        with self._lock:
            self._timed_out = True
            self._end_process()

    def _end_process(self) -> None:
        running = self._process
        if running is None:
            return
        running.signal(signal.SIGTERM)
        killer = threading.Timer(GRACE_SECONDS, running.signal, [signal.SIGKILL])
        killer.daemon = True
        killer.start()

    def _on_line(self, line: str) -> None:
        self.observe(line)
        self.say(line)

    def _open_log(self) -> None:
        self._log = LogStream(self.context.clients.get("logs"), self.group, self.stream())

    def stream(self) -> str:
        """Return the name of the job's log stream, as AWS writes it."""
        return f"{self.name}/algo-1-{int(time.time())}"

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    # What kinds share.

    def fetch_channel(self, source: Document, target: Path, role: str, *, unzip: bool = False) -> list[str]:
        """Fetch what an S3 data source names into a directory; return the relative paths, in S3's order."""
        uri, data_type = source["S3Uri"], source.get("S3DataType", "S3Prefix")
        if data_type == "ManifestFile":
            pairs = objects.manifest_keys(self.s3, uri)
        elif data_type == "S3Prefix":
            bucket, prefix = objects.split_uri(uri)
            keys = objects.list_keys(self.s3, uri, role, self.context.clients.region)
            pairs = [(f"s3://{bucket}/{key}", objects.relative(key, prefix)) for key in keys]
        else:
            raise JobFailedError(f"ClientError: S3DataType {data_type} is not run here; use S3Prefix or ManifestFile.")
        target.mkdir(parents=True, exist_ok=True)
        objects.download(self.s3, [(each, target / path) for each, path in pairs], self.check_stop, unzip=unzip)
        return [path for _, path in pairs]

    def failure_of(self, exit_code: int, message: str, *, client: bool = False) -> JobFailedError:
        """Return the error for an exit code that is not 0."""
        kind = "ClientError" if client else "AlgorithmError"
        said = message or f"See job logs for more information ({self.group}, streams {self.name}/)"
        return JobFailedError(f"{kind}: {said}"[:990] + f", exit code: {exit_code}")

    def command(self, image: str, entrypoint: list[str]) -> list[str]:
        """Return what to run for an image."""
        self.runtime = self.context.runtimes.find(image, self.runtime_kind)
        return self.context.runtimes.command(self.runtime, entrypoint, image)

    def runtime_environment(self) -> Document:
        """Return what the runtime adds to the environment."""
        runtime = self.runtime
        if runtime is None:
            return {}
        return {name: self.context.runtimes.expand(value) for name, value in runtime.environment.items()}
