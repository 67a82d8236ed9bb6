"""The rest of AWS: ministack as a supervised child process. This and `aws_child.py` are all that know it.

ministack writes S3 objects to disk at once; everything else (queues, topics, functions, roles, rules, logs) it saves
when it is ended gracefully, and all but logs also shortly after a change, when it is told of one (`performed`). After
it died it is started again, and `starts` counts up: a supervisor that sees that may apply its deployment again.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05
_MAX_BACKOFF_SECONDS = 5.0

# What changes nothing that is saved, by the beginnings of operations; and services whose state is not saved on the way.
_READING = ("Get", "List", "Describe", "Head", "Filter", "Receive", "Invoke", "PutMetricData", "PutEvents", "?")
_UNSAVED = frozenset({"s3", "logs", "cloudwatch", "sts"})

# What a child needs of this machine. Credentials and settings of the real AWS are not among it.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH")


class Delegate:
    """Starts ministack, starts it again when it dies, ends it gracefully.

    Attributes:
        port: the loopback port of the present child.
        starts: how often it was started.
        error: why it is not there, when it is not.
    """

    def __init__(self, state_dir: Path, *, endpoint_url: str, account: str, region: str) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            state_dir: where S3 objects, saved state, temporary files and the log of ministack lie.
            endpoint_url: the public endpoint of this local AWS: functions call SageMaker and the rest there.
            account: twelve digits.
            region: the default region.
        """
        self.state_dir = state_dir
        self.port = 0
        self.starts = 0
        self.error = "not started"
        self._endpoint_url = endpoint_url
        self._account = account
        self._region = region
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._supervise, name="ministack-supervisor", daemon=True)

    @property
    def is_ready(self) -> bool:
        """Tell whether the child answers."""
        return self._ready.is_set()

    @property
    def log(self) -> Path:
        """The file with what ministack says."""
        return self.state_dir / "ministack.log"

    def start(self) -> None:
        """Begin to supervise; returns at once."""
        (self.state_dir / "s3").mkdir(parents=True, exist_ok=True)
        (self.state_dir / "saved").mkdir(exist_ok=True)
        self._thread.start()

    def wait_ready(self, seconds: float) -> bool:
        """Wait until the child answers; tell whether it does."""
        return self._ready.wait(seconds)

    def stop(self) -> None:
        """End the child so that it saves its state, and stop supervising."""
        self._stopping.set()
        process = self._process
        if process is not None:
            _end(process)
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        self._ready.clear()

    def performed(self, operation: str) -> None:
        """Have the child save its state soon when an operation (``sqs:CreateQueue``) may have changed it."""
        service, _, name = operation.partition(":")
        process = self._process
        if service in _UNSAVED or name.startswith(_READING) or process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):  # it has just ended; there is nothing to save any more
            process.stdin.write(b"s")
            process.stdin.flush()

    def _supervise(self) -> None:
        backoff = _POLL_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            process = self._spawn()
            if self._await_ready(process):
                self.error = ""
                self._ready.set()
            code = process.wait()
            self._ready.clear()
            _end(process)
            if self._stopping.is_set():
                return
            self.error = f"ministack ended with exit code {code}; see {self.log}"
            print(f"sagemaker_local: {self.error}. Starting it again.", file=sys.stderr, flush=True)
            backoff = _POLL_SECONDS if time.monotonic() - began > _READY_SECONDS else backoff * 2
            self._stopping.wait(min(backoff, _MAX_BACKOFF_SECONDS))

    def _spawn(self) -> subprocess.Popen[bytes]:
        temporary = self.state_dir / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        child = Path(__file__).with_name("aws_child.py")
        with listen() as listener, self.log.open("ab") as log:
            self.port = listener.getsockname()[1]
            # A session of its own: Ctrl-C in a terminal reaches us alone, and we end it in order.
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(child), str(listener.fileno())],
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(temporary),
                cwd=self.state_dir,
                start_new_session=True,
            )
        self.starts += 1
        if self._stopping.is_set():  # stop() may have looked before there was a process
            _end(self._process)
        return self._process

    def _environment(self, temporary: Path) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "BIND_HOST": "127.0.0.1",
            # Not the port it listens on: the port that it writes into URLs (queue URLs, a function's endpoint).
            "GATEWAY_PORT": self._endpoint_url.rsplit(":", 1)[1],
            # S3 buckets as host names: <bucket>.localhost, which resolves to this machine (bare addresses use paths).
            "MINISTACK_HOST": "localhost",
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "MINISTACK_ACCOUNT_ID": self._account,
            "MINISTACK_REGION": self._region,
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.state_dir / "s3"),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.state_dir / "saved"),
            "LAMBDA_EXECUTOR": "local",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(temporary),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def _await_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + _READY_SECONDS
        while process.poll() is None and not self._stopping.is_set():
            if _answers(self.port):
                return True
            if time.monotonic() > deadline:
                self.error = f"ministack did not answer within {_READY_SECONDS:.0f} s; see {self.log}"
                _end(process)
                return False
            time.sleep(_POLL_SECONDS)
        return False


def listen() -> socket.socket:
    """Return a socket that listens on a loopback port which was free.

    The protocol is named because asyncio sets TCP_NODELAY only then; without it each answer waits 40 ms for an ACK.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a child gracefully, then whatever is left of its process group (workers of functions)."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(
                f"sagemaker_local: ministack (pid {process.pid}) did not end within {_STOP_SECONDS:.0f} s "
                "and is killed; queues, topics, functions and roles changed since its start are lost.",
                file=sys.stderr,
                flush=True,
            )
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
