# ruff: noqa: S311, T201 - seeded data; a table prints
"""How often a shift is found, and how often none is cried: AWS's checks and drift_report.json on seeded data.

    PYTHONPATH=include/pipeline_scripts .venv-aws/bin/python tests/perf/drift_table.py --seeds 100

A baseline of 3,500 rows against 700 rows of today, as many pairs as seeds. A pair counts as detected when the shifted
feature is flagged, as a false alarm when any unshifted feature is. The contract files flag by AWS's rules (Robust,
0.1); drift_report.json by the rule of `severity.report: drift_report` with its default thresholds, the one that judges
a day. `--write` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "include" / "pipeline_scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from monitor_analyzer import checks, constraints, drift_report, statistics
from monitor_analyzer.profile import Profile, profile_blocks

from sagemaker_batch.drift import findings
from sagemaker_batch.use_case.monitor import DriftThresholds

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
DRIFT = "## What either report finds"
BASELINE_ROWS, TODAY_ROWS = 3500, 700
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
        {item.feature for item in findings(report, DriftThresholds(), "drift_report.json")},
    )


def table(seeds: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| shift | found by AWS's checks | by drift_report | false alarms of AWS's checks | of drift_report |"
    yield "|---|---|---|---|---|"
    for shift, (target, _) in SHIFTS.items():
        pairs = [pair(seed, shift) for seed in range(seeds)]
        cells = [
            f"{sum(target in found[side] for found in pairs) / seeds:.0%}" if target else "" for side in (0, 1)
        ] + [f"{sum(bool(found[side] - {target}) for found in pairs) / seeds:.0%}" for side in (0, 1)]
        yield f"| {shift} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--write", action="store_true", help="replace the section of docs/performance.md")
    options = parser.parse_args()
    lines = [
        DRIFT,
        "",
        (
            f"{options.seeds} seeded pairs for each shift, {BASELINE_ROWS:,} rows of baseline and {TODAY_ROWS} of "
            f"today, {len(FEATURES)} features, one of them shifted ([drift_table.py](../tests/perf/drift_table.py)). "
            "Found: the shifted feature is flagged. False alarm: any other is. AWS's checks are those of the contract "
            "files (Robust, 0.1); drift_report is the rule of `severity.report: drift_report` with its defaults."
        ),
        "",
        *table(options.seeds),
    ]
    if options.write:
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(before.partition(DRIFT)[0].rstrip() + "\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    else:
        print("\n".join(lines))


if __name__ == "__main__":
    main()
