"""A client of the admin routes, for the tests of any project: standard library only.

``Control(endpoint_url).fault("throttle", operation="StartPipelineExecution", count=2)`` as a ``with`` block throttles
the first two starts; ``set_quotas(concurrent_executions=1)`` and ``calls()`` do what their names say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

Document = dict[str, Any]


class ControlError(Exception):
    """What the admin route refused, in its own sentence; `status` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


class Control:
    """Faults, quotas and counts of one local SageMaker."""

    def __init__(self, endpoint_url: str = "http://127.0.0.1:4566", timeout: float = 30.0) -> None:
        """Remember where it is; nothing is sent yet."""
        self._address = urlsplit(endpoint_url)
        self._timeout = timeout

    def add_fault(self, kind: str, **members: Any) -> Document:
        """Set a fault (``operation``, ``key``, ``count``, ``rate``, ``seed``, ``seconds``, ``step``, ``code`` ...)."""
        return self._ask("POST", "faults", {"kind": kind, **members})

    def faults(self) -> list[Document]:
        """Return the faults that are set, each with how often it has ``fired``."""
        return list(self._ask("GET", "faults")["faults"])

    def remove_fault(self, number: int) -> None:
        """Remove one fault by its ``id``."""
        self._ask("DELETE", f"faults/{number}")

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._ask("DELETE", "faults")

    @contextmanager
    def fault(self, kind: str, **members: Any) -> Iterator[Document]:
        """Set a fault for the time of a ``with`` block."""
        fault = self.add_fault(kind, **members)
        try:
            yield fault
        finally:
            self.remove_fault(fault["id"])

    def quotas(self) -> Document:
        """Return all quotas by name; None is no limit."""
        return self._ask("GET", "quotas")

    def set_quotas(self, **values: int | None) -> Document:
        """Change quotas by name; return all."""
        return self._ask("PUT", "quotas", values)

    def calls(self) -> Document:
        """Return ``{"operations": {...}, "errors": {...}, "concurrent_executions": {"now", "most"}}``."""
        return self._ask("GET", "calls")

    def reset_calls(self) -> None:
        """Count from zero again."""
        self._ask("DELETE", "calls")

    def access(self) -> Document:
        """Return ``{"callers": {access key: {"s3:GetObject": [ARN, ...]}}, "left_out": int}``."""
        return self._ask("GET", "access")

    def reset_access(self) -> None:
        """Forget who asked for what."""
        self._ask("DELETE", "access")

    def _ask(self, method: str, path: str, body: Any = None) -> Document:
        connection = HTTPConnection(self._address.hostname or "127.0.0.1", self._address.port, timeout=self._timeout)
        try:
            connection.request(method, f"/_local/{path}", None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer: Document = json.load(response)
        finally:
            connection.close()
        if response.status >= 400:
            raise ControlError(answer["error"], response.status)
        return answer
