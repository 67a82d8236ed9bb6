"""The batch transform beside the best in-memory way and a loop over lines; ratios of one run, on any machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import bench_transform as bench

WALL, CPU = 0, 1


@pytest.mark.timeout(1800)
def test_a_transform_costs_little_more_than_parsing_and_predicting(tmp_path):
    """At most 1.5 times the floor, and a hundredth of the loop: by the clock that other work on the machine spared."""
    found = bench.measure(bench.Sides(tmp_path, 300_000), 5)
    print(bench.table(found, 300_000, {}))  # noqa: T201 - shown with -s, and when it fails
    for side in ("transform", "joined"):
        assert min(bench.ratios(found, clock)[side] for clock in (WALL, CPU)) <= 1.5
    assert max(bench.loop_ratio(found, clock) for clock in (WALL, CPU)) >= 100


@pytest.mark.timeout(1800)
def test_memory_does_not_grow_with_the_file():
    """Five times the rows take the same memory, within a tenth."""
    small, large = bench.peak_megabytes(300_000), bench.peak_megabytes(1_500_000)
    assert large <= small * 1.1, (small, large)
