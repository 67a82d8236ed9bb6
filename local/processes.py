"""Supervised child processes: each in a session of its own, ready by a condition, ended whatever happens.

A ledger in the house's directory names what was started (pid and start time), so that `make down`, or the next start,
can end what a killed supervisor left behind.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from local import proctable
from local.errors import HouseError

POLL_SECONDS = 0.05
KILL_SECONDS = 5.0
TAIL_LINES = 15


@dataclass(frozen=True)
class Spec:
    """What to start, when it counts as ready, and how it is ended.

    `ready` is asked until it says True or `deadline` seconds have passed. `stage` orders the end: higher stages end
    first, one stage ends together. `stop` goes to the process itself; what remains of its family after `stop_seconds`
    is killed. A `task` is expected to end by itself.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    cwd: Path
    ready: Callable[[], bool] = lambda: True
    task: bool = False
    deadline: float = 60.0
    stage: int = 0
    stop: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0
    user: int | None = None
    group: int | None = None


@dataclass
class Child:
    """A started process."""

    spec: Spec
    process: subprocess.Popen[bytes]
    started: str
    started_at: float = field(default_factory=time.monotonic)
    log_offset: int = 0

    @property
    def pid(self) -> int:
        """Pid, and so process group and session."""
        return self.process.pid


class Supervisor:
    """Starts children and ends them; `marker` is the house's directory, carried in every child's environment."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.marker = str(state)
        self.children: list[Child] = []
        self.stopping = threading.Event()
        self.hurry = threading.Event()
        self._writing = threading.Lock()

    @property
    def ledger(self) -> Path:
        """File that names what was started."""
        return self.state / "processes.json"

    def launch(self, spec: Spec) -> Child:
        """Start without waiting.

        Raises:
            HouseError: the command cannot be started, or the house is being stopped.
        """
        self._refuse_when_stopping()
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        with spec.log.open("ab") as log:
            offset = log.tell()
            try:
                process = subprocess.Popen(
                    list(spec.command),
                    cwd=spec.cwd,
                    env={**spec.environment, proctable.MARKER: self.marker},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    user=spec.user,
                    group=spec.group,
                    extra_groups=None if spec.user is None else [],
                )
            except OSError as error:
                raise HouseError(
                    f"{spec.name} could not be started: {error}",
                    "The environments look incomplete: remove .venv and .venv-aws, then run make again.",
                ) from error
        entry = proctable.entry(process.pid)
        child = Child(spec, process, entry.started if entry else "", log_offset=offset)
        with self._writing:
            self.children.append(child)
            self._write_ledger()
        return child

    def wait_ready(self, child: Child) -> float:
        """Wait until the child's condition holds; return the seconds since its start.

        Raises:
            HouseError: it ended, or its deadline passed; with its last log lines.
        """
        while True:
            self._refuse_when_stopping()
            self.check()
            if child.spec.ready():
                return time.monotonic() - child.started_at
            if time.monotonic() - child.started_at > child.spec.deadline:
                raise HouseError(
                    f"{child.spec.name} was not ready within {child.spec.deadline:.0f} s.\n{tail(child)}",
                    f"Read {child.spec.log}; on a busy machine try again.",
                )
            time.sleep(POLL_SECONDS)

    def start(self, spec: Spec) -> Child:
        """Launch and wait until ready."""
        child = self.launch(spec)
        self.wait_ready(child)
        return child

    def run(self, spec: Spec) -> tuple[int, str]:
        """Run a task to its end; return its exit code and the last lines of its log.

        Raises:
            HouseError: it took longer than its deadline, or the house is being stopped.
        """
        child = self.launch(replace(spec, task=True))
        while child.process.poll() is None:
            self._refuse_when_stopping()
            if time.monotonic() - child.started_at > spec.deadline:
                raise HouseError(
                    f"{spec.name} did not end within {spec.deadline:.0f} s.\n{tail(child)}", f"Read {spec.log}."
                )
            time.sleep(POLL_SECONDS)
        with self._writing:
            self.children.remove(child)
            self._write_ledger()
        return child.process.returncode, tail(child, lines=40)

    def check(self) -> None:
        """Raise when a child has ended that nobody told to end.

        Raises:
            HouseError: names the child, its exit code and its last log lines.
        """
        for child in list(self.children):
            code = child.process.poll()
            if code is not None and not child.spec.task:
                raise HouseError(
                    f"{child.spec.name} ended unexpectedly ({_ending(code)}).\n{tail(child)}",
                    f"Read {child.spec.log}.",
                )

    def revive(self) -> list[str]:
        """Start again whatever has ended by itself; return the names."""
        names = []
        for child in list(self.children):
            if child.process.poll() is None or child.spec.task:
                continue
            with self._writing:
                self.children.remove(child)
            _kill(_targets({child.pid}, None))
            self.launch(child.spec)
            names.append(child.spec.name)
        return names

    def restart(self, name: str, number: signal.Signals = signal.SIGTERM) -> Child:
        """End a child by a signal, as a crash or a deployment does, and start it again; returns when it is ready.

        Whatever of its session outlives it, or outlasts its `stop_seconds`, is killed.

        Raises:
            HouseError: there is no such child, or it did not come up again.
        """
        child = next((child for child in self.children if child.spec.name == name), None)
        if child is None:
            raise HouseError(
                f"The house has no part {name}.", f"It has {', '.join(c.spec.name for c in self.children)}."
            )
        with self._writing:
            self.children.remove(child)
        proctable.send(child.pid, number)
        until = time.monotonic() + child.spec.stop_seconds
        while child.process.poll() is None and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        _kill(_targets({child.pid}, None))
        child.process.wait()
        return self.start(child.spec)

    def stop_all(self) -> None:
        """End every child, stage by stage, and every process that carries the house's marker."""
        self.stopping.set()
        for stage in sorted({child.spec.stage for child in self.children}, reverse=True):
            self._stop_stage([child for child in self.children if child.spec.stage == stage])
        self.children.clear()
        _kill(_targets(set(), self.marker))
        self.ledger.unlink(missing_ok=True)

    def _stop_stage(self, children: list[Child]) -> None:
        family = _targets({child.pid for child in children}, None)
        for child in children:
            if child.process.poll() is None:
                proctable.send(child.pid, child.spec.stop)
        begun = time.monotonic()
        waited_for = children
        while waited_for and not self.hurry.is_set():
            time.sleep(POLL_SECONDS)
            passed = time.monotonic() - begun
            waited_for = [c for c in waited_for if c.process.poll() is None and passed < c.spec.stop_seconds]
        _kill({**family, **_targets({child.pid for child in children}, None)})
        for child in children:
            child.process.wait()

    def _refuse_when_stopping(self) -> None:
        if self.stopping.is_set():
            raise HouseError("The house is being stopped.", "Start it again when it is down.")

    def _write_ledger(self) -> None:
        rows = [{"name": child.spec.name, "pid": child.pid, "started": child.started} for child in self.children]
        partial = self.ledger.with_suffix(".partial")
        partial.write_text(json.dumps(rows, indent=1))
        partial.replace(self.ledger)


def end_leftovers(state: Path) -> list[str]:
    """End what an earlier supervisor of this house left behind; return the names of what was still alive.

    A recorded pid counts only with its recorded start time: a pid is reused, the pair is not.
    """
    ledger = state / "processes.json"
    rows = json.loads(ledger.read_text()) if ledger.exists() else []
    table = proctable.entries()
    ours = [row for row in rows if row["pid"] in table and table[row["pid"]].started == row["started"]]
    leaders = {row["pid"] for row in ours}
    targets = _targets(leaders, str(state))
    for pid in leaders:
        proctable.send(pid, signal.SIGINT if _is_postgres(ours, pid) else signal.SIGTERM)
    until = time.monotonic() + KILL_SECONDS
    while time.monotonic() < until and _alive(targets):
        time.sleep(POLL_SECONDS)
    _kill(targets)
    ledger.unlink(missing_ok=True)
    names = [row["name"] for row in ours if table[row["pid"]].alive]
    return names or [f"pid {pid}" for pid in sorted(targets)]


def tail(child: Child, lines: int = TAIL_LINES) -> str:
    """Return the last lines that this start of the child wrote to its log, indented."""
    with child.spec.log.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(child.log_offset, size - 16_384))
        text = log.read().decode(errors="replace")
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (its log is empty)"


def _is_postgres(rows: list[dict[str, object]], pid: int) -> bool:
    return any(row["pid"] == pid and row["name"] == "postgres" for row in rows)


def _targets(leaders: set[int], marker: str | None) -> dict[int, str]:
    table = proctable.entries()
    pids = proctable.family(leaders, table) if leaders else set()
    if marker is not None:
        pids |= proctable.marked(marker)
    pids -= proctable.own_line()
    return {pid: table[pid].started for pid in pids if pid in table and table[pid].alive}


def _alive(targets: dict[int, str]) -> dict[int, str]:
    table = proctable.entries()
    return {
        pid: started
        for pid, started in targets.items()
        if pid in table and table[pid].started == started and table[pid].alive
    }


def _kill(targets: dict[int, str]) -> None:
    until = time.monotonic() + KILL_SECONDS
    while remaining := _alive(targets):
        for pid in remaining:
            proctable.send(pid, signal.SIGKILL)
        if time.monotonic() > until:
            raise HouseError(
                f"These processes do not end, not even on SIGKILL: {sorted(remaining)}.",
                "They hang in the kernel (a stuck disk or network mount?); end them by hand.",
            )
        time.sleep(POLL_SECONDS)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
