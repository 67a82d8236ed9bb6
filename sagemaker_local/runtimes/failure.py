"""How a program that stands for a container fails: a message in ``output/failure``, an exit code for whose fault."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

USER_ERROR = 2
ALGORITHM_ERROR = 1


class UserError(Exception):
    """What the job was given cannot be used; the message says what, where, and what to do."""


class ScriptError(Exception):
    """A person's program failed; the message says which, at what, and how."""


def run(ml: Path, work: Callable[[Path], None]) -> int:
    """Do the work of a job below its ``/opt/ml``; return the exit code: 0, 2 (input of the user) or 1 (ours)."""
    try:
        work(ml)
    except UserError as error:
        _tell(ml, str(error))
        return USER_ERROR
    except ScriptError as error:
        _tell(ml, str(error))
        return ALGORITHM_ERROR
    except MemoryError:
        _tell(ml, "The job ran out of memory. Give it smaller files, or run it where there is more memory.")
        return ALGORITHM_ERROR
    except Exception as error:  # noqa: BLE001 - whatever it was, the job's FailureReason and its log must tell it
        traceback.print_exc()
        _tell(ml, f"{type(error).__name__}: {error}")
        return ALGORITHM_ERROR
    return 0


def _tell(ml: Path, message: str) -> None:
    print(message, file=sys.stderr, flush=True)
    target = ml / "output" / "failure"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(message)
