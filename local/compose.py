"""`make compose-secrets`: the .env of docker-compose.yaml for an environment, with fresh secrets; never overwritten."""

import argparse
import base64
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from include.infrastructure.environment import Environment, EnvironmentFileError, load_environment
from local.environment import REPO
from sagemaker_batch import names

FILE = REPO / ".env"
LAPTOP = "local"


def variables(environment: Environment) -> dict[str, str]:
    """Return what docker-compose.yaml asks for, and what boto3 reads."""
    found = {
        "FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "API_SECRET_KEY": secrets.token_urlsafe(32),
        "JWT_SECRET": secrets.token_urlsafe(32),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(24),
        "BATCH_ENVIRONMENT": environment.name,
        "BATCH_BUCKET": environment.bucket,
        "BATCH_TOPIC_ARN": names.topic_arn(environment.name, environment.region, environment.account),
        "AWS_DEFAULT_REGION": environment.region,
    }
    if environment.name == LAPTOP:
        found |= {
            "AWS_ENDPOINT_URL": "http://local-aws:4566",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
    return found


def write(environment: Environment, file: Path) -> None:
    """Write the file, readable by its owner only.

    Raises:
        FileExistsError: it is there already.
    """
    text = "".join(f"{name}={value}\n" for name, value in variables(environment).items())
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make compose-secrets", description=__doc__)
    parser.add_argument("--environment", default=LAPTOP)
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args(arguments)
    try:
        environment = load_environment(given.environment)
        write(environment, given.out)
    except EnvironmentFileError as error:
        print(error, file=sys.stderr)
        return 1
    except FileExistsError:
        print(f"{given.out} is there already and was left as it is. Remove it for new secrets.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{given.out} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"{given.out} written; it holds secrets and is never committed.")
    if environment.name != LAPTOP:
        print("Add AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where needed, AWS_SESSION_TOKEN.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
