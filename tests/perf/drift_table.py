# ruff: noqa: S311, T201 - seeded data; a table prints
"""How often a shift is found, and how often none is cried: AWS's checks and drift_report.json on seeded data.

    PYTHONPATH=include/pipeline_scripts .venv-aws/bin/python tests/perf/drift_table.py --seeds 100

A baseline of 3,500 rows against 700 rows of today, as many pairs as seeds. A pair counts as detected when the shifted
feature is flagged, as a false alarm when any unshifted feature is. The contract files flag by AWS's rules (Robust,
0.1); drift_report.json by the rule `flagged` below, with significance and size both demanded.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "include" / "pipeline_scripts"))

from monitor_analyzer import checks, constraints, drift_report, statistics
from monitor_analyzer.profile import Profile, profile_blocks

BASELINE_ROWS, TODAY_ROWS = 3500, 700
SIGNIFICANT, LARGE, NULLS, UNKNOWN = 0.001, 0.05, 0.01, 0.005
FEATURES = ["amount", "calls", "flag", "plan"]
Columns = dict[str, list[str]]


def sample(generator: random.Random, rows: int) -> Columns:
    """Return an unshifted sample: a continuous number, a count of few values, a flag, a category."""
    return {
        "amount": [repr(generator.gauss(50, 10)) for _ in range(rows)],
        "calls": [str(min(11, int(generator.gammavariate(3, 1.2)))) for _ in range(rows)],
        "flag": [str(int(generator.random() < 0.3)) for _ in range(rows)],
        "plan": generator.choices(["basic", "plus", "family", "business", "trial"], [40, 25, 20, 10, 5], k=rows),
    }


def mapped(
    name: str, change: Callable[[random.Random, str], str]
) -> tuple[str, Callable[[random.Random, Columns], None]]:
    """Return a shift that changes one feature's texts."""

    def apply(generator: random.Random, columns: Columns) -> None:
        columns[name] = [change(generator, text) for text in columns[name]]

    return name, apply


SHIFTS: dict[str, tuple[str, Callable[[random.Random, Columns], None]]] = {
    "none": ("", lambda _generator, _columns: None),
    "mean + 0.3 sd": mapped("amount", lambda _, text: repr(float(text) + 3)),
    "mean + 1 sd": mapped("amount", lambda _, text: repr(float(text) + 10)),
    "scale x 1.5": mapped("amount", lambda _, text: repr(50 + (float(text) - 50) * 1.5)),
    "counts + 1": mapped("calls", lambda _, text: str(int(text) + 1)),
    "binary 30 % to 45 %": mapped("flag", lambda g, text: "1" if text == "0" and g.random() < 0.2143 else text),
    "binary flipped": mapped("flag", lambda _, text: str(1 - int(text))),
    "category mix": mapped("plan", lambda g, text: "plus" if text == "basic" and g.random() < 0.4 else text),
    "new category 3 %": mapped("plan", lambda g, text: "gold" if g.random() < 0.03 else text),
    "nulls 5 %": mapped("amount", lambda g, text: "" if g.random() < 0.05 else text),
}


def profiled(columns: Columns) -> Profile:
    """Return the profile of a sample."""
    return profile_blocks(FEATURES, [[columns[name] for name in FEATURES]])


def flagged(feature: dict[str, Any]) -> bool:
    """Return whether a use case's rule on drift_report.json would flag this feature."""
    test, size = feature.get("ks"), feature.get("ks", {}).get("distance", 0.0)
    if test is None:
        test, size = feature.get("chi_squared"), feature.get("l_infinity", 0.0)
    moved = test is not None and test["p_value"] < SIGNIFICANT and size > LARGE
    nulls = (feature["null_share"]["today"] or 0) - (feature["null_share"]["baseline"] or 0) > NULLS
    unknown = feature.get("new_category_count", 0) > 0 and feature["out_of_range_share"] > UNKNOWN
    return moved or nulls or unknown


def pair(seed: int, shift: str) -> tuple[set[str], set[str]]:
    """Return the features flagged by AWS's rules and by the drift report's."""
    generator = random.Random(f"{seed}/{shift}")
    before, after = profiled(sample(generator, BASELINE_ROWS)), sample(generator, TODAY_ROWS)
    SHIFTS[shift][1](generator, after)
    today = profiled(after)
    baseline = statistics.parse(statistics.document(before), "statistics.json")
    limits = constraints.parse(constraints.suggest(before), "constraints.json")
    report = drift_report.document(today, baseline, frozenset())
    return (
        {violation.feature_name for violation in checks.violations(today, limits, baseline)},
        {feature["name"] for feature in report["features"] if flagged(feature)},
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    seeds = parser.parse_args().seeds
    print(f"{seeds} seeded pairs of {BASELINE_ROWS:,} and {TODAY_ROWS} rows, {len(FEATURES)} features.\n")
    print("| shift | detected by AWS's checks | by drift_report | false alarms of AWS's checks | of drift_report |")
    print("|---|---|---|---|---|")
    for shift, (target, _) in SHIFTS.items():
        pairs = [pair(seed, shift) for seed in range(seeds)]
        cells = [
            f"{sum(target in found[side] for found in pairs) / seeds:.0%}" if target else "" for side in (0, 1)
        ] + [f"{sum(bool(found[side] - {target}) for found in pairs) / seeds:.0%}" for side in (0, 1)]
        print(f"| {shift} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
