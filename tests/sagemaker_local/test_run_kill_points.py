"""A server killed with SIGKILL at counted points of its work. tests/perf/test_kill_points.py takes hundreds of them."""

from __future__ import annotations

from tests.sagemaker_local.kill_support import RUNTIMES, Killed


def test_a_server_may_be_killed_at_any_point(make_local_aws, tmp_path, monkeypatch):
    """Executions go on or fail with a reason; no process is left; no job runs twice; killed while recovering too."""
    monkeypatch.setenv("SAGEMAKER_LOCAL_KILL_FILE", str(tmp_path / "kill"))
    killed = Killed(make_local_aws("aws", "--runtimes", str(RUNTIMES)), tmp_path)
    killed.prepare()
    total = killed.count()
    for part in range(6):
        killed.kill(max(1, total * (2 * part + 1) // 12), recovering=3 if part == 2 else 0)
    killed.kill(total // 6, stop=True)
    killed.kill(3, retry=True)
    assert sum(killed.points.values()) >= 8, (killed.points, killed.outcomes, total)
    assert killed.outcomes["Succeeded"] >= 6, killed.outcomes
