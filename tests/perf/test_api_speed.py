"""How fast the local SageMaker answers: describes, throughput, lists over 10,000 executions, 50 executions at a time.

Figures are told on stderr. What the project promises holds on two idle cores; on a busy machine waiting for a turn is
most of what a clock shows, so there the server's own CPU time is held to the same limits. Lists are held to a ratio
of CPU time in the same run. `bench_local.py` writes the same figures into docs/performance-local.md.
"""

from __future__ import annotations

import os
import sys

import pytest

from tests.perf import bench_api, bench_fifty
from tests.sagemaker_local.conftest import LocalAws

P50_SECONDS = 0.005
REQUESTS_A_SECOND = 200


@pytest.fixture
def aws(tmp_path):
    server = LocalAws(tmp_path / "aws", "--concurrent-executions", "100").start()
    yield server
    server.close()


def test_describes_and_lists_stay_fast_over_ten_thousand_executions(aws):
    """p50 of a describe under 5 ms, 200 requests a second, and a page that costs what it cost in an empty store."""
    found = bench_api.measure(aws)
    sys.stderr.write(f"\n{found}; load {os.getloadavg()[0]:.1f}\n")
    assert found.cost < P50_SECONDS
    assert 1 / found.cost > REQUESTS_A_SECOND
    if os.getloadavg()[0] < 1.5:
        assert found.p50 < P50_SECONDS
        assert found.rate > REQUESTS_A_SECOND
    assert max(found.many.cpu, found.middle.cpu) < 2 * found.few.cpu + 0.002
    # All of them are looked at, in the store: ten thousand cost a few milliseconds more than a hundred.
    assert found.search_many.cpu < 2 * found.search_few.cpu + 0.03


def test_fifty_executions_at_a_time_come_to_their_own_results(aws):
    """Each has its own parameter, its own job and its own output."""
    seconds, results, statuses = bench_fifty.measure(aws)
    sys.stderr.write(f"\n{bench_fifty.AT_A_TIME} executions at a time: {seconds:.1f} s\n")
    assert statuses == {"Succeeded"}
    assert results == bench_fifty.wanted()
