"""Lines of a job into CloudWatch Logs, batched by a thread of their own so that a job never waits for them."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_LINGER_SECONDS = 0.25
_MAX_EVENTS = 1000
_MAX_BYTES = 900_000
_MAX_LINE = 200_000
_EVENT_OVERHEAD = 26  # what CloudWatch Logs counts for an event besides its text


class LogStream:
    """One stream. `write` never blocks on the network; `close` returns when everything has arrived."""

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        """Begin a stream; group and stream are made in the background.

        Args:
            logs: the boto3 client.
            group: such as ``/aws/sagemaker/ProcessingJobs``.
            stream: such as ``<job>/algo-1-1700000000``.
        """
        self.group = group
        self.stream = stream
        self._logs = logs
        self._pending: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._broken = False
        self._last = 0
        self._thread = threading.Thread(target=self._run, name=f"log {stream}", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Add a line, with the time of now."""
        with self._changed:
            self._last = max(self._last, time.time_ns() // 1_000_000)
            self._pending.append({"timestamp": self._last, "message": line[:_MAX_LINE] or " "})
            self._changed.notify()

    def close(self) -> None:
        """Send what is left and wait until it has arrived."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        self._try(self._create)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closed)
                if not self._closed and len(self._pending) < _MAX_EVENTS:
                    self._changed.wait_for(lambda: self._closed, _LINGER_SECONDS)
                batch, self._pending = self._take()
                if not batch and self._closed:
                    return
            self._try(self._put, batch)

    def _take(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        size = 0
        for number, event in enumerate(self._pending):
            size += len(event["message"].encode()) + _EVENT_OVERHEAD
            if number and (number >= _MAX_EVENTS or size > _MAX_BYTES):
                return self._pending[:number], self._pending[number:]
        return self._pending, []

    def _create(self) -> None:
        for create, names in (
            (self._logs.create_log_group, {"logGroupName": self.group}),
            (self._logs.create_log_stream, {"logGroupName": self.group, "logStreamName": self.stream}),
        ):
            try:
                create(**names)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                    raise

    def _put(self, batch: list[dict[str, Any]]) -> None:
        self._logs.put_log_events(logGroupName=self.group, logStreamName=self.stream, logEvents=batch)

    def _try(self, function: Any, *arguments: Any) -> None:
        """A job does not fail because its log cannot be kept; a person is told once per stream."""
        try:
            function(*arguments)
        except (ClientError, BotoCoreError) as error:
            if not self._broken:
                self._broken = True
                print(
                    f"sagemaker_local: lines of {self.group} {self.stream} are lost: {error}",
                    file=sys.stderr,
                    flush=True,
                )
