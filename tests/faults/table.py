"""docs/reliability.md and docs/reliability-newest.md: a row per fault, as it was measured. Pure but for asking git."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local import environment
from tests.faults.play import Row

DOCS = environment.REPO / "docs"
HEAD = """\
# Reliability: what happens when something breaks (Airflow {airflow})

`make faults` makes this page on the versions of Amazon MWAA, `make faults AIRFLOW=newest` its sibling on the newest. It
starts PostgreSQL, Airflow {airflow} with amazon provider {amazon} (scheduler, triggerer, dag-processor, api-server,
LocalExecutor) and the local SageMaker, breaks each thing while a batch day is at work, and reads what came of it.
Executions are counted inside the local SageMaker, the published day is read as a consumer reads it and its predictions
are counted. Nothing here is typed by hand, and a row that is not as it must be says so.

Measured at commit {commit} on {date}, {count} faults in {minutes:.0f} minutes on {cores} cores. Airflow's patience is
shortened for it (a worker that is silent for {patience} s is dead; by default 300 s), and a retry comes after 1 s.

| Fault | What was done | Executions started | Final state | Published | Seconds | As it must be |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Circumstances:
    """How the rows were measured: seconds of playing, both versions, seconds until a silent worker is dead."""

    seconds: float
    airflow: str
    amazon: str
    patience: str


def write(rows: Sequence[Row], how: Circumstances, page: str) -> Path:
    """Write the page of that name; return its path."""
    path = DOCS / page
    path.write_text(render(rows, how, commit_id(), datetime.now(UTC)), encoding="utf-8")
    return path


def render(rows: Sequence[Row], how: Circumstances, commit: str, now: datetime) -> str:
    """Return the page."""
    head = HEAD.format(
        airflow=how.airflow,
        amazon=how.amazon,
        commit=commit,
        date=f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        count=len(rows),
        minutes=how.seconds / 60,
        cores=os.cpu_count(),
        patience=how.patience,
    )
    return head + "".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells(row))} |\n" for row in rows)


def cells(row: Row) -> list[str]:
    """Return a row's cells."""
    measured, fault = row.measured, row.fault
    judged = f"**no**: {row.problem[:400]}" if row.problem else "yes"
    if measured is None:
        return [fault.name, fault.done, "?", "not reached", "?", f"{row.seconds:.0f}", judged]
    runs = " and ".join(measured.runs)
    state = f"run {runs}; execution {', '.join(measured.executions)}" if measured.executions else f"run {runs}"
    count = len(measured.executions)
    published = "nothing"
    if measured.published is not None:
        published = "the day" if count == 1 else f"the day, from execution {measured.published} of {count}"
    return [fault.name, fault.done, str(count), state, published, f"{row.seconds:.0f}", judged]


def commit_id(repo: Path = environment.REPO) -> str:
    """Return the commit that was measured, and whether files other than these pages differed from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=repo, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/reliability*.md")
    return git("rev-parse", "--short=10", "HEAD") + (" with uncommitted changes" if changed else "")
