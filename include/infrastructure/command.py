"""The shell of every command of this folder: which environment and use cases, and one message for what goes wrong."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from include.infrastructure.environment import FOLDER, Environment, EnvironmentFileError, load_environment
from include.infrastructure.site import DeploymentError
from sagemaker_batch.use_case import UseCase, UseCaseError, load_use_case

ROOT = Path(__file__).parents[2]
USE_CASES = ROOT / "dags" / "use_cases"
# What a shell calls the end by Ctrl-C.
INTERRUPTED = 130
FORESEEN: tuple[type[Exception], ...] = (EnvironmentFileError, UseCaseError, DeploymentError)


def add_environment(parser: argparse.ArgumentParser) -> None:
    """Let the command be told its environment."""
    parser.add_argument("--environment", default="local", help="name of a file in include/infrastructure/environments")
    parser.add_argument("--environments", type=Path, default=FOLDER, help="folder of the environments' files")


def add_use_cases(parser: argparse.ArgumentParser) -> None:
    """Let the command be told where the use cases lie."""
    parser.add_argument("--use-cases", type=Path, default=USE_CASES, help="folder of the use-case files")


def environment(given: argparse.Namespace) -> Environment:
    """Return the environment that was named.

    Raises:
        EnvironmentFileError: there is none of that name, or its file is wrong.
    """
    return load_environment(given.environment, given.environments)


def use_cases(given: argparse.Namespace) -> list[UseCase]:
    """Return all use cases of the folder that was named, by file name.

    Raises:
        UseCaseError: one of them is wrong.
    """
    return [load_use_case(path) for path in sorted(given.use_cases.glob("*.yaml"))]


def run(work: Callable[[], int], *foreseen: type[Exception]) -> int:
    """Do the work and return its exit code; of what goes wrong print the message, and return 1 (130 for Ctrl-C).

    Args:
        work: what the command does.
        foreseen: errors of the command's own, whose messages are for a person.
    """
    try:
        return work()
    except FORESEEN + foreseen as error:
        print(error, file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(
            f"AWS refused or could not be reached: {error}\n"
            "Check AWS_ENDPOINT_URL (the laptop: is it up?), credentials and permissions, then repeat: "
            "a deployment keeps what it made and finds it again.",
            file=sys.stderr,
        )
    except OSError as error:
        if error.filename is None:
            raise
        print(
            f"{error.filename} cannot be read or written: {error.strerror}. Check its owner and rights, and the disk.",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("\nInterrupted. What was done so far stands; the same command finds it and goes on.", file=sys.stderr)
        return INTERRUPTED
    return 1


def asked(question: str) -> str:
    """Return what a person answers; nothing when the input ends (Ctrl-D)."""
    try:
        return input(question).strip()
    except EOFError:
        print()
        return ""
