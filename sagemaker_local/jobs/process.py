"""A process group: started only once it is on record, ended whole, recognised again after a restart.

A pid alone proves nothing: it may belong to another process by now. What is recorded is the pid with the time its
process started; members whose leader is gone are recognised by a marker in their environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sagemaker_local import crash
from sagemaker_local.jobs.reaper import MARKER, Reaper, end_all, marked

_MAX_LINE = 256 * 1024
_LINUX = sys.platform.startswith("linux")
_reaper = Reaper()


class Process:
    """A command in a session of its own, that does nothing before `go`."""

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        cwd: Path,
        on_line: Callable[[str], None],
        container: str = "",
    ) -> None:
        """Start the shell that will become the command.

        It reads one line from its standard input first. When this process dies before it wrote that line, the shell
        reads the end instead and ends: a command never runs without being on record.
        """
        crash.point("before a process starts")
        self.marker = environment.get(MARKER, "")
        self.container = container
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r go && exec "$@"', "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self._process.pid
        crash.point("before a process is on record")
        self.identity = identity(self.pid)
        self._on_line = on_line
        self._reader = threading.Thread(target=self._read, name=f"output of {self.pid}", daemon=True)
        self._reader.start()

    def go(self) -> None:
        """Let the command begin."""
        crash.point("before a process begins")
        _reaper.watch(self.pid, self.marker, self.container)
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(b"go\n")
                stdin.flush()
            crash.point("after a process began")
            with contextlib.suppress(BrokenPipeError):
                stdin.close()

    def wait(self) -> int:
        """Wait for the end of the command, end what is left of it, return its exit code.

        A command that a signal ended has 128 plus its number, as in a container.
        """
        code = self._process.wait()
        crash.point("after a process ended")
        end_all(self.pid, self.marker, self.container)
        _reaper.forget(self.pid)
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code if code >= 0 else 128 - code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """End the whole group at once."""
        end_all(self.pid, self.marker, self.container)

    def _read(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            return
        while line := stdout.readline(_MAX_LINE):
            self._on_line(line.decode(errors="replace").rstrip("\r\n"))


def close() -> None:
    """End the reaper: there are no jobs any more."""
    _reaper.close()


def identity(pid: int) -> str | None:
    """Return when a process started, in a form that no other process of that pid will have; None when it is gone."""
    if _LINUX:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def end_leftover(pid: int, recorded: str | None, marker: str, seconds: float = 5.0) -> bool:
    """End the group that a former server started, if it is still that one; tell whether there was something to end.

    Args:
        pid: the recorded leader of the group.
        recorded: its recorded `identity`.
        marker: the recorded value of the marker in the environment of its members.
        seconds: how long to wait for the end.
    """
    found = False
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        leader = recorded is not None and identity(pid) == recorded
        members = [member for member in marked(marker) if identity(member) is not None]
        if not leader and not members:
            break
        found = True
        if leader:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        for member in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)
        time.sleep(0.01)
    return found
