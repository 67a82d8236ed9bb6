"""The one error a person may see: what happened, where, why, and what to do next."""

from __future__ import annotations


class AnalyzerError(Exception):
    """Input, configuration or a hook that cannot be analysed.

    The text reads `file:line:column: what happened. What to do next.`; line and column count from 1 and are
    left out where they have no meaning.
    """

    def __init__(
        self, what: str, *, file: str | None = None, line: int | None = None, column: int | None = None, hint: str = ""
    ) -> None:
        self.what, self.file, self.line, self.column, self.hint = what, file, line, column, hint
        where = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{where}: {what}" + (f" {hint}" if hint else "") if where else f"{what} {hint}".rstrip())


class ValueBeyondDoubleError(Exception):
    """A number in the data that no double can carry; whoever knows the files turns it into an `AnalyzerError`."""

    def __init__(self, column: str, text: str) -> None:
        self.column, self.text = column, text
        super().__init__(f"column {column!r} holds a number beyond what a double can carry")
