"""How a script ends: exit code 0, or one message for a person where SageMaker reads it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

# ExitMessage and FailureReason keep this much.
MESSAGE_LIMIT = 1024


class InputError(Exception):
    """What the job was given cannot be used; the message says what, where, and what to do."""


def run(work: Callable[[], None], message: Path) -> int:
    """Run the work; on an error write its message for SageMaker and return exit code 1."""
    try:
        work()
    except InputError as error:
        said = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the person gets a message and the log the traceback
        traceback.print_exc()
        said = f"Unexpected {type(error).__name__}: {error}. The traceback stands in the job's log."
    else:
        return 0
    print(said, file=sys.stderr)
    message.parent.mkdir(parents=True, exist_ok=True)
    message.write_text(said[:MESSAGE_LIMIT], encoding="utf-8")
    return 1
