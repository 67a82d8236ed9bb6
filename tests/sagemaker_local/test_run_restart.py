"""A server that is killed with SIGKILL: the next one goes on, ends what was left, and runs no job twice."""

from __future__ import annotations

import signal

from tests.sagemaker_local.run_support import BUCKET, Run, alive, definition, inputs, processing, put, start

# Adds a line for each time it runs, then waits for a file to appear.
COUNTED = """
    import os, pathlib, sys, time
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
    while not pathlib.Path(sys.argv[2]).exists():
        time.sleep(0.02)
"""


def test_a_killed_server_goes_on_where_it_was(make_local_aws, tmp_path, wait_for):
    """Finished steps are kept; a job that was cut off fails with a reason, is ended, and RetryPolicies may rerun it."""
    aws = make_local_aws().start()
    counts = {name: tmp_path / f"{name}.count" for name in ("first", "cut", "again")}
    opened, closed = tmp_path / "open", tmp_path / "closed"
    opened.touch()
    again = {
        "DependsOn": ["First"],
        "RetryPolicies": [
            {
                "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"],
                "MaxAttempts": 1,
                "IntervalSeconds": 1,
                "BackoffRate": 1,
            }
        ],
    }
    run = start(
        aws,
        definition(
            processing("First", COUNTED, str(counts["first"]), str(opened)),
            processing("Cut", COUNTED, str(counts["cut"]), str(closed), step={"DependsOn": ["First"]}),
            processing("Again", COUNTED, str(counts["again"]), str(closed), step=again),
        ),
    )
    wait_for(lambda: counts["cut"].exists() and counts["again"].exists(), 30, "both steps to run")
    wait_for(lambda: counts["cut"].read_text() and counts["again"].read_text(), 5, "both to say their pids")
    pids = [int(counts[name].read_text()) for name in ("cut", "again")]
    assert all(map(alive, pids))
    aws.stop(signal.SIGKILL)
    wait_for(lambda: not any(map(alive, pids)), 20, "the jobs to end with their server")
    aws.start()
    wait_for(lambda: len(counts["again"].read_text().split()) == 2, 30, "the second attempt")
    closed.touch()
    run = Run(aws, run.arn)
    steps = run.wait("Failed")
    assert {name: step["StepStatus"] for name, step in steps.items()} == {
        "First": "Succeeded",
        "Cut": "Failed",
        "Again": "Succeeded",
    }
    assert "ended while the job ran" in steps["Cut"]["FailureReason"]
    assert steps["Again"]["AttemptCount"] == 2
    assert [len(count.read_text().split()) for count in counts.values()] == [1, 1, 2]


def test_stopping_survives_a_kill(make_local_aws, tmp_path, wait_for):
    """An execution that was Stopping when the server was killed ends Stopped; a graceful end leaves no process."""
    aws = make_local_aws().start()
    count = tmp_path / "count"
    stubborn = """
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open(sys.argv[1], "a") as file:
            file.write(f"{os.getpid()}\\n")
        time.sleep(600)
    """
    run = start(aws, definition(processing("Stubborn", stubborn, str(count))))
    wait_for(lambda: count.exists() and count.read_text(), 30, "the step to run")
    run.sagemaker.stop_pipeline_execution(PipelineExecutionArn=run.arn, ClientRequestToken="s" * 32)
    assert run.status() == "Stopping"
    aws.stop(signal.SIGKILL)
    aws.start()
    Run(aws, run.arn).wait("Stopped")
    assert not alive(int(count.read_text()))

    second = tmp_path / "second"
    run = start(aws, definition(processing("Stubborn", stubborn, str(second))))
    wait_for(lambda: second.exists() and second.read_text(), 30, "the step to run")
    aws.stop()
    wait_for(lambda: not alive(int(second.read_text())), 5, "the job to end with the server")
    wait_for(lambda: not aws.processes(), 5, "no process to be left")


def test_inputs_are_kept_as_they_are(make_local_aws):
    """A prefix is a beginning of keys: a sibling with the same beginning comes along under its own name."""
    aws = make_local_aws().start()
    put(aws, "data/train/a.csv", "1")
    put(aws, "data/train.csv", "2")
    script = """
        import pathlib, sys
        found = sorted(str(path.relative_to(sys.argv[1])) for path in pathlib.Path(sys.argv[1]).rglob("*.csv"))
        assert found == ["a.csv", "train.csv"], found
    """
    step = processing(
        "Look", script, "/opt/ml/processing/input/data", ProcessingInputs=inputs(data=f"s3://{BUCKET}/data/train")
    )
    start(aws, definition(step)).wait()
