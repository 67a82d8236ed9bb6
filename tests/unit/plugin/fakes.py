"""SageMaker's side of starting and waiting, in memory: tokens are idempotent, refusals are botocore's own errors."""

import itertools
import json
from datetime import UTC, datetime

from botocore.exceptions import ClientError, EndpointConnectionError

DEFINITION = json.dumps({"Parameters": [{"Name": "InputDataUri", "Type": "String", "DefaultValue": "s3://b/p/"}]})


def refusal(code, operation="StartPipelineExecution", http=400):
    return ClientError(
        {"Error": {"Code": code, "Message": f"{code} said"}, "ResponseMetadata": {"HTTPStatusCode": http}}, operation
    )


def no_connection():
    return EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


class FakeExceptions:
    ClientError = ClientError


class FakeSageMaker:
    """Executions by ARN; `fail_next` holds errors to raise, one a call, as (operation, before or after, error)."""

    exceptions = FakeExceptions

    def __init__(self):
        self.executions = {}
        self.tokens = {}
        self.calls = []
        self.fail_next = []
        self.steps = []
        self.after_stop = "Stopped"
        self.numbers = itertools.count(1)

    def describe_pipeline(self, **request):
        self._called("describe_pipeline", request)
        return {"PipelineDefinition": DEFINITION}

    def start_pipeline_execution(self, **request):
        self._called("start_pipeline_execution", request)
        arn = self.tokens.get(request["ClientRequestToken"])
        if arn is None:
            arn = f"arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/{next(self.numbers):012d}"
            self.tokens[request["ClientRequestToken"]] = arn
            self.executions[arn] = {"status": "Executing", "request": request}
        self._failing("start_pipeline_execution", "after")
        return {"PipelineExecutionArn": arn}

    def describe_pipeline_execution(self, **request):
        self._called("describe_pipeline_execution", request)
        if request["PipelineExecutionArn"] not in self.executions:
            raise refusal("ResourceNotFound", "DescribePipelineExecution")
        item = self.executions[request["PipelineExecutionArn"]]
        status = item["status"]
        if status == "Stopping":  # the next look finds it stopped
            item["status"] = "Stopped"
        created = datetime(2026, 3, 4, tzinfo=UTC)
        return {
            "PipelineExecutionStatus": status,
            "CreationTime": created,
            "LastModifiedTime": item.get("modified", created),
        }

    def stop_pipeline_execution(self, **request):
        self._called("stop_pipeline_execution", request)
        self.executions[request["PipelineExecutionArn"]]["status"] = self.after_stop

    def get_paginator(self, name):
        return self if name == "list_pipeline_executions" else FakeSteps(self)

    def paginate(self, **request):
        self._called("list_pipeline_executions", request)
        return [
            {
                "PipelineExecutionSummaries": [
                    {
                        "PipelineExecutionArn": arn,
                        "PipelineExecutionDisplayName": item["request"]["PipelineExecutionDisplayName"],
                        "PipelineExecutionDescription": item["request"].get("PipelineExecutionDescription", ""),
                        "PipelineExecutionStatus": item["status"],
                    }
                    for arn, item in self.executions.items()
                ]
            }
        ]

    def count(self, operation):
        return sum(name == operation for name, _ in self.calls)

    def _called(self, operation, request):
        self.calls.append((operation, request))
        self._failing(operation, "before")

    def _failing(self, operation, moment):
        if self.fail_next and self.fail_next[0][:2] == (operation, moment):
            raise self.fail_next.pop(0)[2]


class FakeSteps:
    def __init__(self, sagemaker):
        self.sagemaker = sagemaker

    def paginate(self, **_request):
        # Two pages: the provider's own hook reads the first only.
        self.sagemaker.calls.append(("list_pipeline_execution_steps", _request))
        for step in self.sagemaker.steps:
            yield {"PipelineExecutionSteps": [step]}


class FakeStore:
    """Airflow's task state store: survives retries and clears, values must be JSON."""

    def __init__(self):
        self.values = {}

    def get(self, key, default=None):
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key, value, *, retention=None):
        self.values[key] = json.dumps(value)
