"""How often each operation was asked for, how it was refused, and how many executions ran at a time."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import Any

_MAX_NAMES = 1000


class Calls:
    """Counts of requests over HTTP, of SageMaker (``StartPipelineExecution``) and the rest (``s3:PutObject``)."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._errors: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._most = 0

    def count(self, operation: str) -> None:
        """Count a request; names beyond the first thousand are counted together, for a client may make them up."""
        with self._lock:
            known = operation in self._counts or len(self._counts) < _MAX_NAMES
            self._counts[operation if known else "other"] += 1

    def error(self, operation: str, code: str) -> None:
        """Count an error by its code; an answer that was dropped on purpose is ``ResponseLost``."""
        with self._lock:
            known = operation in self._errors or len(self._errors) < _MAX_NAMES
            self._errors[operation if known else "other"][code] += 1

    def running(self, executions: int) -> None:
        """Note how many executions run now."""
        with self._lock:
            self._most = max(self._most, executions)

    def reset(self, running: int) -> None:
        """Begin at zero again; `running` executions run now."""
        with self._lock:
            self._counts.clear()
            self._errors.clear()
            self._most = running

    def document(self, running: int) -> dict[str, Any]:
        """Return all counts; `running` executions run now."""
        with self._lock:
            self._most = max(self._most, running)
            return {
                "operations": dict(sorted(self._counts.items())),
                "errors": {name: dict(sorted(codes.items())) for name, codes in sorted(self._errors.items())},
                "concurrent_executions": {"now": running, "most": self._most},
            }
