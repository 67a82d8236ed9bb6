# ruff: noqa: S311, T201 - seeded choices; a long test tells how far it is
"""The server killed with SIGKILL at more than two hundred counted points, seeded; run by `make test-all`."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from tests.sagemaker_local.conftest import make_local_aws  # noqa: F401 - a fixture
from tests.sagemaker_local.kill_support import RUNTIMES, Killed

SEED = int(os.environ.get("KILL_SEED", "20261125"))
POINTS = int(os.environ.get("KILL_POINTS", "200"))


@pytest.mark.timeout(5400)
def test_hundreds_of_kill_points(make_local_aws, tmp_path: Path, monkeypatch):  # noqa: F811 - the fixture
    """Whatever the server was doing: executions go on or fail with a reason, no process is left, no job runs twice."""
    monkeypatch.setenv("SAGEMAKER_LOCAL_KILL_FILE", str(tmp_path / "kill"))
    chosen = random.Random(SEED)
    killed = Killed(make_local_aws("aws", "--runtimes", str(RUNTIMES)), tmp_path)
    killed.prepare()
    total = killed.count()
    done = 0
    while sum(killed.points.values()) < POINTS:
        kind = chosen.random()
        if kind < 0.15:
            killed.kill(chosen.randint(1, total // 2), stop=True)
        elif kind < 0.3:
            killed.kill(chosen.randint(1, total // 5), retry=True)
        else:
            killed.kill(chosen.randint(1, total), recovering=chosen.choice((0, 0, 1, 2, 5, 9)))
        done += 1
        if done % 10 == 0:
            print(f"{sum(killed.points.values())} kills, {dict(killed.outcomes)}", file=sys.stderr, flush=True)
        assert done < POINTS * 2, (killed.points, killed.outcomes)
    print(f"seed {SEED}, {total} points an execution\nkilled: {dict(killed.points)}\nended: {dict(killed.outcomes)}")
