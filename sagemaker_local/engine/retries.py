"""Retry policies of a step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sagemaker_local.definition import without_nulls

_DEFAULT_INTERVAL = 1.0
_DEFAULT_BACKOFF = 2.0


@dataclass
class Retries:
    """Counts the attempts under each policy.

    Attributes:
        policies: as they stand in the definition.
        began: when the step began, epoch seconds.
        used: how often each policy was used already, by a former server too.
    """

    policies: list[dict[str, Any]]
    began: float
    used: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start every count that is not known at zero."""
        self.policies = [without_nulls(policy) for policy in self.policies]
        self.used = [*self.used, *[0] * len(self.policies)][: len(self.policies)]

    def delay(self, exception_type: str | None, now: float) -> float | None:
        """Return the seconds to wait before another attempt, or None when there shall be none.

        The n-th repetition waits IntervalSeconds * BackoffRate ** (n - 1). MaxAttempts counts repetitions.
        """
        for number, policy in enumerate(self.policies):
            kinds = policy["ExceptionType"]
            if exception_type is None or exception_type not in ([kinds] if isinstance(kinds, str) else kinds):
                continue
            used = self.used[number]
            if "MaxAttempts" in policy and used >= policy["MaxAttempts"]:
                return None
            wait = (
                policy.get("IntervalSeconds", _DEFAULT_INTERVAL) * policy.get("BackoffRate", _DEFAULT_BACKOFF) ** used
            )
            if "ExpireAfterMin" in policy and now + wait > self.began + policy["ExpireAfterMin"] * 60:
                return None
            self.used[number] += 1
            return float(wait)
        return None
