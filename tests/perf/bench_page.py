"""docs/performance.md from measurements: medians, ratios, and whether the aims are met."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench_data import Case

Medians = dict[tuple[str, str], dict[str, float]]
KEYS = ("wall", "cpu", "process wall", "process cpu", "peak MB")
NAMES = {"whylogs": "whylogs", "spark": "Spark `local[*]`, KLL in one pass", "evidently": "Evidently, data summary"}
# By process wall: aimed at, and never to be below.
PEER_AIMS = {"whylogs": (20, 10), "spark": (20, 12), "evidently": (20, None)}
DRIFT = "## What either report finds"
FEWEST_ROUNDS = 5
MEMORY_LIMIT, GROWTH_LIMIT, START_LIMIT = 700, 1.15, 1.0


def medians(measurements: Sequence[dict[str, Any]]) -> Medians:
    """Return by (case, engine) the medians of the rounds that ended well, and how many they were."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for item in measurements:
        if "error" not in item:
            found.setdefault((item["case"], item["engine"]), []).append(item)
    return {
        pair: {key: statistics.median(item[key] for item in items) for key in KEYS} | {"rounds": len(items)}
        for pair, items in found.items()
    }


def ratios(measurements: Sequence[dict[str, Any]], case: str, above: str, below: str, key: str) -> float | None:
    """Return the median over rounds of a ratio of two engines in the same round: what the machine did meets both."""
    by_round: dict[int, dict[str, float]] = {}
    for item in measurements:
        if item["case"] == case and "error" not in item:
            by_round.setdefault(item["round"], {})[item["engine"]] = item[key]
    found = [pair[above] / pair[below] for pair in by_round.values() if above in pair and below in pair]
    return statistics.median(found) if found else None


def judged(value: float, aim: float, limit: float | None) -> str:
    """Say whether a ratio that should be small holds."""
    if value <= aim:
        return "met"
    return "**above the limit**" if limit is not None and value > limit else "above the aim, within the limit"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _floor(asked: Sequence[Case], found: Medians, measurements: Sequence[dict[str, Any]]) -> Iterator[str]:
    rows = []
    for case in asked:
        pair = [found.get((case.name, engine)) for engine in ("polars", "analyzer")]
        if None in pair or case.most_rounds == 1:
            continue
        floor, ours = pair
        wall = ratios(measurements, case.name, "analyzer", "polars", "wall")
        cpu = ratios(measurements, case.name, "analyzer", "polars", "cpu")
        verdict = ""
        if case.aim:
            said = (judged(ratio, case.aim, case.limit) for ratio in (cpu, wall))
            verdict = f"{case.aim} / {case.limit}: CPU {' ; wall '.join(said)}"
        size = next(item["bytes"] for item in measurements if item["case"] == case.name)
        rows.append(
            [
                f"{case.name} ({case.rows:,} x {case.columns}, {size / 1e6:.0f} MB)",
                f"{floor['cpu']:.2f}",
                f"{ours['cpu']:.2f}",
                f"**{cpu:.2f}**",
                f"{floor['wall']:.2f}",
                f"{ours['wall']:.2f}",
                f"{wall:.2f}",
                verdict,
                f"{ours['rounds']}",
            ]
        )
    header = [
        "file",
        "Polars CPU s",
        "ours CPU s",
        "CPU x",
        "Polars wall s",
        "ours wall s",
        "wall x",
        "aim / limit",
        "rounds",
    ]
    yield from _table(header, rows)


def _processes(asked: Sequence[Case], found: Medians) -> Iterator[str]:
    rows = [
        [
            case.name,
            "Polars" if engine == "polars" else "analyzer" if engine == "analyzer" else "analyzer, command line",
            f"{run['process wall']:.2f}",
            f"{run['process cpu']:.2f}",
            f"{run['peak MB']:.0f}",
            f"{run['rounds']}",
        ]
        for case in asked
        for engine in ("polars", "analyzer", "command")
        if (run := found.get((case.name, engine)))
    ]
    yield from _table(["file", "engine", "wall s", "CPU s", "peak MB", "rounds"], rows)


def _peers(
    asked: Sequence[Case], found: Medians, measurements: Sequence[dict[str, Any]], missing: dict[str, str]
) -> Iterator[str]:
    rows, errors = [], dict(missing)
    for case in (case for case in asked if case.peers):
        for peer, name in NAMES.items():
            run = found.get((case.name, peer))
            wall = ratios(measurements, case.name, peer, "analyzer", "process wall")
            if run is None or wall is None:
                failed = [item["error"] for item in measurements if item["engine"] == peer and "error" in item]
                errors.setdefault(peer, failed[0] if failed else "no round was measured")
                continue
            aim, limit = PEER_AIMS[peer]
            verdict = "met" if wall >= aim else "**below the limit**" if limit and wall < limit else "below the aim"
            cpu = ratios(measurements, case.name, peer, "analyzer", "process cpu") or 0
            inside = ratios(measurements, case.name, peer, "analyzer", "wall") or 0
            rows.append(
                [
                    name,
                    case.name,
                    f"{run['process wall']:.1f}",
                    f"{run['process cpu']:.1f}",
                    f"{run['peak MB']:.0f}",
                    f"**{wall:.1f}**",
                    f"{cpu:.1f}",
                    f"{inside:.1f}",
                    f"{aim}{f' / {limit}' if limit else ''}: {verdict}",
                    f"{run['rounds']}",
                ]
            )
    header = ["peer", "file", "wall s", "CPU s", "peak MB", "times ours, wall", "CPU", "in-process wall", "aim / limit"]
    yield from _table([*header, "rounds"], rows)
    rounds = [int(row[-1]) for row in rows]
    if rounds and min(rounds) < FEWEST_ROUNDS:
        yield (
            f"**Fewer rounds than {FEWEST_ROUNDS} were measured of the peers** (this machine was too busy for more): "
            "read these ratios as an order of magnitude."
        )
        yield ""
    yield from (f"- {NAMES[peer]}: not measured ({error})" for peer, error in errors.items())
    yield (
        "- Deequ itself: not measured; its jar is in no Python package (pydeequ names a Maven coordinate). Spark's own "
        "aggregates stand for it."
    )
    yield ""


def _bounds(asked: Sequence[Case], found: Medians) -> Iterator[str]:
    small, large = (found.get((name, "analyzer")) for name in ("churn-like 5M", "memory 15M"))
    if small and large:
        growth = large["peak MB"] / small["peak MB"]
        rows = {case.name: case.rows for case in asked}
        held = growth <= GROWTH_LIMIT and large["peak MB"] < MEMORY_LIMIT
        yield (
            f"- Peak resident memory of the process: {small['peak MB']:.0f} MB at {rows['churn-like 5M']:,} rows, "
            f"{large['peak MB']:.0f} MB at {rows['memory 15M']:,}: {growth:.2f} times (limits {GROWTH_LIMIT} times and "
            f"{MEMORY_LIMIT} MB): {'held' if held else '**not held**'}."
        )
    start = found.get(("start-up 10k", "command"))
    if start:
        held = start["process wall"] < START_LIMIT
        yield (
            f"- A 1 MB file by the command line, start-up and both files included: {start['process wall']:.2f} s wall, "
            f"{start['process cpu']:.2f} s CPU (limit {START_LIMIT:.0f} s): {'held' if held else '**not held**'}."
        )
    yield ""


def page(about: dict[str, Any], asked: Sequence[Case], measurements: Sequence[dict[str, Any]]) -> str:
    """Return the page."""
    found = medians(measurements)
    loads = [item["load"] for item in measurements] or [0.0]
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Performance",
        "",
        (
            f"Written by `make bench` on {about['date']} at commit `{about['commit']}`; {about['machine']}; "
            f"{packages}. Seeded data ([bench_data.py](../tests/perf/bench_data.py)); each pass is a process "
            "of its own ([bench_engines.py](../tests/perf/bench_engines.py)); all engines take turns in every round."
        ),
        "",
        (
            f"The machine was shared while this was measured: its load average was {min(loads):.0f} to "
            f"{max(loads):.0f} (median {statistics.median(loads):.0f}). Seconds of wall time tell of the "
            "neighbours as much as of us; ratios are medians of ratios within a round, and **CPU ratios are what to "
            "read**."
        ),
        "",
        "## Beside a pass that only parses",
        "",
        (
            "Polars reads the file once and keeps each column's minimum; the analyzer computes everything that "
            "statistics.json and constraints.json hold: types by raw text, exact sequential moments, KLL sketches, "
            "HyperLogLog++ over the raw text of every column, categories. Dirty files defeat typed parsing: there "
            "Polars reads texts."
        ),
        "",
        *_floor(asked, found, measurements),
        "Whole processes, interpreter and imports included:",
        "",
        *_processes(asked, found),
        "## Beside its peers",
        "",
        (
            "Whole processes, start-up included (Spark: its virtual machine too). None of them computes the same: "
            "whylogs and Evidently load the file as a data frame; Spark gets its schema for nothing."
        ),
        "",
        *_peers(asked, found, measurements, about["missing"]),
        "## Bounds",
        "",
        *_bounds(asked, found),
    ]
    return "\n".join(lines).rstrip() + "\n"


def keeping_drift(text: str, path: Path) -> str:
    """Return the page with the section that drift_table.py wrote, if there is one."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    return text + (f"\n{DRIFT}{before.partition(DRIFT)[2]}" if DRIFT in before else "")
