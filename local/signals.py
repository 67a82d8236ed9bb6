"""Ctrl-C, SIGTERM and SIGHUP end a house in order; a second one ends it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from local.processes import Supervisor

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants this to end; not an Exception, so that nothing on the way takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def watched(supervisor: Supervisor) -> Iterator[None]:
    """Raise Interrupted in the main thread on the first signal; once the house is being stopped, only hurry it."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if supervisor.stopping.is_set():
            supervisor.hurry.set()
        else:
            supervisor.stopping.set()
            raise Interrupted(number)

    former = {number: signal.signal(number, handle) for number in WATCHED}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
