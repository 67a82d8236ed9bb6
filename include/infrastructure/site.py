"""Where a deployment works: environment, clients, and whether it may act; and what every step of it says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import boto3
from botocore.exceptions import ClientError

from include.infrastructure.environment import Environment
from sagemaker_batch.use_case import UseCase

Outcome = Literal["created", "updated", "unchanged"]
SERVICES = ("s3", "iam", "lambda", "sns", "sqs", "sagemaker", "sts", "events", "logs", "cloudwatch")
ABSENT = {
    "404", "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "NotFound", "NotFoundException", "ResourceNotFound",
    "ResourceNotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucketPolicy", "NoSuchPublicAccessBlockConfiguration", "NoSuchLifecycleConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError", "NoSuchTagSet",
}  # fmt: skip


class DeploymentError(Exception):
    """Something stands in the way of the deployment; the message says what and what to do."""


@dataclass(frozen=True)
class Change:
    """What happened, or would happen, to one resource; `details` are lines that say how it differs."""

    outcome: Outcome
    kind: str
    name: str
    details: tuple[str, ...] = ()


@dataclass
class Site:
    """One environment as boto3 reaches it. With `act=False` nothing is changed, only said. Use it in a `with`."""

    environment: Environment
    use_cases: list[UseCase]
    act: bool
    clients: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, service: str) -> Any:
        # Only called for what is no field: a service by its name, `functions` for Lambda.
        name = "lambda" if service == "functions" else service
        if name not in SERVICES:
            raise AttributeError(service)
        if name not in self.clients:
            # Any: the stubs want literals where our names and settings are plain texts.
            session: Any = boto3.Session(region_name=self.environment.region)
            self.clients[name] = session.client(name)
        return self.clients[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients.values():
            client.close()

    def check_account(self) -> None:
        """Refuse to work in another account than the environment's.

        Raises:
            DeploymentError: the accounts differ.
        """
        account = self.sts.get_caller_identity()["Account"]
        if account != self.environment.account:
            raise DeploymentError(
                f"The credentials belong to account {account}, but environment {self.environment.name!r} is account "
                f"{self.environment.account}. For the laptop set AWS_ENDPOINT_URL (start it with `make up`); "
                "otherwise use that account's credentials."
            )


def find(call: Callable[[], Any]) -> Any:
    """Return what a call answers, or None when there is no such thing."""
    try:
        return call()
    except ClientError as error:
        gone = code_of(error) in ABSENT
        # Model package groups have no error of their own for it.
        if gone or (code_of(error) == "ValidationException" and "does not exist" in str(error)):
            return None
        raise


def code_of(error: ClientError) -> str:
    """Return the code of an AWS error."""
    return error.response.get("Error", {}).get("Code", "")
