"""The pages in a process of their own, over made-up use cases: Airflow's own database and login, and no house."""

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from local import environment
from local.ports import LOOPBACK

ROOT = "/sagemaker-batch"


@contextlib.contextmanager
def serve(s3_url: str, use_cases: int) -> Iterator[tuple[str, str]]:
    """Yield address and login token; code is loaded and the client made, the cache is empty."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    command = [str(environment.REPO / ".venv/bin/python"), "tests/perf/pages_probe.py", str(port), str(use_cases)]
    child = subprocess.Popen(
        command,
        cwd=environment.REPO,
        env={**environment.base(), "PYTHONPATH": environment.python_path(), "AWS_ENDPOINT_URL": s3_url},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        token = next((line.strip() for line in child.stdout if line.startswith("ey") and line.count(".") == 2), "")
        assert token, "the pages' process ended before it was ready"
        address = f"http://{LOOPBACK}:{port}"
        _ready(f"{address}{ROOT}/static/page.js", token)
        with contextlib.suppress(urllib.error.HTTPError):  # there is none; asking makes the client
            get(f"{address}{ROOT}/use-cases/use_case0/days/2020-01-01/manifest", token)
        yield address, token
    finally:
        child.terminate()
        child.wait(timeout=30)
        child.stdout.close()


def get(address: str, token: str) -> tuple[str, dict[str, str]]:
    """Return body and headers of a page."""
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - loopback
        return answer.read().decode(), dict(answer.headers)


def _ready(address: str, token: str) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            get(address, token)
            return
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
