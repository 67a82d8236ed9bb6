"""The built-in XGBoost: it trains for real, and its model scores whole files."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import re

import pytest

from tests.sagemaker_local.conftest import ROLE
from tests.sagemaker_local.run_support import (
    BUCKET,
    XGBOOST,
    Run,
    definition,
    get,
    log_lines,
    put,
    read,
    start,
)

FEATURES = 5


def rows(count: int, seed: int) -> list[list[float]]:
    """Return features with a label that two of them decide, but for some noise."""
    chance = random.Random(seed)  # noqa: S311 - data, no secret
    made = []
    for _ in range(count):
        features = [chance.gauss(0, 1) for _ in range(FEATURES)]
        label = 1 if features[0] + features[1] + chance.gauss(0, 0.3) > 0 else 0
        made.append([label, *features])
    return made


def as_csv(table: list[list[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(table)
    return buffer.getvalue()


def channel(name: str, prefix: str, content_type: str = "text/csv") -> dict:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "ContentType": content_type, "DataSource": {"S3DataSource": source}}


def training(name: str = "Train", *, channels=None, step=None, **hyperparameters: str) -> dict:
    return {
        "Name": name,
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "RoleArn": ROLE,
            "InputDataConfig": channels or [channel("train", "train/"), channel("validation", "validation/")],
            "HyperParameters": {
                "objective": "binary:logistic",
                "eval_metric": "auc",
                "num_round": "20",
                "max_depth": "3",
                **hyperparameters,
            },
        },
        **(step or {}),
    }


def model_step(step: str = "Train") -> dict:
    return {
        "Name": "CreateModel",
        "Type": "Model",
        "Arguments": {
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {
                "Image": XGBOOST,
                "Environment": {},
                "ModelDataUrl": get(f"Steps.{step}.ModelArtifacts.S3ModelArtifacts"),
            },
        },
    }


def transform_step(uri: str, model: object = None, **arguments: object) -> dict:
    request = {
        "ModelName": model or get("Steps.CreateModel.ModelName"),
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/predictions", "AssembleWith": "Line", "Accept": "text/csv"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": 1,
        "DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    }
    return {"Name": "Transform", "Type": "Transform", "Arguments": {**request, **arguments}}


@pytest.fixture(scope="module", autouse=True)
def data(local_aws):
    put(local_aws, "train/part-1.csv", as_csv(rows(400, 1)))
    put(local_aws, "train/part-2.csv", as_csv(rows(400, 2)))
    put(local_aws, "validation/data.csv", as_csv(rows(300, 3)))


@pytest.fixture(scope="module")
def trained(local_aws, data) -> Run:
    run = start(local_aws, definition(training(), model_step()))
    run.wait()
    return run


@pytest.fixture
def model_name(trained: Run) -> str:
    return trained.steps()["CreateModel"]["Metadata"]["Model"]["Arn"].rpartition("/")[2]


def training_job(run: Run, step: str = "Train") -> dict:
    arn = run.steps()[step]["Metadata"]["TrainingJob"]["Arn"]
    return run.sagemaker.describe_training_job(TrainingJobName=arn.rpartition("/")[2])


def test_xgboost_trains(local_aws, trained):
    """Training on a signal reaches an AUC far above chance, shown in the log and in FinalMetricDataList."""
    job = training_job(trained)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed"
    metrics = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert metrics["validation:auc"] > 0.9
    lines = log_lines(local_aws, "/aws/sagemaker/TrainingJobs", job["TrainingJobName"])
    rounds = [line for line in lines if re.match(r"\[\d+\]#011train-auc:[\d.]+#011validation-auc:[\d.]+$", line)]
    assert len(rounds) == 20
    key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{BUCKET}/")
    assert key == f"models/{job['TrainingJobName']}/output/model.tar.gz"
    assert local_aws.client("s3").head_object(Bucket=BUCKET, Key=key)["ContentLength"] > 1000
    assert [each["Status"] for each in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Training",
        "Uploading",
        "Completed",
    ]


def test_early_stopping_watches_validation(local_aws):
    """With early_stopping_rounds training ends long before num_round."""
    run = start(local_aws, definition(training(num_round="500", early_stopping_rounds="3", eta="0.9")))
    run.wait()
    lines = log_lines(local_aws, "/aws/sagemaker/TrainingJobs", training_job(run)["TrainingJobName"])
    assert sum("#011" in line for line in lines) < 200


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"num_rounds": "3"}, "Extraneous hyperparameter found: num_rounds"),
        ({"max_depth": "deep"}, "Hyperparameter max_depth: could not parse value"),
        ({"subsample": "2"}, "Hyperparameter subsample: 2 is not in (0, 1]"),
    ],
)
def test_a_wrong_hyperparameter_is_named(local_aws, hyperparameters, said):
    """A hyperparameter that is unknown, unreadable or out of range fails the job by its name."""
    steps = start(local_aws, definition(training(**hyperparameters))).wait("Failed")
    assert steps["Train"]["FailureReason"].startswith("ClientError: ")
    assert said in steps["Train"]["FailureReason"]


def test_a_header_in_training_data_is_an_error(local_aws):
    """Text in the data fails the job with channel, file, line and column."""
    put(local_aws, "header/data.csv", "label,a,b\n1,2,3\n")
    steps = start(local_aws, definition(training(channels=[channel("train", "header/")]))).wait("Failed")
    assert "train/data.csv, line 1, column 1: 'label' is not a number" in steps["Train"]["FailureReason"]


def test_transform_writes_id_and_score(local_aws, model_name):
    """Ids with commas, quotes and newlines keep their row; scores follow the signal; the key ends in .out."""
    table = rows(500, 4)
    ids = [f'a,"{number}"\nb' if number % 7 == 0 else f"id-{number}" for number in range(len(table))]
    source = put(
        local_aws, "batch/deep/input.csv", as_csv([[name, *row[1:]] for name, row in zip(ids, table, strict=True)])
    )
    source = source.removesuffix("deep/input.csv")
    start(local_aws, definition(transform_step(source, model_name))).wait()
    scored = list(csv.reader(io.StringIO(read(local_aws, "predictions/deep/input.csv.out"), newline="")))
    assert [row[0] for row in scored] == ids
    assert all(len(row) == 2 and 0 < float(row[1]) < 1 for row in scored)
    right = sum((float(row[1]) > 0.5) == bool(truth[0]) for row, truth in zip(scored, table, strict=True))
    assert right / len(table) > 0.85


def test_payload_size_and_strategy_do_not_change_scores(local_aws, model_name):
    """Many payloads, or one record each, give the predictions that one payload gives."""
    features = as_csv([row[1:] for row in rows(300, 5)])
    source = put(local_aws, "strategy/input.csv", features)
    results = []
    for number, arguments in enumerate(({"BatchStrategy": "SingleRecord"}, {"MaxPayloadInMB": 100})):
        output = {"S3OutputPath": f"s3://{BUCKET}/strategy-{number}", "AssembleWith": "Line"}
        step = transform_step(source, model_name, TransformOutput=output, DataProcessing={}, **arguments)
        start(local_aws, definition(step)).wait()
        results.append(read(local_aws, f"strategy-{number}/input.csv.out"))
    assert results[0] == results[1]
    assert len(results[0].splitlines()) == 300


@pytest.mark.parametrize(
    ("body", "filters", "said"),
    [
        ("1,2,3\n", {}, "Feature shape mismatch, expected: 5, got 3"),
        ("a,1,2,3,4,x\n", {"InputFilter": "$[1:]"}, "input.csv, line 1, column 6: 'x' is not a number"),
        ("a,1,2,3,4,5\n", {"InputFilter": "$[0,9]"}, "asks for field 9 of a record that has 6 fields"),
        (
            "a,1,2,3,4,5\n",
            {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[8]"},
            "asks for field 8 of a record that has 7 fields",
        ),
    ],
)
def test_a_batch_that_does_not_fit_fails(local_aws, model_name, body, filters, said):
    """Another number of features, text, and filters that lead outside of a record fail the job with their place."""
    source = put(local_aws, f"wrong-{abs(hash(said))}/input.csv", body)
    steps = start(local_aws, definition(transform_step(source, model_name, DataProcessing=filters))).wait("Failed")
    assert said in steps["Transform"]["FailureReason"]


def test_missing_values_are_scored(local_aws, model_name):
    """An empty field is a missing value."""
    source = put(local_aws, "missing/input.csv", "a,,1,2,3,4\n")
    start(local_aws, definition(transform_step(source, model_name))).wait()
    name, score = read(local_aws, "predictions/input.csv.out").strip().split(",")
    assert name == "a"
    assert not math.isnan(float(score))


def test_transform_without_objects_fails(local_aws, model_name):
    """A prefix that holds nothing fails the job and names the prefix."""
    steps = start(local_aws, definition(transform_step(f"s3://{BUCKET}/nothing/", model_name))).wait("Failed")
    assert f'No S3 objects found under S3 URL "s3://{BUCKET}/nothing/"' in steps["Transform"]["FailureReason"]


def test_a_package_registers_and_scores(local_aws, trained):
    """RegisterModel makes a version with metrics and properties; a model of the approved package scores."""
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "churn",
            "ModelApprovalStatus": "Approved",
            "InferenceSpecification": {
                "Containers": [
                    {"Image": XGBOOST, "ModelDataUrl": training_job(trained)["ModelArtifacts"]["S3ModelArtifacts"]}
                ],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "CustomerMetadataProperties": {"PipelineExecutionArn": get("Execution.PipelineExecutionArn")},
        },
    }
    create = {
        "Name": "CreateModel",
        "Type": "Model",
        "Arguments": {
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"ModelPackageName": get("Steps.Register.ModelPackageArn")},
        },
    }
    source = put(local_aws, "package/packaged.csv", as_csv([["a", *row[1:]] for row in rows(3, 6)]))
    run = start(local_aws, definition(register, create, transform_step(source)))
    steps = run.wait()
    package = run.sagemaker.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    assert package["CustomerMetadataProperties"] == {"PipelineExecutionArn": run.arn}
    assert len(read(local_aws, "predictions/packaged.csv.out").splitlines()) == 3


def test_job_settings_are_contract_files(local_aws):
    """Hyperparameters reach the algorithm as text in hyperparameters.json, as in a container."""
    request = training()["Arguments"]
    script = "import json,sys;print(open(sys.argv[1]).read())"
    put(local_aws, "train/part-1.csv", as_csv(rows(400, 1)))
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["python3", "-c", script]
    request["AlgorithmSpecification"]["ContainerArguments"] = ["/opt/ml/input/config/hyperparameters.json"]
    step = {"Name": "Script", "Type": "Training", "Arguments": request}
    run = start(local_aws, definition(step))
    run.wait()
    lines = log_lines(local_aws, "/aws/sagemaker/TrainingJobs", training_job(run, "Script")["TrainingJobName"])
    assert json.loads("".join(lines)) == request["HyperParameters"]


def test_xgboost_is_tuned_by_a_metric_of_its_own(local_aws, trained):
    """The objective's metric is computed though nobody lists it, and the best job is the one with its best value."""
    arguments = training(eval_metric="logloss")["Arguments"]
    static = {name: value for name, value in arguments.pop("HyperParameters").items() if name != "max_depth"}
    request = {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "1", "MaxValue": "6"}]},
        },
        "TrainingJobDefinition": {**arguments, "StaticHyperParameters": static},
    }
    step = {"Name": "Tune", "Type": "Tuning", "Arguments": request}
    run = start(local_aws, definition(step))
    name = run.wait()["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    described = run.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert described["TrainingJobStatusCounters"]["Completed"] == 2
    best = described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    job = run.sagemaker.describe_training_job(TrainingJobName=described["BestTrainingJob"]["TrainingJobName"])
    finals = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert best == {"MetricName": "validation:auc", "Value": pytest.approx(finals["validation:auc"])}
    assert finals["validation:auc"] > 0.8
    assert "validation:logloss" in finals
