"""The table of handlers and what a handler is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sagemaker_local.store import Transaction

if TYPE_CHECKING:
    from sagemaker_local.api import Api

Document = dict[str, Any]


@dataclass
class Call:
    """One call of an operation, inside its transaction.

    `now` is the one time of the call (epoch seconds), `prepared` what the handler's `prepare` returned.
    """

    operation: str
    request: Document
    api: Api
    tx: Transaction
    now: float
    prepared: Any = None
    _after: list[Callable[[], None]] = field(default_factory=list)

    def after_commit(self, function: Callable[[], None]) -> None:
        """Have a function called once the transaction has committed, and not at all if it does not."""
        self._after.append(function)

    def run_after_commit(self) -> None:
        """Call what was asked for, in order."""
        for function in self._after:
            function()


@dataclass(frozen=True)
class Handler:
    """A registered operation."""

    name: str
    function: Callable[[Call], Document | None]
    prepare: Callable[[Api, Document], Any] | None
    writes: bool


HANDLERS: dict[str, Handler] = {}

_READING = ("Describe", "List", "Search", "Get")


def operation(
    name: str, *, prepare: Callable[[Api, Document], Any] | None = None
) -> Callable[[Callable[[Call], Document | None]], Callable[[Call], Document | None]]:
    """Register a handler under the name of an operation.

    Args:
        name: AWS's name, such as ``CreateProcessingJob``.
        prepare: called with the checked request before the transaction begins, for what must not hold the one writer
            up: reading S3, parsing a pipeline definition. Its result is `Call.prepared`.
    """

    def register(function: Callable[[Call], Document | None]) -> Callable[[Call], Document | None]:
        if name in HANDLERS:
            raise ValueError(f"{name} has two handlers")
        HANDLERS[name] = Handler(name, function, prepare, writes=not name.startswith(_READING))
        return function

    return register
