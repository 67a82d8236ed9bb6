"""``python -m sagemaker_local``: one local AWS endpoint with a SageMaker that runs what it is given."""

from __future__ import annotations

import argparse
import asyncio
import errno
import fcntl
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import IO

import uvicorn

from sagemaker_local import __version__
from sagemaker_local.api import DEFAULT_ACCOUNT, DEFAULT_REGION, Api
from sagemaker_local.connection import Connection
from sagemaker_local.delegate import Delegate
from sagemaker_local.events.delivery import Delivery
from sagemaker_local.jobs.clients import Clients
from sagemaker_local.origin import NAMES
from sagemaker_local.quotas import Quotas
from sagemaker_local.runner import Runner
from sagemaker_local.runtimes.table import RuntimesError
from sagemaker_local.server import Server
from sagemaker_local.store import Store

_AWS_START_SECONDS = 120.0


class StartError(Exception):
    """Why this process cannot start, as one sentence for the person who started it."""


class _Uvicorn(uvicorn.Server):
    """Ends the running half before the door closes: jobs that are stopped still report through it."""

    def __init__(self, config: uvicorn.Config, shutdown_runner: threading.Thread) -> None:
        super().__init__(config)
        self._shutdown_runner = shutdown_runner

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end on the first signal; a second one does not wait."""
        if self._shutdown_runner.ident is None:
            self._shutdown_runner.start()
            return
        super().handle_exit(sig, frame)


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal ends it; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _serve(options)
    except StartError as error:
        print(f"sagemaker_local: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sagemaker_local", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=4566, help="port of the endpoint (default: 4566)")
    parser.add_argument("--state-dir", type=Path, default=Path(".local/aws"), help="where everything is kept")
    parser.add_argument("--runtimes", type=Path, help="which command stands for which image (default: built in)")
    parser.add_argument("--region", default=DEFAULT_REGION, help=f"the region that this is (default: {DEFAULT_REGION})")
    parser.add_argument("--account", default=DEFAULT_ACCOUNT, help=f"twelve digits (default: {DEFAULT_ACCOUNT})")
    parser.add_argument("--concurrent-executions", type=int, default=20, help="quota, as at AWS (default: 20)")
    parser.add_argument("--api-only", action="store_true", help="answer, but run neither jobs nor executions")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _serve(options: argparse.Namespace) -> int:
    state_dir = options.state_dir.resolve()
    listener = _listen(options.host, options.port)
    port = listener.getsockname()[1]
    lock = _lock(state_dir)
    with listener, lock:
        endpoint_url = f"http://127.0.0.1:{port}"
        delegate = Delegate(
            state_dir / "ministack", endpoint_url=endpoint_url, account=options.account, region=options.region
        )
        store = Store(state_dir / "sagemaker.sqlite")
        api = Api(
            store,
            account=options.account,
            region=options.region,
            endpoint_url=endpoint_url,
            quotas=Quotas(concurrent_executions=options.concurrent_executions),
        )
        if not options.api_only:
            api.runner = _runner(api, state_dir, options.runtimes)
        delivery = Delivery(api, Clients(endpoint_url, options.region), delegate)
        delegate.start()
        try:
            private = options.host in NAMES
            if not private:
                print(
                    f"sagemaker_local: listening on {options.host}: whoever reaches it can run commands on this "
                    "machine as you, for there is no sign-in. Use the default host unless the network is yours alone.",
                    file=sys.stderr,
                    flush=True,
                )
            print(f"sagemaker_local {__version__} on {endpoint_url} (state in {state_dir})", flush=True)
            asyncio.run(_run(api, delegate, delivery, listener, any_name=not private))
        finally:
            delegate.stop()
            store.close()
    return 0


def _runner(api: Api, state_dir: Path, runtimes_file: Path | None) -> Runner:
    try:
        return Runner(api, state_dir, runtimes_file)
    except (RuntimesError, OSError) as error:
        raise StartError(f"{error} (--runtimes {runtimes_file or 'left out'})") from error


async def _run(api: Api, delegate: Delegate, delivery: Delivery, listener: socket.socket, *, any_name: bool) -> None:
    loop = asyncio.get_running_loop()

    def performed(operation: str) -> None:
        delegate.performed(operation)
        delivery.forwarded(operation)

    app = Server(api, delegate, performed, any_name=any_name)
    config = uvicorn.Config(
        app,
        http=Connection,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        # The answers of the rest of AWS carry their own; two of each would be ours.
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=256 * 1024,
    )

    def shut_down() -> None:
        try:
            api.runner.shutdown()
        finally:
            delivery.close()
            loop.call_soon_threadsafe(setattr, server, "should_exit", True)  # noqa: FBT003 - an attribute's value

    failures: list[str] = []

    def start_runner() -> None:
        try:
            _take_up(api, delegate)
            delivery.start()
            loop.call_soon_threadsafe(app.runner_started)
        except Exception as error:  # noqa: BLE001 - whatever it is, a server that runs nothing must not stay
            traceback.print_exception(error)
            failures.append(f"could not take up the work: {error}; see above and {delegate.log}")
            os.kill(os.getpid(), signal.SIGTERM)

    server = _Uvicorn(config, threading.Thread(target=shut_down, name="shut-down"))
    threading.Thread(target=start_runner, name="start-runner", daemon=True).start()
    try:
        await server.serve(sockets=[listener])
    finally:
        await app.close()
    if failures:
        raise StartError(failures[0])


def _take_up(api: Api, delegate: Delegate) -> None:
    """Begin to run, once what jobs need is there."""
    if not delegate.wait_ready(_AWS_START_SECONDS):
        raise StartError(delegate.error)
    api.runner.start()


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it each answer waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {port} on {host} is taken, perhaps by another local AWS. "
                f"End that one, or choose another port: python -m sagemaker_local --port {port + 1}"
            ) from error
        raise StartError(f"cannot listen on {host}:{port}: {error}. Choose others with --host and --port.") from error
    return listener


def _lock(state_dir: Path) -> IO[str]:
    """Take the state directory for this process alone; the lock goes with the process."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "lock").open("a+")
    except OSError as error:
        raise StartError(f"cannot write to {state_dir}: {error}. Choose another place with --state-dir.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StartError(
            f"another sagemaker_local works in {state_dir}. End it, or choose another place with --state-dir."
        ) from error
    return lock


if __name__ == "__main__":
    sys.exit(main())
