# ruff: noqa: S311, T201 - seeded data; a benchmark prints
"""Benchmark of the analyzer against one Polars parse-only pass of the same file, both in one run, rounds alternated.

    PYTHONPATH=include/pipeline_scripts .venv-aws/bin/python tests/perf/bench_analyzer.py --rows 1000000 --rounds 5

Prints a Markdown table of medians: wall and CPU of the pass itself (in-process, kernels loaded) and of the whole
process, and the peak resident memory of the process. Quote the ratios, not the seconds: machines differ.
Data are seeded. Peers that are not installed are listed with their error, never dropped.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "include" / "pipeline_scripts"
PEERS = {"whylogs": "whylogs", "Spark (pyspark)": "pyspark", "Evidently": "evidently"}


def churn_like(generator: random.Random, row: int) -> list[str]:
    """One row of the telephone carrier's shape: 21 columns, whole numbers and one or two decimals."""
    usage: list[str] = []
    for _ in range(4):
        usage += [
            f"{generator.gammavariate(9, 20):.1f}",
            str(int(generator.gauss(100, 10))),
            f"{generator.gammavariate(9, 3.4):.2f}",
        ]
    return [
        f"S{generator.randrange(51)}",
        str(generator.randrange(1, 244)),
        generator.choice(("408", "415", "510")),
        str(1_000_000 + row),
        generator.choice(("no", "yes")),
        generator.choice(("no", "yes")),
        str(generator.randrange(52)),
        *usage,
        str(generator.randrange(10)),
        generator.choice(("False.", "True.")),
    ]


def raw_floats(generator: random.Random, row: int) -> list[str]:
    """Twelve 17-digit floats and two wide whole numbers."""
    return [*(repr(generator.gauss(0, 1)) for _ in range(12)), str(2**59 + row), str(generator.getrandbits(60))]


def dirty(generator: random.Random, row: int) -> list[str]:
    """Text in numbers, late floats, quoted fields, nulls, on the churn-like shape."""
    fields = churn_like(generator, row)
    if row % 97 == 0:
        fields[1] = "n/a"
    if row % 1000 == 999:
        fields[6] = "1.5"
    fields[4] = f'"{fields[4]}, said ""so"""'
    for index in (8, 12):
        if generator.random() < 0.05:
            fields[index] = ""
    return fields


def wide(generator: random.Random, row: int) -> list[str]:
    """200 columns: flags, counts and floats."""
    del row
    return [
        *(str(generator.randrange(2)) for _ in range(120)),
        *(str(generator.randrange(100)) for _ in range(40)),
        *(f"{generator.random():.4f}" for _ in range(40)),
    ]


SHAPES: dict[str, tuple[Callable[[random.Random, int], list[str]], float]] = {
    "churn-like": (churn_like, 1.0),
    "raw floats": (raw_floats, 1.0),
    "dirty": (dirty, 1.0),
    "200 columns": (wide, 0.1),
}
# Rows beyond this repeat: generating millions in Python would take longer than every measurement.
DISTINCT_ROWS = 100_000


def write(path: Path, shape: str, rows: int) -> None:
    """Write a seeded file of a shape."""
    make, _ = SHAPES[shape]
    generator = random.Random(1729)
    lines = [",".join(make(generator, row)) + "\n" for row in range(min(rows, DISTINCT_ROWS))]
    width = len(lines[0].split(",")) if shape != "dirty" else len(churn_like(random.Random(1), 0))
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(f"c{index}" for index in range(width)) + "\n")
        left = rows
        while left > 0:
            file.writelines(lines[:left])
            left -= len(lines)


def child(engine: str, path: Path) -> None:
    """Run one pass in this process and print its wall and CPU seconds."""
    if engine == "polars":
        import polars as pl

        # Text in numbers would end a typed pass: the floor of such a file is reading its fields as text.
        schema = {"infer_schema": False} if "dirty" in path.name else {}

        def work() -> object:
            return pl.scan_csv(path, **schema).select(pl.all().min()).collect(engine="streaming")

    else:
        sys.path.insert(0, str(SCRIPTS))
        from monitor_analyzer import compiled, constraints
        from monitor_analyzer import statistics as facts
        from monitor_analyzer.dataset import DatasetFormat, profile_dataset

        if compiled.wanted(path.stat().st_size):
            with tempfile.TemporaryDirectory() as folder:
                tiny = Path(folder) / "tiny.csv"
                tiny.write_text("a,b\n1.25,x\n123456789.123456789,y\n")
                os.environ[compiled.SETTING] = "compiled"
                profile_dataset(tiny, DatasetFormat())

        def work() -> object:
            profile = profile_dataset(path, DatasetFormat())
            return facts.document(profile), constraints.suggest(profile)

    wall, cpu = time.perf_counter(), time.process_time()
    work()
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


def measure(engine: str, path: Path) -> dict[str, float]:
    """Run one pass in a process of its own; seconds inside and of the whole process, and its peak memory in MB."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", engine, str(path)], stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise RuntimeError("the measured process has no output")
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{engine} on {path.name} ended with {process.returncode}")
    inside = json.loads(text.splitlines()[-1])
    return {
        "wall": inside["wall"],
        "cpu": inside["cpu"],
        "process wall": time.perf_counter() - begin,
        "process cpu": usage.ru_utime + usage.ru_stime,
        "peak MB": usage.ru_maxrss / 1024,
    }


def compare(path: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Return medians by engine of alternated rounds."""
    runs: dict[str, list[dict[str, float]]] = {"polars": [], "analyzer": []}
    for _ in range(rounds):
        for engine, found in runs.items():
            found.append(measure(engine, path))
    return {
        engine: {key: statistics.median(run[key] for run in found) for key in found[0]}
        for engine, found in runs.items()
    }


def lines(label: str, size: int, medians: dict[str, dict[str, float]]) -> Iterator[str]:
    """Yield one table row for each engine; the ratios are analyzer to Polars."""
    floor = medians["polars"]
    for engine, run in medians.items():
        yield (
            f"| {label} ({size / 1e6:.0f} MB) | {engine} | {run['wall']:.2f} | {run['wall'] / floor['wall']:.2f} "
            f"| {run['cpu']:.2f} | {run['cpu'] / floor['cpu']:.2f} | {run['process wall']:.2f} "
            f"| {run['process cpu']:.2f} | {run['peak MB']:.0f} |"
        )


def peers() -> Iterator[str]:
    """Yield a line for every peer that cannot run here."""
    for name, module in PEERS.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            yield f"- {name}: not run ({error})"
        else:
            yield f"- {name}: installed; not part of this script's runs"


def main() -> None:
    """Measure what the arguments ask for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs=2, metavar=("ENGINE", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shapes", nargs="*", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--memory", action="store_true", help="also 5M and 15M churn-like rows, once each")
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    print("| data | engine | wall s | x | CPU s | x | process wall s | process CPU s | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            (shape, shape, max(1000, int(options.rows * SHAPES[shape][1])), options.rounds) for shape in options.shapes
        ]
        jobs.append(("start-up", "churn-like", 10_000, options.rounds))
        if options.memory:
            jobs += [("memory 5M", "churn-like", 5_000_000, 1), ("memory 15M", "churn-like", 15_000_000, 1)]
        for label, shape, rows, rounds in jobs:
            path = Path(folder) / f"{shape.replace(' ', '-')}-{rows}.csv"
            write(path, shape, rows)
            for line in lines(f"{label}, {rows:,} rows", path.stat().st_size, compare(path, rounds)):
                print(line, flush=True)
            path.unlink()
    print()
    print("\n".join(peers()))


if __name__ == "__main__":
    main()
