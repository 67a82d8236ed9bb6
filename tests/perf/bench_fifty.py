"""Fifty executions at a time, each with its own parameter, its own job and its own output."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.sagemaker_local.conftest import ROLE, LocalAws, wait_for
from tests.sagemaker_local.run_support import definition, get, outputs, processing, put_scripts, read

AT_A_TIME = 50
RESULT = "/opt/ml/processing/output/result"
SCRIPT = """
import pathlib, sys
pathlib.Path(sys.argv[2], 'value').write_text(str(int(sys.argv[1]) * 3))
"""


def measure(aws: LocalAws) -> tuple[float, list[str], set[str]]:
    """Return the seconds that all took, the result of each (three times its number), and their statuses."""
    where = {"Std:Join": {"On": "/", "Values": ["s3://bucket/out", get("Execution.PipelineExecutionId")]}}
    step = processing("Work", SCRIPT, get("Parameters.Number"), RESULT, ProcessingOutputConfig=outputs(result=where))
    text = definition(step, parameters=[{"Name": "Number", "Type": "String"}])
    put_scripts(aws)
    sagemaker = aws.client("sagemaker")
    sagemaker.create_pipeline(PipelineName="many", PipelineDefinition=text, RoleArn=ROLE)
    begun = time.monotonic()

    def begin(number: int) -> str:
        given = [{"Name": "Number", "Value": str(number)}]
        answer = sagemaker.start_pipeline_execution(PipelineName="many", PipelineParameters=given)
        return str(answer["PipelineExecutionArn"])

    with ThreadPoolExecutor(10) as pool:
        arns = list(pool.map(begin, range(AT_A_TIME)))
    assert len(set(arns)) == AT_A_TIME

    def ended() -> set[str]:
        pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName="many")
        statuses = {each["PipelineExecutionStatus"] for page in pages for each in page["PipelineExecutionSummaries"]}
        return set() if "Executing" in statuses else statuses

    found = wait_for(ended, 280, "all executions to end")
    taken = time.monotonic() - begun
    return taken, [read(aws, f"out/{arn.rpartition('/')[2]}/value") for arn in arns], found


def wanted() -> list[str]:
    """Return what each execution has to come to."""
    return [str(number * 3) for number in range(AT_A_TIME)]
