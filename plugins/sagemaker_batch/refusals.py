"""What a refusal of AWS means: hopeless, a quota, a moment that passes. One table for starting, waiting, retrying."""

import random
from datetime import timedelta
from enum import Enum
from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy

BACKOFF_LIMIT_SECONDS = 300.0


class Refusal(Enum):
    """What can be done about a failed call."""

    GONE = "what was asked for does not exist"
    HOPELESS = "no repetition cures it"
    QUOTA = "the account's quota is used up: there will be room again"
    THROTTLED = "too many calls at a time: the call was not carried out"
    PASSING = "a bad moment of the service or the network: the call may have been carried out"
    UNKNOWN = "none of the above"


CODES = {
    **dict.fromkeys(("ResourceNotFound", "ResourceNotFoundException"), Refusal.GONE),
    **dict.fromkeys(
        (
            "ValidationException",
            "ValidationError",
            "AccessDenied",
            "AccessDeniedException",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
        ),
        Refusal.HOPELESS,
    ),
    "ResourceLimitExceeded": Refusal.QUOTA,
    **dict.fromkeys(
        (
            "RequestLimitExceeded",
            "SlowDown",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ),
        Refusal.THROTTLED,
    ),
    **dict.fromkeys(
        ("InternalFailure", "InternalServerError", "RequestTimeout", "ServiceUnavailable"), Refusal.PASSING
    ),
}
WAITS = frozenset({Refusal.THROTTLED, Refusal.PASSING})


def refusal(error: BaseException) -> Refusal:
    """Return what the error of a boto3 call means, by its code, its HTTP status, or its kind."""
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection

    if isinstance(error, ClientError):
        known = CODES.get(error.response.get("Error", {}).get("Code", ""))
        http = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if known is not None:
            return known
        if http == 429:
            return Refusal.THROTTLED
        return Refusal.PASSING if http >= 500 else Refusal.UNKNOWN
    return Refusal.PASSING if isinstance(error, (NoConnection, HTTPClientError)) else Refusal.UNKNOWN


def passes(error: BaseException) -> bool:
    """Tell whether asking again later can succeed: throttling, 5xx, no connection, no answer."""
    return refusal(error) in WAITS


def backoff(seconds: float, troubles: int) -> float:
    """Return the pause after so many failures in a row: doubling, with jitter, at most five minutes."""
    longest = min(BACKOFF_LIMIT_SECONDS, max(seconds, 0.1) * 2 ** min(troubles, 12))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreading load, not a secret


class AwsRetryPolicy(RetryPolicy):
    """Retries by what the error means: never the hopeless, with growing pauses what passes, else as the task says.

    Airflow's ExceptionRetryPolicy matches classes, and botocore raises one class, ClientError, for everything: the
    code in it decides. Evaluated in the task's process; the scheduler only sees the decision.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002 - Airflow's signature
        context: Any = None,  # noqa: ARG002 - Airflow's signature
    ) -> RetryDecision:
        """Decide about one failure."""
        kind = refusal(exception)
        if kind in {Refusal.HOPELESS, Refusal.GONE}:
            return RetryDecision.fail(f"{kind.value}: {exception}")
        if kind in {Refusal.QUOTA, *WAITS}:
            pause = timedelta(seconds=round(backoff(30.0, try_number)))
            return RetryDecision.retry(pause, f"{kind.value}: {exception}")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return a name alone: there is nothing to configure."""
        return {"__type": "AwsRetryPolicy"}
