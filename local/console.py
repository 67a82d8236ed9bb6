"""What a person sees: plain lines, and the wall time of each phase."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Console:
    """Prints lines below phase headings and remembers how long each phase took."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, float]] = []
        self.begun = time.monotonic()

    def say(self, line: str = "") -> None:
        """Print one or more lines, indented below the current phase."""
        for part in line.splitlines() or [""]:
            print(f"  {part}".rstrip(), flush=True)

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """Print a heading, and the wall time when the phase is over."""
        number = len(self.phases) + 1
        print(f"\n[{number}] {title}", flush=True)
        begun = time.monotonic()
        self.phases.append((title, 0.0))
        try:
            yield
        finally:
            took = time.monotonic() - begun
            self.phases[number - 1] = (title, took)
            self.say(f"({took:.1f} s)")

    def times(self) -> str:
        """Return the wall times of all phases."""
        width = max((len(title) for title, _ in self.phases), default=0)
        lines = [f"{title:<{width}}  {took:7.1f} s" for title, took in self.phases]
        return "\n".join([*lines, f"{'all':<{width}}  {time.monotonic() - self.begun:7.1f} s"])
