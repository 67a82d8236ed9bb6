"""A process of its own that ends the jobs of a server that is gone, however the server went.

It is told which process groups run (``+<pid> <container> <marker>`` before one begins, ``-<pid>`` after one ended) over
a pipe whose other end only the server holds. When that pipe ends, the server is dead: what is listed then is killed.
Run by path and isolated, with the standard library alone, so that it is there in milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

MARKER = "SAGEMAKER_LOCAL_JOB"


def marked(marker: str) -> Iterator[int]:
    """Yield the processes that carry the marker of a job in their environment (known on Linux only)."""
    wanted = f"{MARKER}={marker}".encode()
    if not sys.platform.startswith("linux"):
        return
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        # Processes end, and those of others are closed to us, at any moment.
        with contextlib.suppress(OSError):
            environ = Path(entry.path, "environ").read_bytes()
            if wanted in environ and wanted in environ.split(b"\0"):
                yield int(entry.name)


def end_all(pid: int, marker: str, container: str = "") -> None:
    """Kill a process group, what left the group but carries the marker (a daemon), and the container it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for member in marked(marker):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)
    if container:  # killing the docker command leaves what it started
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False, timeout=60)


class Reaper:
    """The server's side of the pipe; it starts the process when the first job does."""

    def __init__(self) -> None:
        """Prepare."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, pid: int, marker: str, container: str) -> None:
        """Have a group ended when this process dies, and the container that it started."""
        self._tell(f"+{pid} {container or '-'} {marker}\n")

    def forget(self, pid: int) -> None:
        """Leave a group alone: it has ended."""
        self._tell(f"-{pid}\n")

    def close(self) -> None:
        """End the process; what it still knows is killed."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                self._process.wait()
            self._process = None

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


def serve(lines: Iterable[bytes]) -> None:
    """Follow what runs until the lines end, and kill what runs then."""
    running: dict[int, tuple[str, str]] = {}
    for line in lines:
        text = line.decode().strip()
        if text.startswith("+"):
            pid, container, marker = text[1:].split(" ", 2)
            running[int(pid)] = (marker, container.removeprefix("-"))
        elif text.startswith("-"):
            running.pop(int(text[1:]), None)
    for left, (marker, container) in running.items():
        end_all(left, marker, container)


if __name__ == "__main__":
    serve(sys.stdin.buffer)
