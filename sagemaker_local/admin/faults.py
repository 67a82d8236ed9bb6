"""Faults on purpose: which request fails, waits or loses its answer, how often, and by what seed.

They live in memory: a server that is started again has none.
"""

from __future__ import annotations

import asyncio
import fnmatch
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import anyio
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from sagemaker_local import model

Document = dict[str, Any]

_MAX_SECONDS = 3600.0
_ANY_KIND = frozenset({"kind", "count", "rate", "seed"})
_REQUEST = frozenset({"operation", "key"})
# Kind -> members it takes besides those that every kind takes.
_MEMBERS: dict[str, frozenset[str]] = {
    "throttle": _REQUEST,
    "latency": _REQUEST | {"seconds"},
    "error": _REQUEST | {"code", "status", "message"},
    "lose_response": _REQUEST,
    "kill_step": frozenset({"step", "seconds"}),
}


class FaultError(ValueError):
    """Why a fault was refused, as one sentence."""


@dataclass
class Fault:
    """One fault.

    Attributes:
        number: by which it is removed.
        kind: ``throttle``, ``latency``, ``error``, ``lose_response`` or ``kill_step``.
        operation: an operation of SageMaker, ``*`` for all of them, or of another service: ``s3:PutObject``, ``s3:*``.
        key: a glob that the S3 key, the name in the request's path, or for SageMaker the request's JSON, must match;
            None matches all.
        step: of a pipeline; ``kill_step`` only.
        count: how often it fires; None for always.
        rate: the share of matching requests that it hits, drawn with `seed`.
        seconds: how long ``latency`` waits, unless it is removed before; after how long ``kill_step`` kills.
        code: of an ``error``.
        status: of HTTP for an ``error``.
        message: of an ``error``.
        fired: how often it has.
        waiting: what wakes the requests that a ``latency`` holds.
    """

    kind: str
    operation: str = "*"
    key: str | None = None
    step: str | None = None
    count: int | None = None
    rate: float = 1.0
    seed: int | None = None
    seconds: float = 0.0
    code: str = "InternalFailure"
    status: int = 500
    message: str | None = None
    number: int = 0
    fired: int = 0
    waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=list, repr=False)
    _random: random.Random = field(default_factory=random.Random, repr=False)

    def document(self) -> Document:
        """Return it as the admin route shows it."""
        shown = {"id": self.number, "kind": self.kind, "count": self.count, "rate": self.rate, "fired": self.fired}
        members = {name: getattr(self, name) for name in sorted(_MEMBERS[self.kind])}
        return {**shown, **{name: value for name, value in members.items() if value is not None}}

    def fires(self) -> bool:
        """Tell whether it hits the request that it matches, and count it."""
        if self.count is not None and self.fired >= self.count:
            return False
        if self.rate < 1.0 and self._random.random() >= self.rate:
            return False
        self.fired += 1
        return True


class Faults:
    """All faults that are set. Thread-safe."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._number = 0

    def add(self, given: Any) -> Document:
        """Set a fault and return it.

        Raises:
            FaultError: it is wrong.
        """
        fault = _checked(given)
        with self._lock:
            self._number += 1
            fault.number = self._number
            self._faults.append(fault)
        return fault.document()

    def documents(self) -> list[Document]:
        """Return all faults, in the order in which they were set; used-up ones too."""
        with self._lock:
            return [fault.document() for fault in self._faults]

    def remove(self, number: int | None = None) -> int:
        """Remove one fault, or all; return how many went."""
        with self._lock:
            kept = [] if number is None else [fault for fault in self._faults if fault.number != number]
            gone = [fault for fault in self._faults if fault not in kept]
            self._faults = kept
            waiting = [each for fault in gone for each in fault.waiting]
        for loop, removed in waiting:
            loop.call_soon_threadsafe(removed.set)
        return len(gone)

    def watches(self, service: str) -> bool:
        """Tell whether any fault is about a service (``sagemaker``, ``s3``, ...)."""
        return any(_service(fault) == service for fault in self._faults if fault.kind != "kill_step")

    async def wait_out(self, fault: Fault) -> None:
        """Wait as long as a ``latency`` fault says; removing it lets its requests go on."""
        removed = asyncio.Event()
        with self._lock:
            if not any(each is fault for each in self._faults):
                return
            fault.waiting.append((asyncio.get_running_loop(), removed))
        with anyio.move_on_after(fault.seconds):
            await removed.wait()

    def hit(self, operation: str, key: str = "") -> list[Fault]:
        """Return the faults that hit a request, each counted; at most one of them answers it."""
        with self._lock:
            found: list[Fault] = []
            for fault in self._faults:
                if not _matches(fault, operation, key):
                    continue
                if fault.kind in {"throttle", "error"} and any(each.kind in {"throttle", "error"} for each in found):
                    continue
                if fault.fires():
                    found.append(fault)
            return found

    def kill(self, step: str) -> Fault | None:
        """Return the fault that kills a step of that name, counted, or None."""
        with self._lock:
            matching = (each for each in self._faults if each.kind == "kill_step" and _like(step, each.step or ""))
            return next((fault for fault in matching if fault.fires()), None)


def _service(fault: Fault) -> str:
    service, colon, _ = fault.operation.partition(":")
    return service if colon else "sagemaker"


def _matches(fault: Fault, operation: str, key: str) -> bool:
    if fault.kind == "kill_step":
        return False
    if fault.operation != operation:
        service, colon, _ = operation.partition(":")
        everything = f"{service}:*" if colon else "*"
        if fault.operation != everything:
            return False
    return fault.key is None or _like(key, fault.key)


def _like(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern)


def _checked(given: Any) -> Fault:
    if not isinstance(given, dict):
        raise FaultError("A fault is a JSON object with a kind.")
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise FaultError(f"There is no fault of kind {kind!r}; there are {', '.join(_MEMBERS)}.")
    known = _ANY_KIND | _MEMBERS[kind]
    unknown = sorted(set(given) - known)
    if unknown:
        raise FaultError(f"A {kind} fault takes {', '.join(sorted(known))}, not {', '.join(map(repr, unknown))}.")
    values = {name: value for name, value in given.items() if value is not None}
    for name, value in values.items():
        _CHECKS[name](name, value)
    if kind == "kill_step" and "step" not in values:
        raise FaultError("A kill_step fault needs the name of a step.")
    if kind == "latency" and "seconds" not in values:
        raise FaultError("A latency fault needs seconds.")
    if kind == "throttle":
        values |= {"code": "ThrottlingException", "status": 400, "message": "Rate exceeded"}
    return Fault(**values, _random=random.Random(values.get("seed")))  # noqa: S311 - chance, no secret


def _check_operation(name: str, value: Any) -> None:
    _check_text(name, value)
    if value == "*" or value in model.operation_names():
        return
    service, colon, operation = value.partition(":")
    if not colon:
        raise FaultError(
            f"SageMaker has no operation {value!r}; those of other services are written like s3:PutObject."
        )
    names = _operations_of(service)
    if names is None:
        raise FaultError(f"botocore knows no service {service!r}.")
    if operation != "*" and operation not in names:
        raise FaultError(f"The service {service} has no operation {operation!r}.")


@cache
def _operations_of(service: str) -> frozenset[str] | None:
    try:
        return frozenset(Loader().load_service_model(service, "service-2")["operations"])
    except UnknownServiceError:
        return None


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise FaultError(f"{name} must be a text that is not empty, not {value!r}.")


def _check_number(low: float, high: float, *, whole: bool = False) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        wrong = isinstance(value, bool) or not isinstance(value, int if whole else (int, float))
        if wrong or not low <= value <= high:
            kind = "a whole number" if whole else "a number"
            raise FaultError(f"{name} must be {kind} from {low:g} to {high:g}, not {value!r}.")

    return check


_CHECKS: dict[str, Callable[[str, Any], None]] = {
    "kind": _check_text,
    "operation": _check_operation,
    "key": _check_text,
    "step": _check_text,
    "code": _check_text,
    "message": _check_text,
    "count": _check_number(1, 10**9, whole=True),
    "seed": _check_number(-(2**63), 2**63, whole=True),
    "rate": _check_number(0, 1),
    "seconds": _check_number(0, _MAX_SECONDS),
    "status": _check_number(400, 599, whole=True),
}
