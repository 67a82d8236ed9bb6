"""Limits of an account, with AWS's defaults; they may be changed while the server runs (`/_local/quotas`)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields
from typing import Any


class QuotaError(ValueError):
    """Why a change of quotas was refused, as one sentence."""


@dataclass
class Quotas:
    """How much may exist at a time; None is no limit.

    Attributes:
        concurrent_executions: executions in an account, of all pipelines together, that are Executing or Stopping.
        concurrent_processing_jobs: processing jobs that are InProgress or Stopping. AWS counts instances by type, with
            limits that differ between accounts, hence no limit unless one is set.
        concurrent_training_jobs: training jobs likewise.
        concurrent_transform_jobs: transform jobs likewise.
        concurrent_tuning_jobs: hyperparameter tuning jobs likewise.
        tags_per_resource: AWS's limit of user tags.
    """

    concurrent_executions: int | None = 20
    concurrent_processing_jobs: int | None = None
    concurrent_training_jobs: int | None = None
    concurrent_transform_jobs: int | None = None
    concurrent_tuning_jobs: int | None = None
    tags_per_resource: int | None = 50
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def document(self) -> dict[str, int | None]:
        """Return all quotas by name."""
        return {name: getattr(self, name) for name in names()}

    def change(self, values: Any) -> None:
        """Set quotas by name, all of them or none.

        Raises:
            QuotaError: a name is unknown, or a value is neither a whole number from 0 nor null.
        """
        if not isinstance(values, dict) or not values:
            raise QuotaError(f"Give a JSON object with some of: {', '.join(names())}.")
        for name, value in values.items():
            if name not in names():
                raise QuotaError(f"There is no quota {name!r}; there are {', '.join(names())}.")
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise QuotaError(f"{name} must be a whole number from 0, or null for no limit, not {value!r}.")
        with self._lock:
            for name, value in values.items():
                setattr(self, name, value)


def names() -> list[str]:
    """Return the names of all quotas."""
    return [each.name for each in fields(Quotas) if not each.name.startswith("_")]


def exceeded(quota: str, limit: int, used: int) -> str:
    """Return what AWS says of a quota that is used up, and how it is raised here."""
    return (
        f"The account-level service limit '{quota}' is {limit}, with current utilization of {used} and a request delta "
        "of 1. Please use AWS Service Quotas to request an increase for this quota. "
        "(The local SageMaker: wait for one to finish, stop one, or raise the quota with PUT /_local/quotas.)"
    )
