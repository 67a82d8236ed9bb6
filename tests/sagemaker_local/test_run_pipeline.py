"""Executions: order, parallel steps, conditions, functions, failures, stopping."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.sagemaker_local.conftest import ROLE
from tests.sagemaker_local.run_support import (
    BUCKET,
    again,
    alive,
    definition,
    get,
    inputs,
    log_lines,
    outputs,
    processing,
    processing_arguments,
    put,
    put_scripts,
    read,
    start,
)

OUTPUT = "/opt/ml/processing/output"
WRITE = """
    import json, pathlib, sys
    pathlib.Path(sys.argv[1], sys.argv[2]).write_text(sys.argv[3])
"""
NOTHING = "print('done')"
# Waits until the other of two scripts is there too: only steps that run at the same time can both end.
MEET = """
    import os, sys, time
    import urllib.request
    base = f"{os.environ['AWS_ENDPOINT_URL']}/bucket/meet"
    def there(name):
        try:
            return urllib.request.urlopen(f"{base}/{name}").status == 200
        except urllib.error.HTTPError:
            return False
    urllib.request.urlopen(urllib.request.Request(f"{base}/{sys.argv[1]}", data=b"x", method="PUT"))
    deadline = time.monotonic() + 60
    while not there(sys.argv[2]):
        if time.monotonic() > deadline:
            sys.exit("the other never came")
        time.sleep(0.05)
"""
FOREVER = """
    import os, pathlib, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("running", os.getpid(), child.pid, flush=True)
    time.sleep(600)
"""


def write(name: str, file: str, text: object, **step: object) -> dict:
    """Return a step that writes one file to s3://bucket/<name>/<file>."""
    return processing(
        name,
        WRITE,
        f"{OUTPUT}/out",
        file,
        text,
        step=step,
        ProcessingOutputConfig=outputs(out=f"s3://{BUCKET}/{name}"),
    )


def condition(name: str, left: object, right: object, then: list, otherwise: list, *, kind: str = "Equals") -> dict:
    return {
        "Name": name,
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": kind, "LeftValue": left, "RightValue": right}],
            "IfSteps": then,
            "ElseSteps": otherwise,
        },
    }


def fail(name: str, message: object) -> dict:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def test_independent_steps_run_at_the_same_time(local_aws):
    """Two steps that wait for each other's sign both end, so they ran in parallel."""
    put(local_aws, "meet/nobody", "")
    run = start(local_aws, definition(processing("A", MEET, "a", "b"), processing("B", MEET, "b", "a")))
    steps = run.wait()
    assert steps["A"]["StartTime"] < steps["B"]["EndTime"]
    assert steps["B"]["StartTime"] < steps["A"]["EndTime"]


def test_a_property_file_decides_the_branch(local_aws):
    """JsonGet reads what a step wrote; only the branch that the condition takes runs; Join and parameters resolve."""
    evaluate = write(
        "Evaluate",
        "evaluation.json",
        json.dumps({"metrics": {"accuracy": {"value": 0.91}}}),
        PropertyFiles=[{"PropertyFileName": "Evaluation", "OutputName": "out", "FilePath": "evaluation.json"}],
    )
    accuracy = {
        "Std:JsonGet": {
            "PropertyFile": get("Steps.Evaluate.PropertyFiles.Evaluation"),
            "Path": "metrics.accuracy.value",
        }
    }
    message = {"Std:Join": {"On": "", "Values": ["accuracy ", accuracy, " is below ", get("Parameters.Threshold")]}}
    uri = {
        "Std:Join": {
            "On": "/",
            "Values": [
                get("Steps.Evaluate.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"),
                get("Execution.PipelineExecutionId"),
            ],
        }
    }
    register = processing(
        "Register", WRITE, f"{OUTPUT}/out", "good.txt", "yes", ProcessingOutputConfig=outputs(out=uri)
    )
    text = definition(
        evaluate,
        condition(
            "Check",
            accuracy,
            get("Parameters.Threshold"),
            [register],
            [fail("TooLow", message)],
            kind="GreaterThanOrEqualTo",
        ),
        parameters=[{"Name": "Threshold", "Type": "Float", "DefaultValue": 0.8}],
    )
    run = start(local_aws, text)
    steps = run.wait()
    assert set(steps) == {"Evaluate", "Check", "Register"}
    assert steps["Check"]["Metadata"]["Condition"]["Outcome"] == "True"
    assert read(local_aws, f"Evaluate/{run.arn[-12:]}/good.txt") == "yes"

    pipeline = run.arn.split("/")[1]
    second = again(local_aws, pipeline, Threshold="0.95")
    steps = second.wait("Failed")
    assert set(steps) == {"Evaluate", "Check", "TooLow"}
    assert steps["TooLow"]["FailureReason"] == "accuracy 0.91 is below 0.95"
    assert steps["TooLow"]["Metadata"]["Fail"]["ErrorMessage"] == "accuracy 0.91 is below 0.95"
    assert second.describe()["FailureReason"] == "Step failure: One or many steps failed."


def test_a_failure_starts_nothing_further(local_aws):
    """A failed step fails the execution with the script's own message; steps that wait for it do not run."""
    script = """
        import pathlib, sys
        pathlib.Path(sys.argv[1]).write_text("the batch is empty")
        sys.exit(3)
    """
    broken = processing("Broken", script, "/opt/ml/output/message")
    after = processing("After", NOTHING, step={"DependsOn": ["Broken"]})
    run = start(local_aws, definition(broken, after))
    steps = run.wait("Failed")
    assert set(steps) == {"Broken"}
    assert steps["Broken"]["FailureReason"] == "AlgorithmError: the batch is empty, exit code: 3"
    job = run.job("Broken")
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Failed", "the batch is empty")


def test_a_step_may_wait_for_a_failure(local_aws):
    """With the Trigger Failed a step runs because another failed, and the execution CompletedWithFailures."""
    broken = processing("Broken", "raise SystemExit(1)")
    after = processing("After", NOTHING, step={"DependsOn": [{"Step": "Broken", "Trigger": "Failed"}]})
    never = processing("Never", NOTHING, step={"DependsOn": ["Broken"]})
    steps = start(local_aws, definition(broken, after, never)).wait("CompletedWithFailures")
    assert {name: step["StepStatus"] for name, step in steps.items()} == {"Broken": "Failed", "After": "Succeeded"}


def test_retry_runs_what_failed_again(local_aws):
    """RetryPipelineExecution keeps finished steps and runs the failed ones and what follows."""
    needs = processing(
        "Needs",
        NOTHING,
        step={"DependsOn": ["First"]},
        ProcessingInputs=inputs(late=f"s3://{BUCKET}/late/"),
    )
    run = start(local_aws, definition(processing("First", NOTHING), needs))
    steps = run.wait("Failed")
    assert f'No S3 objects found under S3 URL "s3://{BUCKET}/late/"' in steps["Needs"]["FailureReason"]
    first = steps["First"]["Metadata"]["ProcessingJob"]["Arn"]
    put(local_aws, "late/data.csv", "1")
    run.sagemaker.retry_pipeline_execution(PipelineExecutionArn=run.arn, ClientRequestToken="t" * 32)
    steps = run.wait()
    assert steps["First"]["Metadata"]["ProcessingJob"]["Arn"] == first
    assert steps["Needs"]["StepStatus"] == "Succeeded"


def test_stop_ends_the_whole_process_group(local_aws, wait_for):
    """Stopping an execution ends its job with all children, and shows Stopped everywhere."""
    run = start(
        local_aws, definition(processing("Long", FOREVER), processing("After", NOTHING, step={"DependsOn": ["Long"]}))
    )
    run.wait_step("Long", "Executing")
    shown = run.sagemaker.describe_pipeline_execution(PipelineExecutionArn=run.arn)
    assert shown["LastModifiedTime"] > shown["CreationTime"], "a step's change must show in the execution"

    def said() -> list[str]:
        try:
            lines = log_lines(local_aws, "/aws/sagemaker/ProcessingJobs", run.job("Long")["ProcessingJobName"])
        except (KeyError, run.aws.client("logs").exceptions.ResourceNotFoundException):
            return []
        return [line for line in lines if line.startswith("running")]

    pids = [int(pid) for pid in wait_for(said, 30, "the job to run")[0].split()[1:]]
    assert all(map(alive, pids))
    run.sagemaker.stop_pipeline_execution(PipelineExecutionArn=run.arn, ClientRequestToken="s" * 32)
    steps = run.wait("Stopped")
    assert {name: step["StepStatus"] for name, step in steps.items()} == {"Long": "Stopped"}
    assert run.job("Long")["ProcessingJobStatus"] == "Stopped"
    wait_for(lambda: not any(map(alive, pids)), 10, "the processes to be gone")


def test_a_job_that_exceeds_its_time_fails_its_step(local_aws):
    """At MaxRuntimeInSeconds a job is ended; the step's reason names the limit."""
    step = processing("Slow", FOREVER, StoppingCondition={"MaxRuntimeInSeconds": 1})
    run = start(local_aws, definition(step))
    steps = run.wait("Failed")
    assert "ran longer than MaxRuntimeInSeconds = 1" in steps["Slow"]["FailureReason"]
    assert run.job("Slow")["ProcessingJobStatus"] == "Stopped"


def test_a_job_outside_of_pipelines_runs_and_stops(local_aws, sagemaker, wait_for):
    """CreateProcessingJob alone starts a job, StopProcessingJob ends it."""
    request = processing_arguments(FOREVER)
    put_scripts(local_aws)
    sagemaker.create_processing_job(ProcessingJobName="alone", **request)

    def status(wanted: str) -> bool:
        return sagemaker.describe_processing_job(ProcessingJobName="alone")["ProcessingJobStatus"] == wanted

    assert status("InProgress")
    sagemaker.stop_processing_job(ProcessingJobName="alone")
    wait_for(lambda: status("Stopped"), 30, "the job to stop")


def test_an_unknown_image_is_named_with_the_file_to_edit(local_aws):
    """A job of an image that nothing stands for fails, naming the image and the file of runtimes."""
    step = processing("Unknown", NOTHING)
    step["Arguments"]["AppSpecification"]["ImageUri"] = "example.com/my-image:1"
    reason = start(local_aws, definition(step)).wait("Failed")["Unknown"]["FailureReason"]
    assert "'example.com/my-image:1'" in reason
    assert "runtimes.yaml" in reason


def test_a_job_sees_its_contract_and_no_keys_of_ours(local_aws):
    """Paths are rewritten in entrypoint, arguments, environment and contract files; the environment is clean."""
    script = """
        import json, os, pathlib, sys
        config = json.loads(pathlib.Path(sys.argv[1], "processingjobconfig.json").read_text())
        resources = json.loads(pathlib.Path(sys.argv[1], "resourceconfig.json").read_text())
        assert config["ProcessingJobArn"].endswith(config["ProcessingJobName"]), config
        assert os.path.isdir(config["ProcessingInputs"][-1]["S3Input"]["LocalPath"]), config
        assert config["ProcessingInputs"][-1]["S3Input"]["S3Uri"].startswith("s3://bucket/code/"), config
        assert resources["current_host"] == "algo-1" and resources["hosts"] == ["algo-1"]
        assert os.environ["WHERE"] == str(pathlib.Path(sys.argv[1]).parent / "processing"), os.environ["WHERE"]
        assert os.environ["KEPT"] == "s3://bucket/opt/ml and /opt/mlflow", os.environ["KEPT"]
        assert os.environ["AWS_ACCESS_KEY_ID"] == "sagemaker-batch-execution-local", os.environ["AWS_ACCESS_KEY_ID"]
        assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PYTHONPATH"} & set(os.environ)
    """
    environment = {"WHERE": "/opt/ml/processing", "KEPT": "s3://bucket/opt/ml and /opt/mlflow"}
    start(local_aws, definition(processing("Look", script, "/opt/ml/config", Environment=environment))).wait()


@pytest.fixture(scope="module")
def function(local_aws) -> str:
    """A function that answers, or fails, as its event asks."""
    code = (
        "def handler(event, context):\n"
        "    if 'error' in event:\n"
        "        raise ValueError(event['error'])\n"
        "    return {'Name': event['name'].upper(), 'Number': 7, 'Flag': True}\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", code)
    answer = local_aws.client("lambda").create_function(
        FunctionName="ask",
        Runtime="python3.12",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": buffer.getvalue()},
    )
    return answer["FunctionArn"]


def ask(function: str, event: dict, *, outputs: tuple = ("Name", "Number", "Flag"), **step: object) -> dict:
    kinds = {"Name": "String", "Number": "Integer", "Flag": "Boolean", "Missing": "String"}
    listed = [{"OutputName": name, "OutputType": kinds[name]} for name in outputs]
    return {
        "Name": "Ask",
        "Type": "Lambda",
        "FunctionArn": function,
        "Arguments": event,
        "OutputParameters": listed,
        **step,
    }


def test_a_lambda_step_hands_its_outputs_on(local_aws, function):
    """The event is the Arguments; outputs are typed values for later steps and text in the step's Metadata."""
    use = write("Use", "name.txt", get("Steps.Ask.OutputParameters['Name']"))
    check = condition("IsSeven", get("Steps.Ask.OutputParameters['Number']"), 7, [use], [fail("No", "not seven")])
    text = definition(
        ask(function, {"name": get("Parameters.Who")}), check, parameters=[{"Name": "Who", "Type": "String"}]
    )
    steps = start(local_aws, text, Who="ada").wait()
    assert read(local_aws, "Use/name.txt") == "ADA"
    shown = {each["Name"]: each["Value"] for each in steps["Ask"]["Metadata"]["Lambda"]["OutputParameters"]}
    assert shown == {"Name": "ADA", "Number": "7", "Flag": "True"}
    assert steps["Ask"]["Metadata"]["Lambda"]["Arn"] == function


@pytest.mark.parametrize(
    ("event", "names", "said"),
    [
        ({"error": "no approved model"}, (), "no approved model"),
        ({"name": "x"}, ("Missing",), "has no 'Missing', which OutputParameters of the step names"),
    ],
)
def test_a_lambda_step_fails_with_the_functions_message(local_aws, function, event, names, said):
    """An exception of the function, and an answer without a declared output, fail the step and say which."""
    steps = start(local_aws, definition(ask(function, event, outputs=names))).wait("Failed")
    assert said in steps["Ask"]["FailureReason"]


def test_first_step_starts_at_once(local_aws):
    """Between the start of an execution and its first job's process nothing is polled: well below 1.5 s."""
    run = start(local_aws, definition(processing("Quick", NOTHING)))
    run.wait()
    began = run.job("Quick")["ProcessingStartTime"] - run.describe()["CreationTime"]
    assert began.total_seconds() < 1.5
