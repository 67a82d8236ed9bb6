"""Processing steps, run for real: files in, a script, files out."""

from __future__ import annotations

from tests.sagemaker_local.run_support import (
    BUCKET,
    definition,
    inputs,
    log_lines,
    outputs,
    processing,
    put,
    read,
    start,
)

COPY = """
    import pathlib, sys
    source, target = map(pathlib.Path, sys.argv[1:])
    for path in sorted(source.rglob("*.csv")):
        print("copying", path.name)
        (target / path.name).write_text(path.read_text().upper())
    (target / "empty.txt").touch()
"""
DIRECTORIES = ("/opt/ml/processing/input/data", "/opt/ml/processing/output/copy")


def test_a_processing_step_reads_writes_and_logs(local_aws, sagemaker):
    """A step's script sees its input under /opt/ml, its output lands in S3, its lines in CloudWatch Logs."""
    put(local_aws, "first/in/a.csv", "x,y\n1,2\n")
    step = processing(
        "Copy",
        COPY,
        *DIRECTORIES,
        ProcessingInputs=inputs(data=f"s3://{BUCKET}/first/in/"),
        ProcessingOutputConfig=outputs(copy=f"s3://{BUCKET}/first/out"),
    )
    run = start(local_aws, definition(step))
    steps = run.wait()
    assert read(local_aws, "first/out/a.csv") == "X,Y\n1,2\n"
    assert read(local_aws, "first/out/empty.txt") == ""
    job = run.job("Copy")
    assert job["ProcessingJobStatus"] == "Completed"
    assert job["ProcessingJobName"].startswith(f"pipelines-{run.arn[-12:]}-Copy-")
    assert job["ProcessingEndTime"] >= job["ProcessingStartTime"]
    assert steps["Copy"]["EndTime"] >= steps["Copy"]["StartTime"]
    assert "copying a.csv" in log_lines(local_aws, "/aws/sagemaker/ProcessingJobs", job["ProcessingJobName"])
