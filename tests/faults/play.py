"""Playing the faults: those that hurt only their own day beside each other, those that hurt all runs one by one."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

from local.errors import HouseError
from tests.faults import cloud_faults, part_faults, person_faults, worker_faults
from tests.faults.registry import FAULTS, Expected, Fault
from tests.faults.trial import Measured, Trial
from tests.integration.conftest import Laptop

ROOMS = (worker_faults, part_faults, cloud_faults, person_faults)
TABLE = [fault for room in ROOMS for fault in FAULTS if fault.play.__module__ == room.__name__]
AT_ONCE = 4


@dataclass(frozen=True)
class Row:
    """A fault as it was played.

    Attributes:
        fault: what was done.
        measured: what came of it; None when it never came to an end.
        seconds: from the first request to the last look.
        problem: what was not as it must be; empty when all was.
    """

    fault: Fault
    measured: Measured | None
    seconds: float
    problem: str = ""


def chosen(names: Sequence[str] = (), sample: int = 0, seed: int = 0) -> list[Fault]:
    """Return all faults, those whose id begins with one of the names, or a seeded sample of the short ones.

    Raises:
        HouseError: there is no fault of such a name.
    """
    if names:
        found = [fault for fault in TABLE if any(fault.id.startswith(name) for name in names)]
        unknown = [name for name in names if not any(fault.id.startswith(name) for fault in TABLE)]
        if unknown:
            raise HouseError(f"There is no fault {unknown[0]}.", f"There are {', '.join(f.id for f in TABLE)}.")
        return found
    if sample:
        short = [fault for fault in TABLE if fault.pace == "short"]
        picked = random.Random(seed).sample(short, min(sample, len(short)))  # noqa: S311 - which rows, no secret
        return [fault for fault in TABLE if fault in picked]
    return list(TABLE)


def play(laptop: Laptop, faults: Sequence[Fault], say: Callable[[str], None]) -> list[Row]:
    """Play the faults and return their rows in the table's order; one that fails does not end the others."""
    rows: dict[str, Row] = {}
    speaking = threading.Lock()
    backfilling = {fault.use_case: threading.Lock() for fault in faults}

    def run(fault: Fault) -> None:
        with backfilling[fault.use_case] if fault.backfills else nullcontext():
            row = played(laptop, fault)
        rows[fault.id] = row
        with speaking:
            say(f"{'FAILED' if row.problem else 'ok':6}  {row.seconds:5.0f} s  {fault.id}  {row.problem}".rstrip())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(run, sorted((f for f in faults if not f.alone), key=lambda fault: fault.pace != "long")))
    for fault in faults:
        if fault.alone:
            run(fault)
    return [rows[fault.id] for fault in faults]


def played(laptop: Laptop, fault: Fault) -> Row:
    """Play one fault; whatever goes wrong becomes the row's problem."""
    begun = time.monotonic()
    measured, problem, trial = None, "", None
    try:
        trial = Trial.prepared(laptop, fault.use_case, fault.kind, fault.days)
        expected = fault.play(trial)
        measured = trial.measure()
        problem = compare(expected, measured)
    except Exception as error:  # noqa: BLE001 - a row that fails is shown, and the others are played
        problem = f"{type(error).__name__}: {error}"
        if trial is not None:
            measured, left = leave(trial)
            problem += left
    return Row(fault, measured, time.monotonic() - begun, " ".join(problem.split()))


def compare(expected: Expected, measured: Measured) -> str:
    """Say what differs; empty when nothing does."""
    tasks = {task: measured.tasks.get(task) for task in expected.tasks}
    pairs = {
        "executions": (expected.executions, measured.executions),
        "runs": (expected.runs, measured.runs),
        "tasks": (expected.tasks, tasks),
        "published execution": (expected.published, measured.published),
    }
    return "; ".join(f"{what}: expected {must}, got {is_}" for what, (must, is_) in pairs.items() if must != is_)


def leave(trial: Trial) -> tuple[Measured | None, str]:
    """End what a failed trial left at work, so that it does not disturb the next; return what it had come to."""
    try:
        for run in trial.runs:
            if trial.state(run) in {"queued", "running"}:
                trial.api.request("PATCH", f"/dags/{trial.dag}/dagRuns/{run}", json={"state": "failed"})
        return trial.measure(), ""
    except Exception as error:  # noqa: BLE001 - told beside the first one
        return None, f" (and then {type(error).__name__}: {error})"
