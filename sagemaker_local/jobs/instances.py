"""The instances of a job: each a process group with a directory of its own that looks like a container from inside."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local.jobs.layout import Layout
from sagemaker_local.jobs.process import Process

# How long a job may take to end by itself after SIGTERM.
GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Launch:
    """What to run on an instance; `container` is the name of the one that the command starts, if it starts one."""

    command: list[str]
    environment: dict[str, str]
    cwd: Path
    container: str = ""


@dataclass(frozen=True)
class Instance:
    """One host of a job.

    Attributes:
        rank: from 0.
        count: how many hosts the job has.
        layout: its files.
    """

    rank: int
    count: int
    layout: Layout

    @property
    def host(self) -> str:
        """The name that SageMaker gives it."""
        return f"algo-{self.rank + 1}"

    def share(self, items: Sequence[Any]) -> list[Any]:
        """Return this instance's part of objects that are sharded by their keys."""
        return list(items[self.rank :: self.count])

    def resource_config(self, instance_type: str, count: int | None = None) -> dict[str, Any]:
        """Return ``resourceconfig.json``; all hosts are this machine.

        Args:
            instance_type: that of the request.
            count: how many hosts it names, where one process stands for all of them.
        """
        hosts = [f"algo-{number}" for number in range(1, (count or self.count) + 1)]
        group = "homogeneousCluster"
        return {
            "current_host": self.host,
            "current_instance_type": instance_type,
            "current_group_name": group,
            "hosts": hosts,
            "instance_groups": [
                {"instance_group_name": group, "instance_type": instance_type, "hosts": hosts},
            ],
            "network_interface_name": "lo",
        }


def instances(directory: Path, count: int) -> list[Instance]:
    """Return the instances of a job, each with its place below the job's directory."""
    return [Instance(rank, count, Layout(directory / f"algo-{rank + 1}")) for rank in range(count)]


class Group:
    """The processes of all instances of a job. The first that fails ends the others, as SageMaker does."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._processes: list[Process] = []
        self._codes: dict[int, int] = {}
        self.failed: int | None = None
        self.started = threading.Event()

    def __iter__(self) -> Iterator[Process]:
        """Go through the processes, by rank."""
        return iter(list(self._processes))

    def add(self, process: Process) -> None:
        """Add the process of the next rank."""
        self._processes.append(process)

    def run(self) -> int:
        """Let all begin, wait for all, return the exit code: that of the first that failed, else 0."""
        for process in self._processes:
            process.go()
        self.started.set()
        others = [
            threading.Thread(target=self._wait, args=(rank,), daemon=True) for rank in range(1, len(self._processes))
        ]
        for thread in others:
            thread.start()
        self._wait(0)
        for thread in others:
            thread.join()
        return 0 if self.failed is None else self._codes[self.failed]

    def terminate(self) -> None:
        """End all: SIGTERM, and SIGKILL after a while."""
        for process in self:
            process.signal(signal.SIGTERM)
            killer = threading.Timer(GRACE_SECONDS, process.signal, [signal.SIGKILL])
            killer.daemon = True
            killer.start()

    def lose(self) -> None:
        """Kill what still runs, as when the instances are lost."""
        for process in self:
            process.signal(signal.SIGKILL)

    def kill(self) -> None:
        """End all at once."""
        for process in self:
            process.kill()

    def _wait(self, rank: int) -> None:
        code = self._processes[rank].wait()
        with self._lock:
            self._codes[rank] = code
            first = code != 0 and self.failed is None
            if first:
                self.failed = rank
        if first and len(self._processes) > 1:
            self.terminate()


class Watch:
    """Calls a function again and again in a thread until it is closed, and once more then."""

    def __init__(self, function: Callable[[], None], seconds: float, name: str) -> None:
        """Begin.

        Args:
            function: what to do; it must not raise.
            seconds: between two calls.
            name: of the thread.
        """
        self._function = function
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._function()
