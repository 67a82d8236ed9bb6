# ruff: noqa: T201 - a benchmark prints
"""How long an execution takes to begin: from StartPipelineExecution to its first step, and to its first process.

    PYTHONPATH=. .venv-aws/bin/python tests/perf/bench_engine.py --executions 40

Times are those that the server itself shows (CreationTime, StartTime, ProcessingStartTime), one execution at a time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from tests.sagemaker_local.conftest import LocalAws
from tests.sagemaker_local.run_support import Run, definition
from tests.sagemaker_local.test_run_steps import RUNTIMES, create, shell


def measure(executions: int) -> dict[str, list[float]]:
    """Return milliseconds from the creation of each execution."""
    found: dict[str, list[float]] = {"first step": [], "first process": [], "end of two steps": []}
    with tempfile.TemporaryDirectory() as name:
        aws = LocalAws(Path(name) / "aws", "--runtimes", str(RUNTIMES)).start()
        try:
            pipeline = create(aws, definition(shell("A", "true"), shell("B", "true", DependsOn=["A"])))
            for _ in range(executions):
                arn = aws.client("sagemaker").start_pipeline_execution(PipelineName=pipeline)["PipelineExecutionArn"]
                run = Run(aws, arn)
                steps = run.wait()
                began = run.describe()["CreationTime"]
                moments = {
                    "first step": steps["A"]["StartTime"],
                    "first process": run.job("A")["ProcessingStartTime"],
                    "end of two steps": steps["B"]["EndTime"],
                }
                for moment, when in moments.items():
                    found[moment].append((when - began).total_seconds() * 1000)
        finally:
            aws.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=40)
    for moment, times in measure(parser.parse_args().executions).items():
        ordered = sorted(times)
        median, high = statistics.median(ordered), ordered[int(len(ordered) * 0.95)]
        print(f"{moment:>18}: median {median:6.1f} ms, 95 of 100 below {high:6.1f} ms, lowest {ordered[0]:6.1f} ms")


if __name__ == "__main__":
    main()
