"""One side of the check against a real account, run against the local AWS: it gets through, and answers alike twice."""

import json
import subprocess
import sys

from local import environment
from local.aws_check import differences
from local.house import House, Ports


def test_a_side_runs_and_repeats(tmp_path):
    """Both pipelines run from nothing, every step and job is described, and another run has the same shapes."""
    found = []
    for number in (1, 2):
        with House(tmp_path / f"house{number}", Ports.free()) as house:
            house.start_aws()
            file = tmp_path / f"{number}.json"
            subprocess.run(
                [sys.executable, "-m", "local.aws_check", "--environment", "local", "--side", str(file)],
                env={
                    **environment.base(),
                    **environment.aws(house.aws.url),
                    "PYTHONPATH": environment.python_path(),
                },
                cwd=environment.REPO,
                check=True,
            )
            found.append(json.loads(file.read_text()))
    assert differences(*found) == []
    assert {"batch_monitor: job of PrepareBatch", "train_baseline: job of TrainModel", "model package"} <= set(found[0])
