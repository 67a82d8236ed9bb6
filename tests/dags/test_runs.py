"""Whole runs of both DAGs in one process: every branch, with SageMaker played by what it would have written to S3."""

import json
import pathlib
from datetime import UTC, datetime, timedelta

import boto3
import jsonschema
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.usefixtures("database")
CONTRACTS = pathlib.Path(__file__).parents[2] / "docs" / "contracts"
DAY = "2026-03-03"
ARN = "arn:aws:sagemaker:us-east-1:000000000000"
PACKAGE = f"{ARN}:model-package/churn-local/1"
EXECUTION = f"{ARN}:pipeline/churn-batch-monitor-local/execution/abc123"
CREATED = datetime(2026, 3, 4, tzinfo=UTC)
FEATURES = [f"f{number}" for number in range(10)]


def drift(*features):
    return [
        {
            "feature_name": name,
            "constraint_check_type": "baseline_drift_check",
            "description": "Baseline drift distance",
        }
        for name in features
    ]


BROKEN = [
    {"feature_name": "Missing columns", "constraint_check_type": "missing_column_check", "description": "one less"}
]


class PlayedSageMaker:
    """An execution that has ended before anyone looks, with the reports that it is told to leave."""

    class exceptions:  # noqa: N801 - botocore's name
        ClientError = ClientError

    def __init__(self, s3, bucket, violations=(), *, transform="Succeeded", scorable=True, rows_out=7, approved=True):
        self.s3, self.bucket, self.violations = s3, bucket, list(violations)
        self.transform, self.scorable, self.rows_out, self.approved = transform, scorable, rows_out, approved
        self.started = []
        self.prefix = f"churn/batches/dt={DAY}/abc123/"

    def describe_pipeline(self, PipelineName):  # noqa: N803 - boto3 names it so
        kind = "batch-monitor" if "batch" in PipelineName else "train-baseline"
        names = {
            "batch-monitor": ["InputDataUri", "OutputPrefixUri", "ModelPackageArn", "ConstraintsUri"],
            "train-baseline": ["InputDataUri", "OutputPrefixUri", "AccuracyThreshold", "ModelApprovalStatus"],
        }[kind]
        return {"PipelineDefinition": json.dumps({"Parameters": [{"Name": name, "Type": "String"} for name in names]})}

    def start_pipeline_execution(self, **request):
        self.started.append(request)
        self._write()
        return {"PipelineExecutionArn": EXECUTION}

    def describe_pipeline_execution(self, PipelineExecutionArn):  # noqa: N803 - boto3 names it so
        status = "Succeeded" if self.transform == "Succeeded" else "Failed"
        return {
            "PipelineExecutionStatus": status,
            "CreationTime": CREATED,
            "PipelineExecutionArn": PipelineExecutionArn,
        }

    def describe_processing_job(self, ProcessingJobName):  # noqa: N803 - boto3 names it so
        said = "CompletedWithViolations" if self.violations else "Completed"
        return {"ExitMessage": f"{said}: Job completed successfully."}

    def describe_model_package(self, ModelPackageName):  # noqa: N803 - boto3 names it so
        source = {"S3Uri": f"s3://{self.bucket}/baseline/statistics.json"}
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageGroupName": "churn-local",
            "ModelPackageVersion": 1,
            "ModelApprovalStatus": "Approved" if self.approved else "PendingManualApproval",
            "CreationTime": CREATED,
            "DriftCheckBaselines": {"ModelDataQuality": {"Statistics": source, "Constraints": source}},
            "CustomerMetadataProperties": {
                "ModelName": "m",
                "FeatureSchemaUri": f"s3://{self.bucket}/schema.json",
                "EvaluationUri": f"s3://{self.bucket}/evaluation.json",
            },
        }

    def get_paginator(self, name):
        self.listing = name
        return self

    def paginate(self, **request):
        if self.listing == "list_model_packages":
            wanted = request["ModelApprovalStatus"] == ("Approved" if self.approved else "PendingManualApproval")
            found = [{"ModelPackageArn": PACKAGE, "ModelPackageVersion": 1, "CreationTime": CREATED}] if wanted else []
            return [{"ModelPackageSummaryList": found}]
        job = {"ProcessingJob": {"Arn": f"{ARN}:processing-job/x"}}
        check = {"QualityCheck": {"CheckJobArn": f"{ARN}:processing-job/check"}}
        steps = [
            ("PrepareBatch", "Succeeded", job),
            ("MonitorBatchTransform-monitoring", "Succeeded", check),
            ("MonitorBatchTransform-transform", self.transform, {}),
            ("RegisterModel", "Succeeded", {"RegisterModel": {"Arn": PACKAGE}}),
        ]
        return [
            {"PipelineExecutionSteps": [{"StepName": name, "StepStatus": status, "Metadata": metadata}]}
            for name, status, metadata in steps
        ]

    def _write(self):
        statistics = {"features": [{"name": name, "inferred_type": "Integral"} for name in FEATURES]}
        batch = {
            "rows_in": 7,
            "rows_scorable": 7 if self.scorable else 0,
            "scorable": self.scorable,
            "reasons": [] if self.scorable else ["column Day Mins is missing"],
            "inputs": [],
            "unknown_categories": {"State": 2},
        }
        self.put("baseline/statistics.json", statistics)
        self.put("evaluation.json", {"binary_classification_metrics": {"accuracy": {"value": 0.9}}})
        self.put(self.prefix + "monitoring/statistics.json", statistics)
        if self.violations:
            self.put(self.prefix + "monitoring/constraint_violations.json", {"violations": self.violations})
        self.put(self.prefix + "prepared/report/batch.json", batch)
        if self.transform == "Succeeded":
            body = "".join(f"id{number},0.5\n" for number in range(self.rows_out))
            self.s3.put_object(Bucket=self.bucket, Key=self.prefix + "predictions/features.csv.out", Body=body)

    def put(self, key, content):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=json.dumps(content))


class House:
    """The DAGs, an S3 and an inbox in memory, and the run that is looked at."""

    def __init__(self, dags, s3, bucket, monkeypatch):
        self.dags, self.s3, self.bucket, self.monkeypatch = dags, s3, bucket, monkeypatch
        sns, self.sqs = boto3.client("sns", "us-east-1"), boto3.client("sqs", "us-east-1")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        queue_arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn["QueueArn"])
        connection = json.dumps({"conn_type": "aws", "extra": {"topic_arn": topic}})
        monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER_BATCH_ALERTS", connection)

    def run(self, sagemaker, file="batch_monitor", conf=None):
        """Run a DAG to its end; return its state and its tasks' states."""
        from sagemaker_batch import aws

        real = aws.client
        self.monkeypatch.setattr(
            aws, "client", lambda service, *a, **k: sagemaker if service == "sagemaker" else real(service, *a, **k)
        )
        dag = self.dags(file)[f"churn_{file}"]
        for task in dag.tasks:
            task.retry_delay = timedelta(0)  # how long a task waits before it is tried again is not what runs show
        run = dag.test(run_conf={"batch_day": DAY} if conf is None else conf)
        return str(run.state), {ti.task_id: str(ti.state) for ti in run.get_task_instances()}

    def read(self, key):
        """Return an object of S3, or None."""
        try:
            return json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None

    @property
    def manifest(self):
        return self.read(f"churn/published/dt={DAY}.json")

    @property
    def verdict(self):
        return self.read(f"churn/verdicts/dt={DAY}/abc123.json")

    def inbox(self):
        """Return subject and text of what arrived since the last look."""
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for item in found:  # else it is there again after half a minute
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=item["ReceiptHandle"])
        return [(said["Subject"], said["Message"]) for said in (json.loads(item["Body"]) for item in found)]


@pytest.fixture
def house(dags, s3, bucket, monkeypatch):
    s3.put_object(Bucket=bucket, Key=f"churn/input/dt={DAY}/day.csv", Body=b"a,b\n1,2\n")
    return House(dags, s3, bucket, monkeypatch)


def contract(name, content):
    schema = json.loads((CONTRACTS / f"{name}.schema.json").read_text())
    jsonschema.validate(content, schema, format_checker=jsonschema.FormatChecker())


def test_a_clean_day_is_published_and_nobody_is_told(house):
    """Manifest and verdict keep their contracts; the skipped branches are skipped."""
    sagemaker = PlayedSageMaker(house.s3, house.bucket)
    state, tasks = house.run(sagemaker)
    assert state == "success"
    assert tasks["publish_predictions"] == "success"
    assert {tasks[name] for name in ("alert_warning", "hold_predictions", "alert_critical")} == {"skipped"}
    contract("manifest", house.manifest)
    contract("verdict", house.verdict)
    assert house.manifest["rows_in"] == house.manifest["rows_out"] == 7
    assert house.manifest["inputs"][0]["version_id"]
    assert house.inbox() == []
    (request,) = sagemaker.started
    sent = {item["Name"]: item["Value"] for item in request["PipelineParameters"]}
    assert sent == {
        "InputDataUri": f"s3://{house.bucket}/churn/input/dt={DAY}/",
        "OutputPrefixUri": f"s3://{house.bucket}/churn/batches/dt={DAY}",
        "ModelPackageArn": PACKAGE,
        "ConstraintsUri": f"s3://{house.bucket}/baseline/statistics.json",
    }
    assert DAY in request["PipelineExecutionDisplayName"]


def test_a_slightly_drifted_day_is_published_and_someone_is_told(house):
    """Publish and alert stand beside each other."""
    state, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, drift("f1")))
    assert (state, tasks["publish_predictions"], tasks["alert_warning"]) == ("success", "success", "success")
    assert tasks["hold_predictions"] == "skipped"
    assert house.manifest["verdict"] == "warned"
    ((subject, text),) = house.inbox()
    assert subject == f"[warning] churn {DAY}: warned"
    assert "f1" in text


def test_a_broadly_drifted_day_is_held(house):
    """Nothing is published, and the alert is critical."""
    state, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, drift("f1", "f2", "f3")))
    assert (state, tasks["hold_predictions"], tasks["alert_critical"]) == ("success", "success", "success")
    assert tasks["publish_predictions"] == "skipped"
    assert house.manifest is None
    contract("verdict", house.verdict)
    assert [subject for subject, _ in house.inbox()] == [f"[critical] churn {DAY}: held"]


def test_a_broken_schema_is_held_although_the_execution_failed(house):
    """PrepareBatch withheld the transform's input, and the monitor named the damage."""
    sagemaker = PlayedSageMaker(house.s3, house.bucket, BROKEN, transform="Failed", scorable=False)
    state, tasks = house.run(sagemaker)
    assert (state, tasks["hold_predictions"]) == ("success", "success")
    assert house.verdict["verdict"] == "held"
    assert any("Day Mins is missing" in reason for reason in house.verdict["reasons"])


def test_a_transform_that_died_is_an_error_and_alerts(house):
    """A warned day whose transform was killed is neither warned nor clean."""
    state, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, drift("f1"), transform="Failed"))
    assert (state, tasks["assess_batch"]) == ("failed", "failed")
    assert house.manifest is None
    contract("verdict", house.verdict)
    assert house.verdict["verdict"] == "failed"
    ((subject, text),) = house.inbox()
    assert subject == f"[error] churn {DAY}: assess_batch failed"
    assert "has no verdict" in text


def report(house):
    """Return the report and its figures, or two times None."""
    key = f"churn/reports/dt={DAY}/abc123"
    figures = house.read(f"{key}.json")
    if figures is None:
        return None, None
    return house.s3.get_object(Bucket=house.bucket, Key=f"{key}.html")["Body"].read().decode(), figures


@pytest.mark.parametrize(
    ("played", "verdict"),
    [
        ({}, "clean"),
        ({"violations": drift("f1")}, "warned"),
        ({"violations": drift("f1", "f2", "f3")}, "held"),
        ({"violations": BROKEN, "transform": "Failed", "scorable": False}, "held"),
        ({"violations": drift("f1"), "transform": "Failed"}, "failed"),
    ],
)
def test_every_verdict_leaves_a_report(house, played, verdict):
    """Also of a day that failed: there the run is red for its own reason, and the report is there."""
    _, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, **played))
    assert tasks["write_report"] == "success"
    text, figures = report(house)
    contract("report", figures)
    assert figures["verdict"] == verdict
    assert f"<title>churn, {DAY}: {verdict}</title>" in text


@pytest.mark.parametrize(
    ("features", "task"), [(["f1"], "publish_predictions"), (["f1", "f2", "f3"], "hold_predictions")]
)
def test_a_report_that_cannot_be_drawn_holds_nothing_up_and_shows(house, monkeypatch, features, task):
    """The predictions' way is the verdict's; the run is not green."""
    from sagemaker_batch.report import run_report

    monkeypatch.setattr(run_report, "render", lambda _facts: 1 / 0)
    state, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, drift(*features)))
    assert (state, tasks[task]) == ("failed", "success")
    assert tasks["write_report"] in {"failed", "up_for_retry"}
    assert report(house) == (None, None)


def test_a_run_without_a_verdict_has_nothing_to_draw(house):
    """The task is skipped, not red: the one that failed says why."""
    _, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, approved=False))
    assert tasks["write_report"] == "skipped"


def test_one_prediction_short_publishes_nothing(house):
    """Rows in and out must agree."""
    state, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, rows_out=6))
    assert (state, tasks["publish_predictions"]) == ("failed", "failed")
    assert house.manifest is None
    assert "7 rows in and 6 predictions" in house.inbox()[0][1]


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, "does not say which day to score"),
        ({"batch_day": "2099-01-01"}, "is not over"),
        ({"batch_day": DAY, "model_polcy": "published"}, "Did you mean model_policy?"),
        ({"batch_day": "2026-03-04"}, "there is no object below s3://dags-bucket/churn/input/dt=2026-03-04/"),
    ],
)
def test_a_run_that_cannot_be_fails_in_its_first_task(house, conf, message):
    """One clear message, and nothing was started."""
    sagemaker = PlayedSageMaker(house.s3, house.bucket)
    state, tasks = house.run(sagemaker, conf=conf)
    assert (state, tasks["wait_for_batch"]) == ("failed", "failed")
    assert sagemaker.started == []
    assert message in house.inbox()[0][1]


def test_without_an_approved_model_nothing_starts(house):
    """The message lists what is pending and how to approve it."""
    sagemaker = PlayedSageMaker(house.s3, house.bucket, approved=False)
    state, tasks = house.run(sagemaker)
    assert (state, tasks["resolve_model"]) == ("failed", "failed")
    assert sagemaker.started == []
    assert f"sagemaker_batch.registry approve {PACKAGE}" in house.inbox()[0][1]


def test_an_alert_that_cannot_be_delivered_blocks_no_publication(house, monkeypatch):
    """The day is published, the alert is kept, and the run is not green."""
    monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER_BATCH_ALERTS", json.dumps({"conn_type": "ftp"}))
    state, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, drift("f1")))
    assert (state, tasks["publish_predictions"]) == ("failed", "success")
    assert tasks["alert_warning"] in {"failed", "up_for_retry"}
    assert house.manifest["verdict"] == "warned"


def test_the_monthly_run_finds_its_own_candidate_and_says_how_to_approve(house):
    """The version is the one that this execution's RegisterModel step names."""
    sagemaker = PlayedSageMaker(house.s3, house.bucket)
    state, tasks = house.run(sagemaker, "train_baseline", conf={})
    assert (state, set(tasks.values())) == ("success", {"success"})
    sent = {item["Name"]: item["Value"] for item in sagemaker.started[0]["PipelineParameters"]}
    assert sent == {
        "InputDataUri": f"s3://{house.bucket}/churn/training/input/",
        "OutputPrefixUri": f"s3://{house.bucket}/churn/training",
        "AccuracyThreshold": "0.7",
        "ModelApprovalStatus": "PendingManualApproval",
    }


def test_airflow_counts_clears_as_the_start_relies_on(house):
    """No documented contract: a clear raises max_tries of finished tasks, and the run's clear_number."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import clear_task_instances
    from airflow.utils.session import create_session
    from sqlalchemy import select

    house.run(PlayedSageMaker(house.s3, house.bucket), "train_baseline", conf={})
    with create_session() as session:
        run = session.scalars(
            select(DagRun).where(DagRun.dag_id == "churn_train_baseline").order_by(DagRun.id.desc())
        ).first()
        before = {ti.task_id: ti.max_tries for ti in run.get_task_instances(session=session)}
        clears = run.clear_number
        start = [ti for ti in run.get_task_instances(session=session) if ti.task_id == "start_training"]
        clear_task_instances(start, session)
        session.flush()
        after = {ti.task_id: ti.max_tries for ti in run.get_task_instances(session=session)}
        assert run.clear_number == clears + 1
        assert after["start_training"] > before["start_training"]
        assert after["wait_for_training"] == before["wait_for_training"]


def test_a_value_of_a_sensitive_column_reaches_no_log_no_xcom_and_no_message(house, tmp_path, capsys, caplog):
    """A monitor may quote a value: of a sensitive column it is searched for in all that the run leaves behind."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    canary = "CANARY-4711"
    text = (pathlib.Path(__file__).parents[2] / "dags" / "use_cases" / "churn.yaml").read_text()
    (tmp_path / "churn.yaml").write_text(text.replace("sensitive: []", "sensitive: [f1]"))
    load = house.dags
    house.dags = lambda name: load(name, tmp_path)
    quoted = [{**item, "description": f"Observed {canary}"} for item in drift("f1", "f2", "f3", "f4")]
    violations = [item for item in quoted if item["feature_name"] == "f1"] + drift("f2", "f3", "f4")
    state, tasks = house.run(PlayedSageMaker(house.s3, house.bucket, violations))
    assert (state, tasks["alert_critical"], tasks["write_report"]) == ("success", "success", "success")
    with create_session() as session:
        entries = session.query(XComModel).filter(XComModel.dag_id == "churn_batch_monitor").all()
        xcoms = "\n".join(f"{item.key} {item.value}" for item in entries)
    said = capsys.readouterr()
    keys = [item["Key"] for item in house.s3.list_objects_v2(Bucket=house.bucket)["Contents"]]
    stored = {
        key: house.s3.get_object(Bucket=house.bucket, Key=key)["Body"].read().decode()
        for key in keys
        if "/monitoring/" not in key
    }
    inbox = "\n".join(f"{subject}\n{body}" for subject, body in house.inbox())
    assert "f1" in inbox
    assert "violated_features" in "".join(stored.values())
    assert "verdict" in xcoms
    seen = {"xcom": xcoms, "out": said.out + said.err, "log": caplog.text, "inbox": inbox, **stored}
    assert [where for where, text in seen.items() if canary in text] == []
