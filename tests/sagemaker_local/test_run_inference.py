"""Batch transform through a person's own inference script: what it gets, what becomes of its answers, how it fails."""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
import textwrap
import uuid
from pathlib import Path
from typing import Any

import pytest

from sagemaker_local.runtimes import failure, script_transform
from tests.sagemaker_local.conftest import ROLE, LocalAws, wait_for
from tests.sagemaker_local.run_support import BUCKET, SKLEARN, XGBOOST, log_lines, put, read
from tests.sagemaker_local.test_run_contract import wheel

RUNTIMES = Path(__file__).parent / "runtimes_own_server.yaml"
OWN_SERVER = "000000000000.dkr.ecr.us-east-1.amazonaws.com/in-house-server:1"

# Sums the features; tells what it was called with.
SUMS = """
    import json
    from pathlib import Path

    def model_fn(model_dir):
        return json.loads((Path(model_dir) / "weights.json").read_text())

    def input_fn(body, content_type):
        assert content_type == "text/csv", content_type
        return [[float(cell) for cell in line.split(",")] for line in body.splitlines()]

    def predict_fn(data, model):
        print(f"request of {len(data)} records")
        return [sum(row) * model["scale"] for row in data]

    def output_fn(prediction, accept):
        return "".join(f"{value}\\n" for value in prediction), accept
"""
# Leaves reading and writing to the defaults.
MEANS = """
    class Mean:
        def predict(self, rows):
            assert str(rows.dtype) == "float32"
            return rows.mean(axis=1)

    def model_fn(model_dir):
        return Mean()
"""


class Workshop:
    """The directory of one transform job."""

    def __init__(self, ml: Path) -> None:
        self.ml = ml
        for name in ("config", "input/data", "output/data", "model/code"):
            (ml / name).mkdir(parents=True)
        (ml / "model/weights.json").write_text('{"scale": 2}')

    def start(self, script: str, text: str, framework: str = "scikit-learn", **changes: Any) -> int:
        (self.ml / "model/code/inference.py").write_text(textwrap.dedent(script))
        (self.ml / "input/data/day.csv").write_text(text)
        config = {
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": 6,
            "MaxConcurrentTransforms": 0,
            "DataProcessing": {},
            "ContentType": "text/csv",
            "SplitType": "Line",
            "Accept": "text/csv",
            "AssembleWith": "Line",
            "Files": ["day.csv"],
        }
        (self.ml / "config/transformjobconfig.json").write_text(json.dumps({**config, **changes}))
        given = argparse.Namespace(
            interpreter=sys.executable, program="inference.py", code=self.ml / "model/code", framework=framework
        )
        return failure.run(self.ml, lambda ml: script_transform.transform(ml, given))

    def run(self, script: str, text: str, **changes: Any) -> str:
        assert self.start(script, text, **changes) == 0, (self.ml / "output/failure").read_text()
        return (self.ml / "output/data/day.csv.out").read_text()

    def fail(self, script: str, text: str, **changes: Any) -> tuple[int, str]:
        code = self.start(script, text, **changes)
        return code, (self.ml / "output/failure").read_text()


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path / "ml")


def test_all_four_functions_are_called_and_ids_come_back(workshop):
    """The script gets what InputFilter leaves; its lines are joined to the records as they stood in the file."""
    found = workshop.run(
        SUMS,
        '007,1,2\n"a,b",3,4\n',
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    )
    assert found == '007,6.0\n"a,b",14.0\n'


def test_a_request_holds_what_the_strategy_and_the_payload_say(workshop, capfd):
    """SingleRecord is one record a request; MultiRecord packs as many as MaxPayloadInMB takes; order stays."""
    workshop.run(SUMS, "1\n2\n3\n", BatchStrategy="SingleRecord", MaxConcurrentTransforms=2)
    assert capfd.readouterr().out.count("request of 1 records") == 3
    text = "".join(f"{number},{'0' * 500}\n" for number in range(4000))  # about two megabytes
    found = workshop.run(SUMS, text, MaxPayloadInMB=1, MaxConcurrentTransforms=2)
    assert found == "".join(f"{number * 2}.0\n" for number in range(4000))
    said = capfd.readouterr().out
    assert said.count("request of") == 2


def test_missing_functions_are_the_containers_own(workshop):
    """CSV becomes a float32 array, a prediction the type that was asked for; JSON unless one was."""
    assert workshop.run(MEANS, "1,2\n3,4\n") == "1.5\n3.5\n"
    assert workshop.run(MEANS, "1,2\n3,4\n", Accept="") == "[1.5, 3.5]\n"
    assert workshop.run(MEANS, "[[1, 2]]", ContentType="application/json", Accept="", SplitType="None") == "[1.5]\n"


def test_json_lines_are_joined_under_a_key_of_their_own(workshop):
    """Each line of the answer goes to its record as SageMakerOutput, and OutputFilter sees the whole."""
    script = """
        import json

        def model_fn(model_dir):
            return None

        def transform_fn(model, body, content_type, accept):
            lines = [json.loads(line) for line in body.splitlines()]
            return "\\n".join(json.dumps({"twice": 2 * value}) for value in lines), accept
    """
    kind = "application/jsonlines"
    found = workshop.run(
        script,
        '{"id": "a", "x": 1}\n{"id": "b", "x": 2}\n',
        ContentType=kind,
        Accept=kind,
        DataProcessing={"InputFilter": "$.x", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"},
    )
    assert [json.loads(line) for line in found.splitlines()] == [
        {"id": "a", "SageMakerOutput": {"twice": 2}},
        {"id": "b", "SageMakerOutput": {"twice": 4}},
    ]


@pytest.mark.parametrize(
    ("script", "changes", "code", "said"),
    [
        (SUMS, {"DataProcessing": {"InputFilter": "$[5]"}}, 2, "InputFilter, day.csv, record 1: '$[5]' asks for field"),
        (SUMS.replace("sum(row)", "row / 0"), {}, 1, "inference.py, day.csv, records 1 to 2: predict_fn failed: TypeE"),
        (SUMS.replace("return json", "return jso"), {}, 1, "inference.py, while it loaded the model: model_fn failed"),
        ("import nowhere_to_be_found", {}, 1, "importing it failed: ModuleNotFoundError: No module named"),
        ("x = 1", {}, 1, "it has no model_fn. Define model_fn(model_dir)"),
        (
            SUMS.replace("print(", "import os; os._exit(7); print("),
            {},
            1,
            "ended day.csv, records 1 to 2 (exit code 7)",
        ),
        (MEANS, {"Accept": "application/json", "DataProcessing": {"JoinSource": "Input"}}, 2, "both CSV or both JSON"),
        (
            SUMS.replace("in prediction)", "in prediction[1:])"),
            {"DataProcessing": {"JoinSource": "Input"}},
            2,
            "1 lines",
        ),
        (MEANS, {"framework": "pytorch"}, 1, "it has no input_fn, and the default of this image is not run here"),
        (MEANS, {"Accept": "image/png"}, 1, "the default output_fn writes application/json, text/csv"),
    ],
)
def test_what_goes_wrong_is_named_with_its_place(workshop, script, changes, code, said):
    """Whose fault it is decides the exit code: 2 for request and data, 1 for the script."""
    got, message = workshop.fail(script, "1,2\n3,4\n", **changes)
    assert said in message
    assert got == code


def test_requirements_are_installed_for_the_script(workshop, monkeypatch):
    """code/requirements.txt goes into a directory of the job, before the workers start."""
    monkeypatch.setenv("TMPDIR", str(workshop.ml.parent))
    (workshop.ml / "model/code/extra_package-1.0-py3-none-any.whl").write_bytes(wheel("extra_package", "SCALE = 3"))
    (workshop.ml / "model/code/requirements.txt").write_text("./extra_package-1.0-py3-none-any.whl\n")
    script = SUMS.replace("import json", "import json\n    import extra_package").replace(
        'model["scale"]', "extra_package.SCALE"
    )
    assert workshop.run(script, "1,2\n") == "9.0\n"
    (workshop.ml / "model/code/requirements.txt").write_text("./missing-1.0-py3-none-any.whl\n")
    code, message = workshop.fail(script, "1,2\n")
    assert "requirements.txt was not installed" in message
    assert code == 2


def transformed(workshop, program, framework=""):
    """Run a script of the model's code as a transform job does; return the exit code."""
    given = argparse.Namespace(
        interpreter=sys.executable, program=program, code=workshop.ml / "model/code", framework=framework
    )
    return failure.run(workshop.ml, lambda ml: script_transform.transform(ml, given))


def test_a_model_without_its_script_says_what_its_code_holds(workshop):
    """The message says where the script belongs."""
    workshop.start(SUMS, "1\n")
    (workshop.ml / "model/code/inference.py").rename(workshop.ml / "model/code/serve.py")
    assert transformed(workshop, "inference.py") == 2
    message = (workshop.ml / "output/failure").read_text()
    assert "no 'inference.py' in its code directory, which holds" in message
    assert "serve.py" in message
    assert "SAGEMAKER_PROGRAM" in message


@pytest.mark.parametrize("program", ["../serve.py", "/etc/hostname", "sub/serve.py"])
def test_a_program_is_the_name_of_a_script_and_no_path(workshop, program):
    """Neither out of the code directory nor below it, where another file of its name would be imported."""
    workshop.start(SUMS, "1\n")
    assert transformed(workshop, program) == 2
    assert f"SAGEMAKER_PROGRAM is {program!r}; write the name" in (workshop.ml / "output/failure").read_text()


def test_a_script_may_be_called_like_a_module_of_python(workshop):
    """Its own file is what runs."""
    workshop.start(SUMS, "1,2\n")
    (workshop.ml / "model/code/inference.py").rename(workshop.ml / "model/code/calendar.py")
    assert transformed(workshop, "calendar.py", "scikit-learn") == 0
    assert (workshop.ml / "output/data/day.csv.out").read_text() == "6.0\n"


def test_a_quote_that_is_never_closed_is_told_at_the_limit(workshop):
    """Not after the rest of the file was read into one record; the lines before it are what it is not."""
    text = '1,2\n3,"4\n' + "5,6\n" * 400_000
    code, message = workshop.fail(SUMS, text, MaxPayloadInMB=1)
    assert code == 2
    assert "day.csv, record 2 is larger than MaxPayloadInMB (1). Is a quote not closed" in message


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            content = textwrap.dedent(text).encode()
            member = tarfile.TarInfo(name.replace("__", "/").replace("_dot_", "."))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def transform(aws: LocalAws, environment: dict[str, str], image: str = SKLEARN) -> dict[str, Any]:
    """Run a job over two files with a model whose archive holds a script, and return its description."""
    sagemaker = aws.client("sagemaker")
    name = f"own-{uuid.uuid4().hex[:8]}"
    model = archive(weights_dot_json='{"scale": 2}', code__inference_dot_py=SUMS)
    container = {"Image": image, "ModelDataUrl": put(aws, f"{name}/model.tar.gz", model), "Environment": environment}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    put(aws, f"{name}/in/a.csv", "1,2\n3,4\n")
    put(aws, f"{name}/in/b.csv", "5,6\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/in/"}}
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/{name}/out", "Accept": "text/csv", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    def described() -> dict[str, Any]:
        return sagemaker.describe_transform_job(TransformJobName=name)

    wait_for(lambda: described()["TransformJobStatus"] != "InProgress", 60, lambda: str(described()))
    return described()


def test_a_model_brings_its_script_in_its_archive(local_aws):
    """The archive's code/inference.py, named as the SDK names it, scores each object; its output is in the log."""
    named = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    job = transform(local_aws, named)
    assert job["TransformJobStatus"] == "Completed", job
    name = job["TransformJobName"]
    assert read(local_aws, f"{name}/out/a.csv.out") == "6.0\n14.0\n"
    assert read(local_aws, f"{name}/out/b.csv.out") == "22.0\n"
    assert "request of 2 records" in log_lines(local_aws, "/aws/sagemaker/TransformJobs", name)


def test_a_scikit_learn_model_without_a_named_script_is_refused(local_aws):
    """The container has no default of its own, and the message says what to set."""
    job = transform(local_aws, {})
    assert job["TransformJobStatus"] == "Failed"
    assert "set SAGEMAKER_PROGRAM (inference.py) and SAGEMAKER_SUBMIT_DIRECTORY" in job["FailureReason"]


def test_the_packages_own_predictor_makes_way_for_a_named_script(local_aws):
    """The XGBoost image predicts by itself only where the model names no script."""
    named = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    job = transform(local_aws, named, XGBOOST)
    assert job["TransformJobStatus"] == "Completed", job
    assert read(local_aws, f"{job['TransformJobName']}/out/b.csv.out") == "22.0\n"


def test_what_a_person_gave_an_image_runs_whatever_the_model_names(local_aws):
    """A `command` of the table is not passed over for a script; the log says that the script was not run."""
    named = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    job = transform(local_aws, named, OWN_SERVER)
    assert job["TransformJobStatus"] == "Completed", job
    name = job["TransformJobName"]
    assert read(local_aws, f"{name}/out/a.csv.out") == "answered by the table's command"
    (line,) = log_lines(local_aws, "/aws/sagemaker/TransformJobs", name)
    assert "SAGEMAKER_PROGRAM (inference.py) is not run" in line
