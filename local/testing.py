"""`make test`: every test in the environment that it belongs to, and one sum at the end.

The tests over a real Airflow mostly wait, so they run beside all others; what they print is shown when they have ended.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from local import environment

REPORTS = environment.REPO / ".local" / "test"
NOTHING_COLLECTED = 5
COUNTED = ("tests", "failures", "errors", "skipped")
# What imports Airflow, or needs what only its environment carries (moto). Everything else runs where the jobs run.
AIRFLOW = ("tests/dags", "tests/unit/plugin", "tests/unit/test_locks.py")
LAST = ("tests/integration",)
SLOW = ("tests/perf", "tests/faults", "tests/aws")
# What runs once more on the newest Airflow and the newest amazon provider.
NEWEST = ("tests/dags", "tests/unit/plugin")
# The bundle is for MWAA, which carries what it carries.
NOT_NEWEST = "--ignore=tests/dags/test_mwaa_bundle.py"
ALONE = "slow"
# Plugins that come with MWAA's packages and break pytest 9 when warnings are errors; no test of ours uses them.
NO_PLUGINS = ("-p", "no:anyio", "-p", "no:asyncio")


@dataclass(frozen=True)
class Run:
    """One pytest process."""

    name: str
    venv: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Count:
    """What a run's report counts."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        """Add up two runs."""
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def plan(root: Path, *, slow: bool) -> list[Run]:
    """Sort every test folder and file into a run; a new folder needs no change here unless it wants Airflow."""
    here = sorted(
        str(path.relative_to(root))
        for folder in (root / "tests", root / "tests" / "unit")
        for path in folder.iterdir()
        if path != root / "tests" / "unit" and (path.match("test_*.py") or any(path.glob("**/test_*.py")))
    )
    rest = [path for path in here if path not in {*AIRFLOW, *LAST, *SLOW}]
    runs = [
        Run("airflow", ".venv", tuple(path for path in here if path in AIRFLOW)),
        Run("aws", ".venv-aws", tuple(rest)),
        Run("integration", ".venv-aws", tuple(path for path in here if path in LAST)),
    ]
    if slow:
        runs.append(Run("newest", ".venv-newest", (*(path for path in here if path in NEWEST), NOT_NEWEST)))
        runs.append(Run(ALONE, ".venv-aws", tuple(path for path in here if path in SLOW)))
    return [run for run in runs if run.paths]


def execute(run: Run, arguments: Sequence[str], *, aside: bool = False) -> Count:
    """Run pytest; a run that ends without a report counts as one failure.

    Its output is shown as it comes, or, for a run aside of others, as a whole at its end.
    """
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"{run.name}.xml"
    report.unlink(missing_ok=True)
    command = [str(environment.REPO / run.venv / "bin" / "python"), "-m", "pytest", "-q", *NO_PLUGINS]
    command.append(f"--junitxml={report}")
    print(f"\n=== {run.name}: {' '.join(run.paths)}{' (beside the others)' if aside else ''}", flush=True)
    begun = time.monotonic()
    done = subprocess.run(
        [*command, *run.paths, *arguments],
        cwd=environment.REPO,
        env={**environment.base(), "PYTHONPATH": environment.python_path()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if aside else None,
        stderr=subprocess.STDOUT if aside else None,
        text=True,
        check=False,
    )
    printed = f"\n=== {run.name} printed:\n{done.stdout}" if aside else ""
    print(f"{printed}=== {run.name}: {time.monotonic() - begun:.0f} s", flush=True)
    if done.returncode == NOTHING_COLLECTED and arguments:
        return Count()
    counted = read_report(report) if report.exists() else Count()
    if done.returncode != 0 and counted.failed == 0:
        print(f"=== {run.name}: pytest ended with exit code {done.returncode}; counted as one failure", flush=True)
        return counted + Count(failed=1)
    return counted


def read_report(report: Path) -> Count:
    """Sum up a JUnit report; an error in a fixture is a failure."""
    total = Count()
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - written by our own pytest
        tests, failed, errors, skipped = (
            int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        )
        total += Count(max(tests - failed - errors - skipped, 0), failed + errors, skipped)
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; return 1 when something failed or nothing ran."""
    parser = argparse.ArgumentParser(prog="make test", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also what takes longer: tests/perf, tests/aws")
    given, others = parser.parse_known_args(arguments)
    begun = time.monotonic()
    total = Count()
    runs = plan(environment.REPO, slow=given.all)
    with ThreadPoolExecutor(max_workers=1) as pool:
        aside = [pool.submit(execute, run, others, aside=True) for run in runs if run.paths == LAST]
        for run in runs:
            # What measures has the machine for itself.
            if run.name == ALONE:
                total += sum((future.result() for future in aside), Count())
                aside = []
            if run.paths != LAST:
                total += execute(run, others)
        total += sum((future.result() for future in aside), Count())
    print(f"\n{total.skipped} skipped, {time.monotonic() - begun:.0f} s in all")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
