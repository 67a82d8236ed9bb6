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

MARKER = "SAGEMAKER_LOCAL_JOB"
_MAX_LINE = 256 * 1024
_LINUX = sys.platform.startswith("linux")


class Process:
    """A command in a session of its own, that does nothing before `go`."""

    def __init__(
        self, command: list[str], environment: dict[str, str], cwd: Path, on_line: Callable[[str], None]
    ) -> None:
        """Start the shell that will become the command.

        It reads one line from its standard input first. When this process dies before it wrote that line, the shell
        reads the end instead and ends: a command never runs without being on record.
        """
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
        self.identity = identity(self.pid)
        self._on_line = on_line
        self._reader = threading.Thread(target=self._read, name=f"output of {self.pid}", daemon=True)
        self._reader.start()

    def go(self) -> None:
        """Let the command begin."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(b"go\n")
                stdin.flush()
            with contextlib.suppress(BrokenPipeError):
                stdin.close()

    def wait(self) -> int:
        """Wait for the end of the command, end what is left of its group, return its exit code.

        A command that a signal ended has 128 plus its number, as in a container.
        """
        code = self._process.wait()
        end_group(self.pid)
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code if code >= 0 else 128 - code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _read(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            return
        while line := stdout.readline(_MAX_LINE):
            self._on_line(line.decode(errors="replace").rstrip("\r\n"))


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


def end_group(pid: int) -> None:
    """Kill what is left of a group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_leftover(pid: int, recorded: str | None, marker: str, seconds: float = 5.0) -> bool:
    """End the group that a former server started, if it is still that one; tell whether there was something to end.

    Args:
        pid: the recorded leader of the group.
        recorded: its recorded `identity`.
        marker: the recorded value of the marker in the environment of its members.
        seconds: how long to wait for the end.
    """
    ours = (recorded is not None and identity(pid) == recorded) or bool(_members(pid, marker))
    if not ours:
        return False
    end_group(pid)
    deadline = time.monotonic() + seconds
    while (identity(pid) == recorded or _members(pid, marker)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return True


def _members(group: int, marker: str) -> list[int]:
    """Return the processes of a group that carry the marker (known on Linux only)."""
    found: list[int] = []
    if not _LINUX:
        return found
    wanted = f"{MARKER}={marker}".encode()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        # Processes end, and those of others are closed to us, at any moment.
        with contextlib.suppress(OSError, ValueError):
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            environ = Path(entry.path, "environ").read_bytes().split(b"\0")
            if fields[0] not in "ZX" and int(fields[2]) == group and wanted in environ:
                found.append(int(entry.name))
    return found
