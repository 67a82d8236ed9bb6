"""Values of sensitive columns, from the raw day to the alert: searched for in whatever a person or a log gets to see.

The scripts and the analyzer run as jobs do; what they leave is judged, told and drawn as the daily DAG does it. Only
the monitor's own files hold values: they are the contract, and lie where the data lies.
"""

import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest
from botocore.exceptions import ClientError

from sagemaker_batch import messages, router
from sagemaker_batch.assess import judge
from sagemaker_batch.inputs import list_input
from sagemaker_batch.names import batch_prefix
from sagemaker_batch.report.write import write_run_report
from sagemaker_batch.use_case import UseCase
from tests.unit.scripts.made import HEADER, SCRIPTS, TRAINING, training_rows, write_csv

pytest.importorskip("polars")
DAY, BUCKET, EXECUTION = date(2026, 3, 3), "unit-bucket", "abc123"
ARN = "arn:aws:sagemaker:us-east-1:000000000000"
BEFORE, TODAY, NUMBER = "CANARY-of-the-baseline", "CANARY-of-today", "7777"
# A page shows no single number, but the mean of a column of them: a quarter of the day is NUMBER, the rest 17.5.
MEAN = "1957"
CANARIES = (BEFORE, TODAY, NUMBER, MEAN)
SENSITIVE = ["State", "Mins"]
DAY_HEADER = ["Id", "State", "Area", "Mins", "Calls"]


def day_rows(kind):
    """A day whose sensitive columns have values that the baseline does not know, in each way that is told of."""
    for number in range(120):
        state = TODAY if number % 3 == 0 else "AK"
        mins = {"far": NUMBER, "text": TODAY, "empty": ""}[kind] if number % 4 == 0 else "17.5"
        yield [f"id-{number}", state, "400", mins, "3"]


class Memory:
    """An S3 of one bucket, as far as these rooms use one."""

    class exceptions:  # noqa: N801 - botocore's name
        ClientError = ClientError

    def __init__(self):
        self.objects = {}

    def close(self):
        """Hold nothing."""

    def put_object(self, *, Key, Body, **_others):  # noqa: N803 - boto3 names it so
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.encode()

    def get_object(self, *, Key, **_others):  # noqa: N803 - boto3 names it so
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key]), "ETag": "e"}

    def head_object(self, *, Key, **_others):  # noqa: N803 - boto3 names it so
        size = len(self.objects[Key])
        return {"ContentLength": size, "ETag": "e", "VersionId": "v", "LastModified": datetime(2026, 3, 4, tzinfo=UTC)}

    def delete_object(self, *, Key, **_others):  # noqa: N803 - boto3 names it so
        self.objects.pop(Key, None)

    def get_paginator(self, _name):
        return self

    def paginate(self, *, Prefix, StartAfter="", **_others):  # noqa: N803 - boto3 names it so
        now = datetime.now(UTC)
        found = sorted(key for key in self.objects if key.startswith(Prefix) and key > StartAfter)
        return [
            {"Contents": [
                {"Key": key, "LastModified": now, "Size": len(self.objects[key]), "ETag": "e"} for key in found
            ]}
        ]  # fmt: skip


class SageMaker:
    """Describes the version and the monitoring job."""

    def __init__(self, exit_message):
        self.exit_message = exit_message

    def describe_processing_job(self, **_request):
        return {"ExitMessage": self.exit_message}

    def describe_model_package(self, **_request):
        return {
            "ModelPackageArn": f"{ARN}:model-package/unit/1",
            "ModelPackageGroupName": "unit",
            "ModelPackageVersion": 1,
            "ModelApprovalStatus": "Approved",
            "CreationTime": datetime(2026, 3, 1, tzinfo=UTC),
            "CustomerMetadataProperties": {},
        }


class Jobs:
    """Runs scripts and keeps what they print: a job's log."""

    def __init__(self, folder):
        self.folder, self.log = folder, ""

    def run(self, script, *arguments):
        command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.log += done.stdout + done.stderr
        assert done.returncode == 0, done.stderr
        return done

    def analyze(self, name, dataset, sensitive, **environment):
        """Run the bundled monitor and return its folder and exit message."""
        root, output = self.folder / name, self.folder / name / "out"
        (root / "config").mkdir(parents=True)
        variables = {
            "dataset_format": json.dumps({"csv": {"header": True}}),
            "dataset_source": str(dataset),
            "output_path": str(output),
            "publish_cloudwatch_metrics": "Disabled",
            "sensitive_features": json.dumps(sensitive),
            **environment,
        }
        (root / "config" / "processingjobconfig.json").write_text(json.dumps({"Environment": variables}))
        self.run("monitor.py", "--opt-ml", root, "--message", root / "output" / "message")
        return output, (root / "output" / "message").read_text()


def use_case(sensitive, report):
    return UseCase.model_validate(
        {
            "name": "unit",
            "owners": ["unit"],
            "data": {
                "record_id": "Id",
                "label": {"name": "Churn", "positive": "yes"},
                "sensitive": sensitive,
                "ready": {"files": ["*.csv"]},
            },
            "severity": {"report": report},
            "alerts": {"routes": {"warning": ["team"], "critical": ["team"], "error": ["team"]}},
        }
    )


def play(folder, kind, sensitive, report):
    """Play a day; return what people and logs get to see by name, and what the monitor's files hold."""
    case, jobs, s3 = use_case(sensitive, report), Jobs(folder), Memory()
    rows = [[BEFORE, *row[1:]] if number % 5 == 0 else row for number, row in enumerate(training_rows())]
    training, today = folder / "training", folder / "today"
    write_csv(training / "part.csv", HEADER, rows)
    write_csv(today / "day.csv", DAY_HEADER, day_rows(kind))
    marked = [f"--sensitive={name}" for name in sensitive]
    prepared, batch = folder / "prepared", folder / "batch"
    jobs.run("prepare.py", "--input", training, "--output", prepared, "--message", folder / "m1", *TRAINING, *marked)
    baseline, _ = jobs.analyze("baseline", prepared / "monitored", sensitive)
    schema = prepared / "schema"
    jobs.run("prepare_batch.py", "--input", today, "--schema", schema, "--output", batch, "--message", folder / "m2")
    monitored, said = jobs.analyze(
        "monitoring",
        batch / "monitored",
        sensitive,
        baseline_statistics=str(baseline / "statistics.json"),
        baseline_constraints=str(baseline / "constraints.json"),
    )
    prefix = f"{batch_prefix('unit', DAY)}/{EXECUTION}/"
    contract = {}
    for path in monitored.glob("*.json"):
        s3.put_object(Key=f"{prefix}monitoring/{path.name}", Body=path.read_bytes())
        contract[path.name] = path.read_text()
    for path in baseline.glob("*.json"):
        s3.put_object(Key=f"baseline/{path.name}", Body=path.read_bytes())
    s3.put_object(Key=f"{prefix}prepared/report/batch.json", Body=(batch / "report" / "batch.json").read_bytes())
    s3.put_object(Key="input/day.csv", Body=(today / "day.csv").read_bytes())
    scorable = (batch / "transform" / "features.csv").exists()
    steps = [
        {"name": "MonitorBatchTransform-monitoring", "status": "Succeeded", "arn": f"{ARN}:processing-job/check"},
        {"name": "MonitorBatchTransform-transform", "status": "Succeeded" if scorable else "Failed", "arn": ""},
    ]
    outcome = {
        "arn": f"{ARN}:pipeline/unit/execution/{EXECUTION}",
        "status": "Succeeded" if scorable else "Failed",
        "failure_reason": "",
        "created": "2026-03-04T00:10:00+00:00",
        "failed_steps": [],
        "steps": steps,
    }
    model = {
        "policy": "latest",
        "arn": f"{ARN}:model-package/unit/1",
        "version": 1,
        "statistics_uri": f"s3://{BUCKET}/baseline/statistics.json",
        "constraints_uri": f"s3://{BUCKET}/baseline/constraints.json",
    }
    run = {"dag_id": "unit_batch_monitor", "run_id": "r1", "run_type": "scheduled", "triggered_by": "airflow"}
    prefix_in = f"s3://{BUCKET}/input/"
    objects = [item.as_dict() for item in list_input(s3, prefix_in)]
    facts = {"input": {"prefix": prefix_in, "objects": objects}, "model": model, "run": run}
    sagemaker = SageMaker(said)
    record = judge(s3, sagemaker, BUCKET, case, DAY, outcome, facts)
    told = []
    alert = messages.verdict_alert("unit", run["dag_id"], record, {})
    router.tell(s3, BUCKET, alert, case.alerts, owner="r1", deliver=lambda _, made: told.append(repr(made)))
    write_run_report(s3, sagemaker, BUCKET, case, record, [])
    seen = {key: body.decode() for key, body in s3.objects.items() if not key.startswith(("baseline/", "input/"))}
    seen = {key: text for key, text in seen.items() if "/monitoring/" not in key or "drift_report" in key}
    return {**seen, "messages": "\n".join(told), "logs": jobs.log}, record, contract


@pytest.mark.parametrize(("kind", "report"), [("far", "violations"), ("text", "violations"), ("empty", "drift_report")])
def test_no_value_of_a_sensitive_column_is_seen(tmp_path, kind, report):
    """Neither in messages, verdict, reports, drift report and alert records nor in a log; the columns are named."""
    seen, record, contract = play(tmp_path, kind, SENSITIVE, report)
    assert record["verdict"] in {"warned", "held"}
    assert {"State"} <= set(record["violated_features"])
    assert "State" in seen["messages"]
    # The values really went through the monitor.
    assert TODAY in contract["statistics.json"]
    found = [(where, canary) for where, text in seen.items() for canary in CANARIES if canary in text]
    assert found == []


def test_the_search_finds_values_of_a_column_that_is_not_sensitive(tmp_path):
    """The same day without the marking: drift report and page quote the text and the number, in their own ways."""
    seen, _, _ = play(tmp_path, "far", [], "violations")
    quoted = {canary: [where for where, text in seen.items() if canary in text] for canary in (TODAY, NUMBER, MEAN)}
    assert any("drift_report.json" in where for where in quoted[TODAY])
    assert any("drift_report.json" in where for where in quoted[NUMBER])
    assert any(where.endswith(".html") for where in quoted[TODAY])
    assert any(where.endswith(".html") for where in quoted[MEAN])
