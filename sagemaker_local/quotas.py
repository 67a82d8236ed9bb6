"""Limits of an account, with AWS's defaults."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quotas:
    """How much may exist at a time.

    Attributes:
        concurrent_executions: executions in an account, of all pipelines together, that are Executing or Stopping.
        tags_per_resource: AWS's limit of user tags.
    """

    concurrent_executions: int = 20
    tags_per_resource: int = 50
