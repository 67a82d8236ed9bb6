# ruff: noqa: T201 - a benchmark prints
"""`make bench`: the analyzer beside a Polars pass that only parses, and beside its peers; writes docs/performance.md.

    .venv-aws/bin/python tests/perf/bench_analyzer.py                 every case, five rounds, then the page
    .venv-aws/bin/python tests/perf/bench_analyzer.py --quick         a tenth of the rows, two rounds, nothing written
    .venv-aws/bin/python tests/perf/bench_analyzer.py --page-only     the page anew from what was measured last

Every pass is a process of its own; within a round all engines take turns, so that whatever else the machine does meets
all of them. Each measurement is kept at once in .local/bench/measurements.jsonl: an interrupted run can go on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bench_page
from bench_data import Case, cases

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / ".local" / "bench"
PAGE = ROOT / "docs" / "performance.md"
ENGINE_SCRIPT = Path(__file__).with_name("bench_engines.py")
PYTHONS = {"own": ROOT / ".venv-aws" / "bin" / "python", "peers": ROOT / ".venv-bench" / "bin" / "python"}
PEERS = {"whylogs": "whylogs", "spark": "pyspark", "evidently": "evidently"}
LONGEST = 1800


def measure(engine: str, path: Path) -> dict[str, Any]:
    """Run one pass; return seconds inside and of the whole process with those it waited for, and peak memory in MB.

    A pass that fails gives `error`, the last line that it said.
    """
    python = PYTHONS["peers" if engine in PEERS else "own"]
    with tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [python, ENGINE_SCRIPT, engine, path], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=HERE
        )
        if process.stdout is None:
            raise RuntimeError("the measured process has no output")
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begin
        if process.returncode:
            errors.seek(0)
            said = [line for line in errors.read().splitlines() if line.strip()]
            return {"error": (said or [f"exit code {process.returncode}"])[-1][:300]}
    inside = json.loads(text.splitlines()[-1])
    return {
        "wall": inside["wall"],
        "cpu": inside["cpu"],
        "process wall": wall,
        "process cpu": usage.ru_utime + usage.ru_stime,
        "peak MB": usage.ru_maxrss / 1024,
    }


def plan(asked: list[Case], rounds: int, missing: dict[str, str]) -> list[tuple[int, Case, str]]:
    """Return (round, case, engine) in the order of measuring: every engine once before any of them again."""
    steps = []
    for number in range(rounds):
        for case in asked:
            if case.most_rounds is not None and number >= case.most_rounds:
                continue
            engines = ["polars", "command"] if case.name.startswith("start-up") else ["polars", "analyzer"]
            engines += [peer for peer in PEERS if case.peers and peer not in missing]
            # Whoever comes first in one round comes last in the next.
            steps += [(number, case, engine) for engine in (engines if number % 2 == 0 else engines[::-1])]
    return steps


def unavailable() -> dict[str, str]:
    """Install the peers' environment; return the error of each peer that cannot be imported there."""
    done = subprocess.run(
        [sys.executable, ROOT / "local" / "install.py", "bench"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or ["no reason given"]
        return dict.fromkeys(PEERS, said[0][:300])
    found = {}
    for peer, module in PEERS.items():
        done = subprocess.run([PYTHONS["peers"], "-c", f"import {module}"], capture_output=True, text=True, check=False)
        if done.returncode:
            found[peer] = done.stderr.strip().splitlines()[-1][:300]
    return found


def versions(missing: dict[str, str]) -> dict[str, str]:
    """Return the versions of what is measured."""
    found = {name: version(name) for name in ("polars", "numba", "numpy")}
    for peer, module in PEERS.items():
        if peer not in missing:
            program = f"import importlib.metadata as m; print(m.version({module!r}))"
            found[module] = subprocess.run(
                [PYTHONS["peers"], "-c", program], capture_output=True, text=True, check=True
            ).stdout.strip()
    return found


def facts(missing: dict[str, str]) -> dict[str, Any]:
    """Return what the page says of the machine, the code and the day."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "machine": f"{model}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "versions": versions(missing),
        "missing": missing,
    }


def measured(path: Path) -> list[dict[str, Any]]:
    """Return the measurements kept so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    """Measure, keep, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the rows, two rounds; prints and writes no page"
    )
    parser.add_argument("--rounds", type=int, help="default: 5")
    parser.add_argument("--no-peers", action="store_true", help="leave whylogs, Spark and Evidently out")
    parser.add_argument("--go-on", action="store_true", help="keep what an interrupted run has measured")
    parser.add_argument("--page-only", action="store_true", help="measure nothing, write the page from what is kept")
    options = parser.parse_args()
    HERE.mkdir(parents=True, exist_ok=True)
    kept = HERE / ("quick.jsonl" if options.quick else "measurements.jsonl")
    about = HERE / ("quick.json" if options.quick else "about.json")
    asked = cases(0.1 if options.quick else 1.0)
    if not options.page_only:
        missing = dict.fromkeys(PEERS, "left out by --no-peers") if options.no_peers else unavailable()
        about.write_text(json.dumps(facts(missing)))
        if not options.go_on:
            kept.unlink(missing_ok=True)
        run(asked, options.rounds or (2 if options.quick else 5), missing, kept)
    page = bench_page.page(json.loads(about.read_text()), asked, measured(kept))
    if options.quick:
        print(page)
    else:
        PAGE.write_text(bench_page.keeping_drift(page, PAGE), encoding="utf-8")
        print(f"{PAGE.relative_to(ROOT)}: written")


def run(asked: list[Case], rounds: int, missing: dict[str, str], kept: Path) -> None:
    """Measure what is not kept yet; files of a case are made when it is first read, and removed at the end."""
    done = {(item["round"], item["case"], item["engine"]) for item in measured(kept)}
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        # Compiling the kernels happens once on a machine, not in a round.
        measure("analyzer", next(case for case in asked if case.peers).write(Path(folder)))
        for number, case, engine in plan(asked, rounds, missing):
            if (number, case.name, engine) in done:
                continue
            path = case.write(Path(folder))
            found = {
                "round": number,
                "case": case.name,
                "engine": engine,
                "bytes": path.stat().st_size,
                "load": os.getloadavg()[0],
                **measure(engine, path),
            }
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            print(
                f"round {number + 1}: {case.name}, {engine}: {found.get('error') or found['process wall']}", flush=True
            )
            if case.most_rounds == 1 and engine == "analyzer":
                path.unlink()


if __name__ == "__main__":
    main()
