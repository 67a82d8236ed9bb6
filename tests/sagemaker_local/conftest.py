"""A local AWS for each module of tests: a real server in a process, on a free port and in a directory of its own.

A module chooses with `API_ONLY = True` that nothing runs, with `RUNTIMES = Path(...)` what stands for the images.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sagemaker_local import coverage
from sagemaker_local.store import Store
from tests.sagemaker_local import recorder
from tests.sagemaker_local.recorder import RECORDER

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
FAILED: set[str] = set()
ROLE = "arn:aws:iam::000000000000:role/sagemaker-batch-execution-local"


class LocalAws:
    """One server: start, stop, kill, ask."""

    region = "us-east-1"
    account = "000000000000"
    role = ROLE

    def __init__(self, state_dir: Path, *arguments: str) -> None:
        self.state_dir = state_dir
        self.arguments = arguments
        self.port = free_port()
        self.log = state_dir.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Any] = {}

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> LocalAws:
        """Start the server and wait until both halves answer."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "sagemaker_local", "--port", str(self.port), "--state-dir", str(self.state_dir)),
                    *self.arguments,
                ],
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._is_ready, START_SECONDS, lambda: f"the server to be ready; it said:\n{self.log.read_text()}")
        return self

    def _is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise AssertionError(f"the server ended; it said:\n{self.log.read_text()}")
        try:
            return self.health()["ready"]
        except OSError:
            return False

    def health(self) -> dict[str, Any]:
        """Return what `/_local/health` says, and whether it says so with 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/_local/health")
            response = connection.getresponse()
            return {**json.load(response), "ready": response.status == 200}
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the server by a signal and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.process = None
        return code

    def has_told(self) -> bool:
        """Tell whether every event has been matched with the rules and delivered."""
        store = Store(self.state_dir / "sagemaker.sqlite")
        try:
            with store.read() as tx:
                return tx.count("event") == 0 and tx.count("delivery") == 0
        finally:
            store.close()

    def processes(self) -> list[int]:
        """Return the processes that work for this server: those that have its directory in arguments or environment."""
        found = []
        mark = str(self.state_dir).encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "cmdline").read_bytes() or mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:  # it ended while we looked
                continue
        return found

    def client(self, service: str, **config: Any) -> Any:
        """Return a boto3 client of the server; it is closed with the server."""
        key = f"{service}{sorted(config.items())}"
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=self.region,
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(**{"max_pool_connections": 50, "retries": {"total_max_attempts": 1}, **config}),
            )
            if service == "sagemaker":
                RECORDER.watch(self._clients[key])
        return self._clients[key]

    def close(self) -> None:
        """Close all clients and end the server if it still runs."""
        for client in self._clients.values():
            client.close()
        if self.process is not None:
            self.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float, what: str | Callable[[], str]) -> Any:
    """Return the first true value of a condition; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what() if callable(what) else what}")
        time.sleep(0.02)


@pytest.fixture(name="wait_for", scope="session")
def wait_for_fixture() -> Callable[..., Any]:
    return wait_for


@pytest.fixture
def make_local_aws(tmp_path: Path) -> Iterator[Callable[..., LocalAws]]:
    """Servers of one test, by name; each is ended with it."""
    made: list[LocalAws] = []

    def make(name: str = "aws", *arguments: str) -> LocalAws:
        made.append(LocalAws(tmp_path / name, *arguments))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture(scope="module")
def local_aws(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    arguments: list[str] = []
    if getattr(request.module, "API_ONLY", False):
        arguments.append("--api-only")
    runtimes = getattr(request.module, "RUNTIMES", None)
    if runtimes is not None:
        arguments += ["--runtimes", str(runtimes)]
    server = LocalAws(tmp_path_factory.mktemp("local") / "aws", *arguments).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def sagemaker(local_aws: LocalAws) -> Any:
    return local_aws.client("sagemaker")


@pytest.fixture(scope="module")
def s3(local_aws: LocalAws) -> Any:
    return local_aws.client("s3")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember which tests passed; one of several parameters that fails takes the test's evidence away."""
    test = report.nodeid.removeprefix("tests/sagemaker_local/").partition("[")[0]
    if report.failed:
        FAILED.add(test)
        RECORDER.passed.discard(test)
    elif report.when == "call" and report.passed and test not in FAILED:
        RECORDER.passed.add(test)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the record when asked to; else see that what COVERAGE.md claims of tests that ran was seen in them."""
    if os.environ.get("RECORD_COVERAGE"):
        recorder.write()
        return
    chosen = ("keyword", "lf", "failedfirst", "deselect")
    if any(session.config.getoption(name, None) for name in chosen) or any(
        "::" in each for each in session.config.args
    ):
        return  # a fixture of a module records in whichever of its tests runs first: only whole modules are compared
    unfounded = RECORDER.unfounded(coverage.read_record())
    if unfounded:
        sys.stderr.write("\nCOVERAGE.md claims what was not seen; `make coverage` records it anew:\n")
        sys.stderr.writelines(f"{line}\n" for line in unfounded)
        session.exitstatus = 1
