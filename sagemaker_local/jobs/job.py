"""The life of one job, the same for all kinds: fetch, run on record, finish, tell.

What is in the store decides after a restart (`_local` of the job's document): no ``processes`` means that the command
never began, so the job starts from the beginning; ``processes`` without ``exit_code`` means that it was cut off, so it
fails; an ``exit_code`` means that only its end is left to do, which can be done again.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from sagemaker_local.jobs import isolation, lacking, objects, process
from sagemaker_local.jobs.context import Context
from sagemaker_local.jobs.errors import JobFailedError, JobStoppedError
from sagemaker_local.jobs.instances import Group, Instance, Launch, instances
from sagemaker_local.jobs.logs import LogStream
from sagemaker_local.runtimes.table import Runtime

Document = dict[str, Any]

LOST = (
    "InternalServerError: The local SageMaker ended while the job ran; what was left of its process was ended. "
    "Start the job again."
)


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
        self.directory = context.directory / self.runtime_kind / name
        self.finished = threading.Event()
        self.runtime: Runtime | None = None
        self.role = ""
        self.instances: list[Instance] = []
        self._lock = threading.Lock()
        self._group = Group()
        self._failed_rank = 0
        self._image = ""
        self._own_entrypoint = False
        self._stopping = False
        self._abandoned = False
        self._timed_out: str | None = None
        self._logs: list[LogStream] = []
        self._missing_modules: dict[int, str] = {}

    # What differs between kinds.

    @abstractmethod
    def count(self, document: Document) -> int:
        """Return how many instances the job asks for."""

    @abstractmethod
    def begin(self, document: Document) -> None:
        """Look at the request once, before the instances are prepared."""

    @abstractmethod
    def prepare(self, document: Document, instance: Instance) -> Launch:
        """Fetch what an instance needs and say what to run on it."""

    @abstractmethod
    def complete(self, document: Document, exit_code: int) -> Document:
        """Store what the job left; return the members that change with its success.

        Raises:
            JobFailedError: it did not succeed.
        """

    def release(self, document: Document) -> None:
        """Store what is kept however the job's processes ended, once they have; most kinds keep nothing."""
        del document

    def limits(self, document: Document) -> dict[str, float]:
        """Return the seconds from now that each limit leaves to the job's processes, by what exceeds it."""
        limit = (document.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
        return {"MaxRuntimeExceeded": float(limit)} if limit else {}

    def running(self) -> list[Callable[[], None]]:
        """Begin what goes on beside the processes; return what ends each."""
        return []

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
        """Look at a line of the first instance's output; most kinds have nothing to see."""
        del line

    @property
    def isolation(self) -> str:
        """How the job comes to see its directory as ``/opt/ml``."""
        return "rewrite" if self.runtime is None else self.runtime.isolation

    @property
    def end_prefix(self) -> str:
        """``Processing`` in ProcessingEndTime."""
        return self.title.removesuffix("Job")

    @property
    def s3(self) -> Any:
        """The client."""
        return self.context.clients.get("s3", self.role)

    # The life.

    def run(self) -> None:
        """Live the whole life; never raises."""
        try:
            document = self.document()
            self.role = str(document.get("RoleArn", ""))
            self._live(document)
        except JobStoppedError:
            self._conclude("Stopped", None)
        except JobFailedError as error:
            self._conclude("Failed", str(error))
        except Exception as error:  # noqa: BLE001 - a bug of ours ends the job, never the server, and is told in full
            traceback.print_exc(file=sys.stderr)
            self._conclude("Failed", f"InternalServerError: sagemaker_local failed: {error!r}")
        finally:
            self._close_logs()
            self.finished.set()

    def stop(self) -> None:
        """End the job's groups: SIGTERM, and SIGKILL after a while."""
        with self._lock:
            self._stopping = True
            self._group.terminate()

    def abandon(self) -> None:
        """End the job's groups at once and leave its document as it is: the server ends."""
        with self._lock:
            self._abandoned = True
            self._group.kill()

    def kill_after(self, seconds: float) -> None:
        """Have the job's group killed so many seconds after its command began, as when its instance is lost."""

        def kill() -> None:
            while not self._group.started.wait(0.1):
                if self.finished.is_set():
                    return
            if not self.finished.wait(seconds):
                self._group.lose()

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

    def say(self, line: str, rank: int = 0) -> None:
        """Add a line to the log of an instance."""
        if rank < len(self._logs):
            self._logs[rank].write(line)

    def _live(self, document: Document) -> None:
        local = document["_local"]
        if document[f"{self.title}Status"] == "Stopping":
            self._stopping = True
        if "exit_code" not in local:
            if "processes" in local:
                for pid, identity, marker, container in local["processes"]:
                    process.end_leftover(pid, identity, marker)
                    if container:
                        process.end_all(pid, marker, container)
                if self._stopping:
                    raise JobStoppedError
                raise JobFailedError(LOST)
            shutil.rmtree(self.directory, ignore_errors=True)
            self.check_stop()
            exit_code = self._execute(document)
        else:
            self.instances = instances(self.directory, max(1, len(local["processes"])))
            exit_code = local["exit_code"]
            self._timed_out = local.get("timed_out")
            self._failed_rank = local.get("failed_rank", 0)
        self._finish(exit_code)

    def _execute(self, document: Document) -> int:
        # The first instance's log stands before the request is looked at: what is wrong with it is told there too.
        self._open_log("algo-1")
        self.begin(document)
        count = self.count(document)
        self.instances = instances(self.directory, count)
        for instance in self.instances[1:]:
            self._open_log(instance.host)
        launches: list[Launch] = []
        for instance in self.instances:
            instance.layout.create()
            instance.layout.rewriting = self.isolation == "rewrite"
            launches.append(self.prepare(document, instance))
        try:
            for instance, launch in zip(self.instances, launches, strict=True):
                self._start(instance, launch, f"{document[f'{self.title}Arn']}/{instance.host}")
        except BaseException:
            self._group.kill()
            raise
        self.update(self._record)
        timers = [self._timer(reason, seconds) for reason, seconds in self.limits(document).items()]
        closers = self.running()
        exit_code = self._group.run()
        for timer in timers:
            timer.cancel()
        for close in closers:
            close()
        if self._abandoned:
            raise JobStoppedError
        self._failed_rank = self._group.failed or 0
        self.update(
            lambda body: body["_local"].update(
                exit_code=exit_code, timed_out=self._timed_out, failed_rank=self._failed_rank
            )
        )
        return exit_code

    def _start(self, instance: Instance, launch: Launch, marker: str) -> None:
        layout = instance.layout
        if self.isolation == "bubblewrap":
            launch = isolation.bubblewrapped(launch, instance)
        elif self.isolation == "docker":
            name = isolation.container_name(marker)
            launch = isolation.docked(launch, instance, self._image, name, own_entrypoint=self._own_entrypoint)
        environment = layout.environment(
            launch.environment,
            endpoint_url=self.context.clients.endpoint_url,
            region=self.context.clients.region,
            marker=marker,
            role_arn=self.role,
        )
        layout.rewrite_scripts(launch.command)
        command = [layout.rewrite(part) for part in launch.command]
        with self._lock:
            self.check_stop()
            self._group.add(
                process.Process(
                    command,
                    environment,
                    launch.cwd,
                    lambda line: self._on_line(instance.rank, line),
                    launch.container,
                )
            )

    def _record(self, body: Document) -> None:
        body["_local"].update(
            processes=[[each.pid, each.identity, each.marker, each.container] for each in self._group]
        )
        self.began(body)

    def _timer(self, reason: str, seconds: float) -> threading.Timer:
        timer = threading.Timer(min(max(seconds, 0.0), threading.TIMEOUT_MAX), self._time_out, [reason])
        timer.daemon = True
        timer.start()
        return timer

    def _finish(self, exit_code: int) -> None:
        document = self.document()
        self.release(document)
        if self._stopping:
            raise JobStoppedError
        if self._timed_out:
            self._conclude("Stopped", self._exceeded(document, self._timed_out))
            return
        changes = self.complete(document, exit_code)
        self._conclude("Completed", None, changes)
        shutil.rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def _exceeded(document: Document, reason: str) -> str:
        member = reason.replace("Exceeded", "InSeconds")
        limit = document["StoppingCondition"][member]
        return (
            f"{reason}: The job ran longer than {member} = {limit} of its StoppingCondition and was ended. "
            "Raise that limit, or make the job's input smaller."
        )

    def _conclude(self, status: str, reason: str | None, changes: Document | None = None) -> None:
        if self._abandoned:
            return
        if reason is not None:
            self.say(reason)
        # The log is complete before the job is: who sees the end of a job can read all it said.
        self._close_logs()

        def change(document: Document) -> None:
            document.update(changes or {})
            self.ended(document, status, reason)
            document["_local"].pop("processes", None)

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

    def _time_out(self, reason: str) -> None:
        with self._lock:
            self._timed_out = self._timed_out or reason
            self._group.terminate()

    def _on_line(self, rank: int, line: str) -> None:
        if rank == 0:
            self.observe(line)
        if line.strip():
            # Only as the last thing that an instance says is it what ended it.
            self._missing_modules[rank] = lacking.module_of(line) or ""
        self.say(line, rank)

    def _open_log(self, host: str) -> None:
        self._logs.append(LogStream(self.context.clients.get("logs", self.role), self.group, self.stream(host)))

    def stream(self, host: str) -> str:
        """Return the name of an instance's log stream, as AWS writes it."""
        return f"{self.name}/{host}-{int(time.time())}"

    def _close_logs(self) -> None:
        for log in self._logs:
            log.close()
        self._logs = []

    # What kinds share.

    def fetch_channel(
        self, source: Document, instance: Instance, target: Path, role: str, *, unzip: bool = False
    ) -> list[str]:
        """Fetch what an S3 data source names into a directory; return the relative paths, in S3's order.

        Of a source that is ShardedByS3Key an instance gets its share of the objects.
        """
        uri, data_type = source["S3Uri"], source.get("S3DataType", "S3Prefix")
        if data_type == "ManifestFile":
            pairs = objects.manifest_keys(self.s3, uri)
        elif data_type == "S3Prefix":
            bucket, prefix = objects.split_uri(uri)
            keys = objects.list_keys(self.s3, uri, role, self.context.clients.region)
            pairs = [(f"s3://{bucket}/{key}", objects.relative(key, prefix)) for key in keys]
        else:
            raise JobFailedError(f"ClientError: S3DataType {data_type} is not run here; use S3Prefix or ManifestFile.")
        if source.get("S3DataDistributionType") == "ShardedByS3Key":
            pairs = instance.share(pairs)
        target.mkdir(parents=True, exist_ok=True)
        wanted = [(each, objects.below(target, path)) for each, path in pairs]
        objects.download(self.s3, wanted, self.check_stop, unzip=unzip)
        return [path for _, path in pairs]

    @property
    def failed(self) -> Instance:
        """The instance that failed first, or the first one."""
        return self.instances[self._failed_rank]

    def failure_of(self, exit_code: int, message: str, *, client: bool = False) -> JobFailedError:
        """Return the error for an exit code that is not 0."""
        kind = "ClientError" if client else "AlgorithmError"
        said = message or self._lacking() or f"See job logs for more information ({self.group}, streams {self.name}/)"
        return JobFailedError(f"{kind}: {said}"[:990] + f", exit code: {exit_code}")

    def _lacking(self) -> str:
        """Return what to do about a module that is missing, if that ended the job."""
        own = self.runtime is not None and self.runtime.interpreter in {"", "${PYTHON}"}
        module = next(filter(None, self._missing_modules.values()), "")
        return lacking.advice(module, self._image, self.context.runtimes.path, own=own) if module else ""

    def command(self, image: str, entrypoint: list[str]) -> list[str]:
        """Return what to run for an image."""
        self.runtime = self.context.runtimes.find(image, self.runtime_kind)
        self._image, self._own_entrypoint = image, bool(entrypoint)
        return self.context.runtimes.command(self.runtime, entrypoint, image)

    def runtime_environment(self) -> Document:
        """Return what the runtime adds to the environment."""
        runtime = self.runtime
        if runtime is None:
            return {}
        return self.context.runtimes.environment(runtime)
