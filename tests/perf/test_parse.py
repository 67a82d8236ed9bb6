"""What parsing the DAG files costs: the first use case, each further one, and a task's process among a hundred."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
PYTHON = REPO / ".venv" / "bin" / "python"
ROUNDS = 3
# Seconds of processor time, for both DAG files together.
FIRST, FURTHER, OWN = 0.1, 0.012, 0.015
# And for the watcher's file where no queue is named.
WATCHER = 0.005


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict]:
    """Parse in new processes; returns the cheapest of some rounds, member by member."""
    text = (REPO / "dags" / "use_cases" / "churn.yaml").read_text()
    root = tmp_path_factory.mktemp("use-cases")

    def measure(use_cases: int, dag: str = "") -> dict:
        folder = root / str(use_cases)
        if not folder.exists():
            folder.mkdir()
            for number in range(use_cases):
                (folder / f"churn{number:03d}.yaml").write_text(text)
        command = [str(PYTHON), "tests/perf/parse_probe.py", str(folder), *([dag] if dag else [])]
        with tempfile.TemporaryDirectory() as home:
            environment = {"PATH": os.defpath, "PYTHONPATH": "plugins", "AIRFLOW_HOME": home}
            said = [
                json.loads(
                    subprocess.run(
                        command, check=True, cwd=REPO, env=environment, capture_output=True, text=True
                    ).stdout.splitlines()[-1]
                )
                for _ in range(ROUNDS)
            ]
        return {
            "dags": said[0]["dags"],
            "sdk": min(item["sdk"] for item in said),
            "first": min(item["passes"][0] for item in said),
            "again": min(min(item["passes"][1:]) for item in said),
            "watcher": min(item["watcher"] for item in said),
        }

    return measure


def tell(what: str, seconds: float, limit: float, beside: float) -> None:
    sys.stdout.write(
        f"\n{what}: {seconds * 1000:.1f} ms (limit {limit * 1000:.0f} ms), "
        f"{seconds / beside:.4f} of importing airflow.sdk ({beside:.2f} s)\n"
    )


def test_one_use_case_adds_little_to_an_imported_sdk(probe: Callable[..., dict]) -> None:
    """No boto3, no amazon provider, no trigger: what a DAG file imports is what it declares."""
    found = probe(1)
    assert found["dags"] == 2
    tell("both DAG files, one use case, imports included", found["first"], FIRST, found["sdk"])
    assert found["first"] <= FIRST


def test_a_watcher_that_nobody_wants_costs_nothing(probe: Callable[..., dict]) -> None:
    """Without a queue its file declares no DAG, and imports neither triggers nor operators."""
    found = probe(1)
    tell("the watcher's file without a queue", found["watcher"], WATCHER, found["sdk"])
    assert found["watcher"] <= WATCHER


def test_each_further_use_case_adds_milliseconds(probe: Callable[..., dict]) -> None:
    """Two DAGs of together fifteen tasks, and a YAML file."""
    one, many = probe(1), probe(21)
    assert many["dags"] == 42
    each = (many["again"] - one["again"]) / 20
    tell("each further use case", each, FURTHER, one["sdk"])
    assert each <= FURTHER


def test_a_tasks_process_builds_its_own_dag_among_a_hundred(probe: Callable[..., dict]) -> None:
    """The other ninety-nine are neither read nor built: the cost is that of one alone."""
    found = probe(100, "churn042_batch_monitor")
    assert found["dags"] == 1
    tell("a task's process with 100 use cases", found["again"], OWN, found["sdk"])
    assert found["again"] <= OWN
