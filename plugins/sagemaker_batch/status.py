"""What each status of a pipeline execution means. Airflow and botocore agree on nothing else."""

from enum import Enum

from sagemaker_batch.errors import ExecutionError


class Meaning(Enum):
    """What a status says about the work."""

    ACTIVE = "the execution is at work"
    SUCCEEDED = "every step that was to run has succeeded"
    FAILED = "a step failed"
    STOPPED = "someone stopped it: not a success"


# CompletedWithFailures exists since botocore 1.44; MWAA's 1.43 does not know it and may meet it all the same.
MEANINGS: dict[str, Meaning] = {
    "Executing": Meaning.ACTIVE,
    "Stopping": Meaning.ACTIVE,
    "Succeeded": Meaning.SUCCEEDED,
    "Failed": Meaning.FAILED,
    "CompletedWithFailures": Meaning.FAILED,
    "Stopped": Meaning.STOPPED,
}

UNSUCCESSFUL = frozenset(name for name, meaning in MEANINGS.items() if meaning in {Meaning.FAILED, Meaning.STOPPED})


def meaning(status: str) -> Meaning:
    """Return what the status means.

    Raises:
        ExecutionError: AWS says something that this version does not know; guessing could publish a failed day.
    """
    try:
        return MEANINGS[status]
    except KeyError:
        raise ExecutionError(
            f"The execution's status is {status!r}, which this version does not know; it is neither success nor "
            f"failure to us. Known: {', '.join(MEANINGS)}. Look at the execution in SageMaker, and update the package."
        ) from None


def is_terminal(status: str) -> bool:
    """Tell whether nothing can change any more."""
    return meaning(status) is not Meaning.ACTIVE
