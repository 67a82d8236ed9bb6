# ruff: noqa: T201 - a benchmark prints
"""`make bench-local`: what the local SageMaker promises of its speed, measured, and docs/performance-local.md.

    PYTHONPATH=.:plugins .venv-aws/bin/python -m tests.perf.bench_local --write    everything, then the page
    PYTHONPATH=.:plugins .venv-aws/bin/python -m tests.perf.bench_local --quick    a glance, nothing written

What is compared with another way runs by turns in one process, so a busy machine meets all ways alike; those figures
are ratios, of wall time and of CPU. The others are times that a person waits, and the page tells the machine's load.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.perf import bench_api, bench_day, bench_engine, bench_fifty, bench_transform
from tests.sagemaker_local.conftest import LocalAws

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance-local.md"


class Loads:
    """The machine's load average while something is measured."""

    def __init__(self) -> None:
        self._seen: list[float] = []

    def look(self) -> None:
        """Remember it as it is now."""
        self._seen.append(os.getloadavg()[0])

    def __str__(self) -> str:
        return f"{min(self._seen):.1f} to {max(self._seen):.1f} (median {statistics.median(self._seen):.1f})"


def promises(*, quick: bool, loads: Loads) -> list[tuple[str, str, str, bool]]:
    """Return what is promised, how much, what was found, and whether that keeps it."""
    executions, days = (8, 2) if quick else (40, 7)
    with tempfile.TemporaryDirectory() as name:
        aws = LocalAws(Path(name) / "aws", "--concurrent-executions", "100").start()
        try:
            loads.look()
            api = bench_api.measure(aws)
            loads.look()
            fifty, results, statuses = bench_fifty.measure(aws)
        finally:
            aws.close()
    loads.look()
    engine = bench_engine.measure(executions)
    loads.look()
    taken, rows = bench_day.measure(days)
    loads.look()
    first, process = statistics.median(engine["first step"]), statistics.median(engine["first process"])
    right = statuses == {"Succeeded"} and results == bench_fifty.wanted()
    day = statistics.median(taken)
    return [
        (
            "describe, p50",
            "under 5 ms",
            f"{api.p50 * 1000:.2f} ms (p99 {api.p99 * 1000:.1f} ms; {api.cost * 1000:.2f} ms CPU)",
            api.p50 < 0.005,
        ),
        (
            "describes a second, four connections",
            "200",
            f"{api.rate:.0f} ({1 / api.cost:.0f} a second of CPU)",
            api.rate > 200,
        ),
        (
            "a page of 100 executions, of 10,100 in the store",
            "not slower than of 100",
            f"{api.many}, in their middle {api.middle}; of 100 {api.few}",
            max(api.many.cpu, api.middle.cpu) < 2 * api.few.cpu + 0.002,
        ),
        (
            "a search for a status, of 10,100",
            "no promise",
            f"{api.search_many}; of 100 {api.search_few}",
            True,
        ),
        (
            "from start to the first step",
            "under 150 ms",
            f"median {first:.0f} ms of {executions}; its process after {process:.0f} ms",
            first < 150,
        ),
        (
            f"{bench_fifty.AT_A_TIME} executions at a time",
            "each its own result",
            f"{'all right' if right else 'WRONG'}, {fifty:.1f} s for all",
            right,
        ),
        (
            f"a day of the example ({rows:,} rows) through its batch pipeline",
            "under 5 s",
            f"median {day:.1f} s of {days} days ({min(taken):.1f} to {max(taken):.1f})",
            day < 5,
        ),
    ]


def transform(*, quick: bool, loads: Loads) -> tuple[str, bool]:
    """Return the table of the batch transform, and whether it keeps what is promised: 1.5 times, and a hundredth."""
    rows, rounds = (100_000, 2) if quick else (1_000_000, 5)
    with tempfile.TemporaryDirectory() as name:
        found = bench_transform.measure(bench_transform.Sides(Path(name), rows), rounds)
    loads.look()
    memory = {count: bench_transform.peak_megabytes(count) for count in (rows, 5 * rows)}
    loads.look()
    ratios = [bench_transform.ratios(found, clock) for clock in (0, 1)]
    near = all(min(each[side] for each in ratios) <= 1.5 for side in ("transform", "joined"))
    far = max(bench_transform.loop_ratio(found, clock) for clock in (0, 1)) >= 100
    flat = memory[5 * rows] <= memory[rows] * 1.1
    told = [
        f"{what}: {'kept' if good else '**not kept**'}"
        for what, good in (
            ("Within 1.5 times, by the better of wall and CPU", near),
            ("a hundredth", far),
            ("flat", flat),
        )
    ]
    return f"{bench_transform.table(found, rows, memory)}\n\n{'; '.join(told)}.", near and far and flat


def page(kept: list[tuple[str, str, str, bool]], table: str, loads: Loads) -> str:
    """Return the page."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    measured = (
        f"Written by `make bench-local` on {datetime.now(UTC):%Y-%m-%d} at commit `{commit}`; {_processor()}, "
        f"{os.cpu_count()} processors, Python {platform.python_version()}. The machine's load average while it was "
        f"measured: {loads}. Above 2 the neighbours are in every time below; ratios, and what stands as CPU, hold all "
        "the same."
    )
    day = (
        "A day's batch pipeline is a Lambda, the preparation of the batch, the data-quality check and the batch "
        "transform, each a process of its own, on the example's own data; by the server's own times."
    )
    promised = (
        "Promised: within 1.5 times of parsing and predicting in memory, a hundredth of a loop over lines, memory that "
        "does not grow with the file."
    )
    rows = [f"| {what} | {much} | {found} | {'kept' if good else '**not kept**'} |" for what, much, found, good in kept]
    lines = [
        "# How fast `sagemaker_local` is",
        "",
        measured,
        "",
        "| | promised | found | |",
        "|---|---|---|---|",
        *rows,
    ]
    lines += ["", day, "", "## Batch transform", "", promised, "", table, ""]
    return "\n".join(lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> int:
    """Measure, print, and write the page when asked; return 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/performance-local.md")
    parser.add_argument("--quick", action="store_true", help="a glance; nothing is written")
    given = parser.parse_args()
    loads = Loads()
    kept = promises(quick=given.quick, loads=loads)
    for what, promised, found, good in kept:
        print(f"{what}: {found} (promised: {promised}){'' if good else ' NOT KEPT'}", flush=True)
    table, good = transform(quick=given.quick, loads=loads)
    print(f"{table}\nload average {loads}", flush=True)
    if given.write and not given.quick:
        PAGE.write_text(page(kept, table, loads), encoding="utf-8")
        print(f"wrote {PAGE}", file=sys.stderr)
    return 0 if good and all(each for *_, each in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
