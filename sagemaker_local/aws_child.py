"""The process that stands for the rest of AWS: ministack, served on a loopback port of its own.

Run by path, isolated (``python -I aws_child.py <descriptor of the listening socket>``) and with an environment made by
`delegate.py`: the Lambda functions that it starts inherit both, and must find nothing of ours on their path that is not
in their zip.

It ends, saving its state, on SIGTERM, on SIGINT and when its standard input ends: the parent holds the other side of
that pipe, so the end comes even when the parent was killed with SIGKILL.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import threading
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def _run(descriptor: int) -> None:
    from ministack.app import app  # reads its environment when it is imported

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def watch_parent() -> None:
        while os.read(0, 1):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch_parent, name="watch-parent", daemon=True).start()
    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.keep_alive_timeout = 600  # longer than the dispatcher keeps an idle connection: it is the one to close
    config.graceful_timeout = 2
    config.loglevel = "WARNING"
    await serve(app, config, shutdown_trigger=stop.wait)


if __name__ == "__main__":
    # The saved state is for this process alone: a former one whose server was killed may still be writing it.
    with Path(os.environ["STATE_DIR"], "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        asyncio.run(_run(int(sys.argv[1])))
