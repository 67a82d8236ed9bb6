"""What the local SageMaker's answers cost: describes, throughput, lists and searches over 10,000 executions."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local.store import Store
from tests.sagemaker_local.conftest import ROLE, LocalAws
from tests.sagemaker_local.run_support import definition

FEW, MANY = 100, 10_000
END = definition({"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "end"}})
_LISTING = {"PipelineName": "p", "MaxResults": 100}
_SEARCH = {
    "Resource": "PipelineExecution",
    "SearchExpression": {"Filters": [{"Name": "PipelineExecutionStatus", "Value": "Executing"}]},
}


@dataclass(frozen=True)
class Taken:
    """Seconds of a call: the median that a client saw, and the server's CPU time, which other work does not change."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall * 1000:.1f} ms ({self.cpu * 1000:.1f} ms CPU)"


@dataclass(frozen=True)
class Answers:
    """How long answers took.

    Attributes:
        p50, p99: seconds of a describe, as a client on one connection sees it.
        cost: the server's CPU time for it.
        rate: describes a second of four connections.
        few, many, middle: a page of 100 of FEW, of MANY, and in the middle of MANY.
        search_few, search_many: a search for a status likewise.
    """

    p50: float
    p99: float
    cost: float
    rate: float
    few: Taken
    many: Taken
    middle: Taken
    search_few: Taken
    search_many: Taken


class Line:
    """One kept-alive connection: what a client's own library costs is not measured."""

    def __init__(self, aws: LocalAws) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=60)

    def ask(self, operation: str, **members: Any) -> dict[str, Any]:
        headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        self._connection.request("POST", "/", json.dumps(members), headers)
        response = self._connection.getresponse()
        answer: dict[str, Any] = json.load(response)
        assert response.status == 200, answer
        return answer

    def seconds(self, count: int, operation: str, **members: Any) -> list[float]:
        """Return how long each of so many calls took."""
        found = []
        for _ in range(count):
            begun = time.perf_counter()
            self.ask(operation, **members)
            found.append(time.perf_counter() - begun)
        return found

    def close(self) -> None:
        self._connection.close()


def cpu_seconds(aws: LocalAws) -> float:
    """Return the CPU time that the server has used."""
    assert aws.process is not None
    fields = Path(f"/proc/{aws.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(aws: LocalAws, pipeline: dict[str, Any], count: int) -> None:
    """Put finished executions into the store, as so many starts would have left them."""
    store = Store(aws.state_dir / "sagemaker.sqlite")
    arn = pipeline["PipelineArn"]
    with store.transaction() as tx:
        digest = (tx.get("pipeline", pipeline["PipelineName"]) or {})["_local"]["definition"]
        for number in range(count):
            key = f"{arn}/execution/{uuid.uuid4().hex[:12]}"
            body = {
                "PipelineArn": arn,
                "PipelineExecutionArn": key,
                "PipelineExecutionStatus": "Failed",
                "PipelineExecutionDisplayName": f"execution-{number}",
                "CreationTime": 1_700_000_000.0 + number,
                "LastModifiedTime": 1_700_000_000.0 + number,
                "_local": {"definition": digest, "parameters": []},
            }
            tx.insert("pipeline_execution", key, body, parent=arn)
    store.close()


def measure(aws: LocalAws) -> Answers:
    """Fill a server's store and ask it."""
    sagemaker = aws.client("sagemaker")
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=END, RoleArn=ROLE)
    pipeline = sagemaker.describe_pipeline(PipelineName="p")
    fill(aws, pipeline, FEW)
    line = Line(aws)
    line.seconds(20, "ListPipelineExecutions", **_LISTING)
    few = taken(aws, line, "ListPipelineExecutions", **_LISTING)
    search_few = taken(aws, line, "Search", **_SEARCH)
    fill(aws, pipeline, MANY)
    many = taken(aws, line, "ListPipelineExecutions", **_LISTING)
    search_many = taken(aws, line, "Search", **_SEARCH)
    page = line.ask("ListPipelineExecutions", **_LISTING)
    arn = page["PipelineExecutionSummaries"][50]["PipelineExecutionArn"]
    for _ in range(50):
        page = line.ask("ListPipelineExecutions", **_LISTING, NextToken=page["NextToken"])
    middle = taken(aws, line, "ListPipelineExecutions", **_LISTING, NextToken=page["NextToken"])
    used = cpu_seconds(aws)
    describe = line.seconds(300, "DescribePipelineExecution", PipelineExecutionArn=arn)
    cost = (cpu_seconds(aws) - used) / 300
    line.close()
    rate = throughput(aws, arn)
    return Answers(
        statistics.median(describe), sorted(describe)[-3], cost, rate, few, many, middle, search_few, search_many
    )


def taken(aws: LocalAws, line: Line, operation: str, count: int = 100, **members: Any) -> Taken:
    """Return what a call takes, of so many."""
    used = cpu_seconds(aws)
    wall = statistics.median(line.seconds(count, operation, **members))
    return Taken(wall, (cpu_seconds(aws) - used) / count)


def throughput(aws: LocalAws, arn: str, count: int = 2000, threads: int = 4) -> float:
    """Return describes a second over several connections."""

    def work(_: int) -> None:
        line = Line(aws)
        line.seconds(count // threads, "DescribePipelineExecution", PipelineExecutionArn=arn)
        line.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return count / (time.perf_counter() - begun)
