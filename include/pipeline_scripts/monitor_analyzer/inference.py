"""What a raw text is: the rules by which the container (Deequ's DataType analyzer) reads a CSV field.

Types are inferred from the text as it stands in the file: `6.0` is Fractional, `007` Integral, `.5`, `1.`, `NaN`,
`inf` and `True` are Strings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

INTEGRAL, FRACTIONAL, BOOLEAN, STRING, UNKNOWN = "Integral", "Fractional", "Boolean", "String", "Unknown"
NUMERIC = (INTEGRAL, FRACTIONAL)

# One leading space is allowed, as in the container. Its pattern also lets a space follow a sign ("- 5"), but such a
# text cannot be cast to a number and its value would vanish; it counts as String here (no real sample shows it).
_NUMBER = re.compile(r"(?:[-+]|\ )?[0-9]+(?P<fraction>\.[0-9]+|(?:\.[0-9]+)?[Ee][-+]?[0-9]+)?", re.ASCII)


def classify(text: str) -> str:
    """Return the type of one non-empty raw text: Integral, Fractional, Boolean or String."""
    match = _NUMBER.fullmatch(text)
    if match:
        return FRACTIONAL if match["fraction"] else INTEGRAL
    return BOOLEAN if text in {"true", "false"} else STRING


@dataclass
class TypeCounts:
    """How many non-missing texts of a column are of which type."""

    integral: int = 0
    fractional: int = 0
    boolean: int = 0
    string: int = 0

    @property
    def present(self) -> int:
        """Number of non-missing values."""
        return self.integral + self.fractional + self.boolean + self.string

    @property
    def numeric(self) -> bool:
        """Whether every text seen so far is a number."""
        return not (self.boolean or self.string)

    def add(self, kind: str, count: int) -> None:
        """Count `count` more texts of type `kind`."""
        name = kind.lower()
        setattr(self, name, getattr(self, name) + count)

    def inferred(self) -> str:
        """Return the column's type as reports name it.

        Only `true`/`false` would be Boolean to Deequ; AWS documents no such type for features, so it is reported as
        String (no real sample shows it). A column without any value is Unknown.
        """
        if not self.present:
            return UNKNOWN
        if not self.numeric:
            return STRING
        return FRACTIONAL if self.fractional else INTEGRAL

    def matching(self, expected: str) -> int:
        """Return how many texts satisfy a constraint on type `expected`.

        Any text is a String, and a whole number is a Fractional value: a column must satisfy the constraints that it
        suggested itself.
        """
        if expected == INTEGRAL:
            return self.integral
        if expected == FRACTIONAL:
            return self.integral + self.fractional
        return self.present
