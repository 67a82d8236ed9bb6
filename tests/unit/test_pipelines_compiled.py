"""The committed definitions: what they promise, and that they are what compiling gives."""

import json
import os
import re
import subprocess
from pathlib import Path

import botocore.session
import pytest
from botocore.validate import ParamValidator

from include.infrastructure.environment import load_environment
from include.pipelines.settings import COMPILED, INDEX, canonical, inputs_digest, settings_of
from sagemaker_batch import names
from sagemaker_batch.ground_truth import PARAMETERS
from sagemaker_batch.use_case import load_use_case

ROOT = Path(__file__).parents[2]
FOLDER = COMPILED / "local"
AUTHORING = ROOT / ".venv-authoring" / "bin" / "python"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}
DEFINITIONS = {name: json.loads(text) for name, text in TEXTS.items() if name != INDEX}
USE_CASES = [load_use_case(path) for path in sorted((ROOT / "dags" / "use_cases").glob("*.yaml"))]
TRAIN, BATCH = DEFINITIONS["churn-train-baseline.json"], DEFINITIONS["churn-batch-monitor.json"]
QUALITY = {name: DEFINITIONS[f"{name}-model-quality.json"] for name in ("churn", "energy-use")}
OPERATIONS = {
    "Processing": "CreateProcessingJob",
    "QualityCheck": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "Transform": "CreateTransformJob",
    "Model": "CreateModel",
    "RegisterModel": "CreateModelPackage",
}
NAMED = {"Processing": "ProcessingJobName", "QualityCheck": "ProcessingJobName", "Training": "TrainingJobName"}
NAMED |= {"Transform": "TransformJobName", "Model": "ModelName"}


def steps_of(definition):
    for step in definition["Steps"]:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from step["Arguments"].get(branch, [])


def step(definition, name):
    return next(item for item in steps_of(definition) if item["Name"] == name)


def parameters(definition):
    return {item["Name"]: (item["Type"], item.get("DefaultValue")) for item in definition["Parameters"]}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_is_canonical(name):
    """The same content is the same text, so that a difference in review is a difference in meaning."""
    assert TEXTS[name] == canonical(DEFINITIONS[name])


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_depends_on_nothing_of_the_moment(name):
    """No timestamp, no experiment, no null for MLflow, no path of the machine that compiled it."""
    assert set(DEFINITIONS[name]) == {"Metadata", "Parameters", "Steps", "Version"}
    assert not re.search(r"20\d\d-\d\d-\d\d-\d\d|\d{10,}\.\d|/home/|/work/|/tmp/", TEXTS[name])


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_names_the_code_that_lies_here(name):
    """A change of a script changes the definition, so that no execution mixes two versions."""
    use_case = next(item for item in USE_CASES if name.startswith(names.slug(item.name)))
    digest = settings_of(use_case, load_environment("local")).code_digest
    assert set(re.findall(r"/code/([0-9a-f]+)/", TEXTS[name])) == {digest}


def test_the_definitions_are_not_stale():
    """What was committed follows from the use case, the environment and the authoring as they are."""
    found = {item.name: settings_of(item, load_environment("local")) for item in USE_CASES}
    expected = {name: {"inputs": inputs_digest(item), "code": item.code_digest} for name, item in found.items()}
    assert json.loads(TEXTS[INDEX]) == expected, "run `make pipelines`"


def test_train_baseline_has_the_promised_steps_and_parameters():
    """Steps, branches and parameters are those of docs/architecture.md."""
    assert [(item["Name"], item["Type"]) for item in steps_of(TRAIN)] == [
        ("PrepareData", "Processing"),
        ("TrainModel", "Training"),
        ("EvaluateModel", "Processing"),
        ("CheckAccuracy", "Condition"),
        ("BaselineData", "QualityCheck"),
        ("BaselineModelQuality", "QualityCheck"),
        ("CreateModel", "Model"),
        ("RegisterModel", "RegisterModel"),
        ("AccuracyBelowThreshold", "Fail"),
    ]
    assert parameters(TRAIN) == {
        "InputDataUri": ("String", "s3://sagemaker-batch-local/churn/training/input/"),
        "OutputPrefixUri": ("String", "s3://sagemaker-batch-local/churn/training"),
        "AccuracyThreshold": ("Float", 0.7),
        "ModelApprovalStatus": ("String", "PendingManualApproval"),
        "ProcessingInstanceType": ("String", "ml.m5.large"),
        "TrainingInstanceType": ("String", "ml.m5.large"),
        "TrainingInstanceCount": ("Integer", 1),
    }
    (condition,) = step(TRAIN, "CheckAccuracy")["Arguments"]["Conditions"]
    assert condition["Type"] == "GreaterThanOrEqualTo"
    refused = step(TRAIN, "CheckAccuracy")["Arguments"]["ElseSteps"]
    assert [item["Name"] for item in refused] == ["AccuracyBelowThreshold"]


def test_batch_monitor_has_the_promised_steps_and_parameters():
    """Steps and parameters are those of docs/architecture.md; the day's parameters have no default."""
    assert {(item["Name"], item["Type"]) for item in steps_of(BATCH)} == {
        ("GetLatestModel", "Lambda"),
        ("PrepareBatch", "Processing"),
        ("MonitorBatchTransform-monitoring", "QualityCheck"),
        ("MonitorBatchTransform-transform", "Transform"),
    }
    assert parameters(BATCH) == {
        "InputDataUri": ("String", None),
        "OutputPrefixUri": ("String", None),
        "ModelPackageArn": ("String", ""),
        "ConstraintsUri": ("String", ""),
        "FailOnViolation": ("Boolean", False),
        "ProcessingInstanceType": ("String", "ml.m5.large"),
        "TransformInstanceType": ("String", "ml.m5.large"),
        "TransformInstanceCount": ("Integer", 1),
    }


def test_monitoring_waits_for_the_model_and_scoring_for_monitoring():
    """The baselines stand outside the arguments, so that the edge to the Lambda step is spelt out."""
    check, score = step(BATCH, "MonitorBatchTransform-monitoring"), step(BATCH, "MonitorBatchTransform-transform")
    assert "GetLatestModel" in check["DependsOn"]
    assert check["Name"] in score["DependsOn"]
    assert check["FailOnViolation"] == {"Get": "Parameters.FailOnViolation"}
    assert check["SuppliedBaselineStatistics"] == {"Get": "Steps.GetLatestModel.OutputParameters['StatisticsUri']"}


@pytest.mark.parametrize(("name", "engine"), [("churn", "QualityCheck"), ("energy-use", "Processing")])
def test_model_quality_checks_only_when_there_are_labels_enough(name, engine):
    """Merge, then the engine's own check within a condition; too few labels are no failure."""
    found = QUALITY[name]
    assert [(item["Name"], item["Type"]) for item in steps_of(found)] == [
        ("MergeGroundTruth", "Processing"),
        ("CheckLabels", "Condition"),
        ("CheckModelQuality", engine),
    ]
    assert set(parameters(found)) - {"ProcessingInstanceType"} == set(PARAMETERS)
    needed = {key for key, (_, default) in parameters(found).items() if default is None}
    assert needed == {key for key in parameters(found) if key.endswith("Uri")}
    assert step(found, "CheckLabels")["Arguments"]["ElseSteps"] == []


def test_model_quality_is_checked_by_the_moved_bounds_and_fails_nothing():
    """Both engines get the merge's constraints and the version's own statistics; Airflow decides what a drop means."""
    managed, bundled = (step(QUALITY[name], "CheckModelQuality") for name in ("churn", "energy-use"))
    assert (managed["CheckType"], managed["FailOnViolation"], managed["SkipCheck"]) == ("MODEL_QUALITY", False, False)
    assert managed["SuppliedBaselineStatistics"] == {"Get": "Parameters.BaselineStatisticsUri"}
    bounds = "Steps.MergeGroundTruth.ProcessingOutputConfig.Outputs['constraints'].S3Output.S3Uri"
    assert managed["SuppliedBaselineConstraints"]["Std:Join"]["Values"] == [{"Get": bounds}, "constraints.json"]
    inputs = {item["InputName"]: item["S3Input"]["S3Uri"] for item in bundled["Arguments"]["ProcessingInputs"]}
    assert inputs["constraints"] == {"Get": bounds}
    assert inputs["statistics"] == {"Get": "Parameters.BaselineStatisticsUri"}
    assert bundled["Arguments"]["Environment"]["problem_type"] == "Regression"


def test_a_baseline_is_taken_and_not_checked():
    """The first baseline has nothing to be compared with; both kinds are registered."""
    for name, kind in (("BaselineData", "DATA_QUALITY"), ("BaselineModelQuality", "MODEL_QUALITY")):
        found = step(TRAIN, name)
        assert (found["SkipCheck"], found["RegisterNewBaseline"], found["CheckType"]) == (True, True, kind)


def test_a_version_is_registered_with_all_that_scoring_and_monitoring_need():
    """Metrics, drift baselines and the pointers that the registry reads are part of the registration."""
    arguments = step(TRAIN, "RegisterModel")["Arguments"]
    assert set(arguments["CustomerMetadataProperties"]) == {
        "ModelName", "FeatureSchemaUri", "EvaluationUri", "TrainingDataUri", "PipelineExecutionArn",
    }  # fmt: skip
    for part in ("ModelDataQuality", "ModelQuality"):
        assert set(arguments["DriftCheckBaselines"][part]) == {"Statistics", "Constraints"}
        assert set(arguments["ModelMetrics"][part]) == {"Statistics", "Constraints"}
    assert arguments["ModelApprovalStatus"] == {"Get": "Parameters.ModelApprovalStatus"}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_job_writes_below_its_own_execution(name):
    """Two executions never write to the same place."""
    for item in steps_of(DEFINITIONS[name]):
        arguments = item["Arguments"]
        uris = [out["S3Output"]["S3Uri"] for out in arguments.get("ProcessingOutputConfig", {}).get("Outputs", [])]
        uris += [arguments[key]["S3OutputPath"] for key in ("OutputDataConfig", "TransformOutput") if key in arguments]
        for uri in uris:
            assert uri["Std:Join"]["Values"][:2] == [
                {"Get": "Parameters.OutputPrefixUri"},
                {"Get": "Execution.PipelineExecutionId"},
            ]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_processing_and_training_job_has_a_limit(name):
    """A job that hangs ends within the environment's time."""
    limits = load_environment("local").max_runtime
    wanted = {"Processing": limits.processing, "Training": limits.training, "QualityCheck": limits.monitoring}
    for item in steps_of(DEFINITIONS[name]):
        if item["Type"] in wanted:
            assert item["Arguments"]["StoppingCondition"] == {"MaxRuntimeInSeconds": wanted[item["Type"]]}


def plain(value):
    """Replace expressions by values of any type they may have."""
    if isinstance(value, dict):
        if set(value) & {"Get", "Std:Join", "Std:JsonGet"} and len(value) == 1:
            return 1 if str(value.get("Get", "")).endswith("InstanceCount") else "x"
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_steps_arguments_are_what_the_service_takes(name):
    """Each job step's arguments, expressions aside, are valid input of its Create operation."""
    for item in steps_of(DEFINITIONS[name]):
        if item["Type"] in OPERATIONS:
            check_arguments(item)


def check_arguments(item):
    request = plain(item["Arguments"])
    if item["Type"] in NAMED:
        request[NAMED[item["Type"]]] = "name"
    model = botocore.session.get_session().get_service_model("sagemaker")
    report = ParamValidator().validate(request, model.operation_model(OPERATIONS[item["Type"]]).input_shape)
    assert not report.has_errors(), f"{item['Name']}: {report.generate_report()}"


def test_names_in_the_definitions_are_those_of_the_deployment():
    """The definitions name the function, group and role that deployment makes."""
    assert step(BATCH, "GetLatestModel")["FunctionArn"] == names.function_arn("local", "us-east-1", "000000000000")
    registered = step(TRAIN, "RegisterModel")["Arguments"]
    assert registered["ModelPackageGroupName"] == names.model_package_group("churn", "local")
    role = names.role_arn(names.execution_role("local"), "000000000000")
    assert step(TRAIN, "PrepareData")["Arguments"]["RoleArn"] == role


def compiling(*arguments):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    return subprocess.run(
        [str(AUTHORING), "-m", "include.pipelines", "compile", "--environment", "local", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.authoring
@pytest.mark.skipif(not AUTHORING.exists(), reason="the authoring environment is not installed")
def test_compiling_again_gives_the_same_bytes_without_any_connection(tmp_path):
    """Compiling is pure: byte-identical to what is committed, with the network forbidden and telemetry off."""
    done = compiling("--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json")} == TEXTS


@pytest.mark.authoring
@pytest.mark.skipif(not AUTHORING.exists(), reason="the authoring environment is not installed")
def test_a_guarded_environment_compiles_for_its_region(tmp_path):
    """The example of production: its region's images; subnets, key and tags in every job; wheels from S3."""
    environment = load_environment("prod")
    done = compiling("--environment", "prod", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    texts = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*-*.json")}
    assert len(texts) == 3 * len(USE_CASES)
    for name, text in texts.items():
        assert set(re.findall(r"dkr\.ecr\.([a-z0-9-]+)\.", text)) == {environment.region}
        assert "model-monitor-analyzer" not in text
        for item in steps_of(json.loads(text)):
            arguments, kind = item["Arguments"], item["Type"]
            assert kind != "QualityCheck"
            if kind in OPERATIONS and kind != "RegisterModel":
                assert {"Key": "project", "Value": "sagemaker-batch"} in arguments["Tags"]
                check_arguments(item)
            if kind == "Processing":
                assert arguments["NetworkConfig"]["VpcConfig"]["Subnets"] == environment.network.subnets
                assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == environment.kms_key
                inputs = {given["InputName"] for given in arguments["ProcessingInputs"]}
                script = arguments["AppSpecification"]["ContainerEntrypoint"][-1]
                assert ("wheels" in inputs) == script.endswith("/monitor.py"), name
            if kind in {"Training", "Model"}:
                assert arguments["VpcConfig"]["SecurityGroupIds"] == environment.network.security_groups
            if kind == "Transform":
                assert arguments["TransformOutput"]["KmsKeyId"] == environment.kms_key


@pytest.mark.authoring
@pytest.mark.skipif(not AUTHORING.exists(), reason="the authoring environment is not installed")
def test_a_connection_while_compiling_is_an_error():
    """The guard works: whoever connects under it is stopped, and the telemetry switch is set."""
    program = (
        "import socket, os\n"
        "from include.pipelines import purity\n"
        "purity.enforce('us-east-1')\n"
        "assert 'TelemetryOptOut: true' in open(os.environ['SAGEMAKER_USER_CONFIG_OVERRIDE']).read()\n"
        "try:\n    socket.create_connection(('127.0.0.1', 9), 1)\n"
        "except purity.ImpureError:\n    print('stopped')\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    done = subprocess.run([str(AUTHORING), "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "stopped", done.stderr
