"""What of an execution's steps has been shown in the task's log, and when to list them again."""

import logging
from typing import Any

# Nobody promises that an execution's LastModifiedTime moves with each step, so the steps are listed this often anyway.
STEPS_EVERY_POLLS = 10


class StepProgress:
    """Prints each change of a step once. Lists the steps only when the execution itself has changed.

    `LastModifiedTime` and status tell that; because AWS does not say that a step's progress moves the former, the steps
    are listed at every tenth poll too.
    """

    def __init__(self, log: logging.Logger | Any, remembered: dict[str, Any] | None = None) -> None:
        self.log = log
        remembered = remembered or {}
        self.seen: dict[str, str] = dict(remembered.get("seen", {}))
        self.version: list[str] = list(remembered.get("version", []))
        self.polls = int(remembered.get("polls", 0))

    def show(self, client: Any, arn: str, answer: dict[str, Any]) -> None:
        """Look at what Describe answered; print the steps that changed since the last listing."""
        from sagemaker_batch.execution import read_steps

        version = [str(answer.get("LastModifiedTime", "")), answer["PipelineExecutionStatus"]]
        self.polls += 1
        if version == self.version and self.polls < STEPS_EVERY_POLLS:
            return
        for step in read_steps(client, arn):
            if self.seen.get(step.name) != step.status:
                self.seen[step.name] = step.status
                self.log.info("%s: %s%s", step.name, step.status, f" ({step.reason})" if step.reason else "")
        self.version, self.polls = version, 0

    def remember(self) -> dict[str, Any]:
        """Return what the next look needs when another process makes it."""
        return {"seen": self.seen, "version": self.version, "polls": self.polls}
