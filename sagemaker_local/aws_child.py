"""The process that stands for the rest of AWS: ministack, served on a loopback port of its own.

Run by path, isolated (``python -I aws_child.py <descriptor of the listening socket>``) and with an environment made by
`delegate.py`: the Lambda functions that it starts inherit both, and must find nothing of ours on their path that is not
in their zip.

ministack saves what it holds (queues, topics, functions, roles, rules; S3 it writes at once) when it ends. Here it also
does so shortly after each byte on its standard input: then little is lost when it is killed. Logs are too large for it.

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

# Between the first request to save and the file: what changes at once is saved at once.
_SAVE_SECONDS = 0.2
_TOO_LARGE = frozenset({"cloudwatch_logs", "cloudwatch", "s3"})


def _save() -> None:
    """Write the state of each service that was used, each file whole or not at all, as ministack does at its end."""
    from ministack import app
    from ministack.core.persistence import save_all

    states = app._build_persistence_save_dict()  # noqa: SLF001 - ministack is pinned, and this module alone knows it
    save_all({name: state for name, state in states.items() if name not in _TOO_LARGE})


async def _run(descriptor: int) -> None:
    from ministack.app import app  # reads its environment when it is imported

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    pending: list[asyncio.TimerHandle] = []

    def save() -> None:
        pending.clear()
        _save()

    def save_soon() -> None:
        if not pending:
            pending.append(loop.call_later(_SAVE_SECONDS, save))

    def watch_parent() -> None:
        while os.read(0, 4096):
            loop.call_soon_threadsafe(save_soon)
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
