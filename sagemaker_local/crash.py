"""Where a test can kill the server: every commit, every process that starts or ends, every transfer, counted.

Nothing happens unless ``SAGEMAKER_LOCAL_KILL_FILE`` names a file. While that file holds a number n, the n-th point that
any thread reaches from then on ends this process with SIGKILL; ``<file>.died`` names the point. The number counts down
in the file. So a test chooses the moment by counting what the server does, and never by the clock.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

VARIABLE = "SAGEMAKER_LOCAL_KILL_FILE"
_FILE = os.environ.get(VARIABLE, "")
_lock = threading.Lock()


def point(name: str) -> None:
    """Pass a point at which the server may be killed."""
    if _FILE:
        _pass(name)


def _pass(name: str) -> None:
    path = Path(_FILE)
    with _lock:
        try:
            left = int(path.read_text()) - 1
        except (FileNotFoundError, ValueError):  # not armed, or not written to its end yet
            return
        if left <= 0:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.died").write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)
        path.write_text(str(left))
