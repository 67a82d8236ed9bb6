"""What a container of AWS finds and leaves, job by job: instances, shares, modes of upload, limits, script mode."""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import subprocess
import tarfile
import textwrap
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagemaker_local.jobs import archives, objects
from sagemaker_local.jobs.errors import JobFailedError
from tests.sagemaker_local.conftest import ROLE, LocalAws, wait_for
from tests.sagemaker_local.run_support import BUCKET, CLUSTER, alive, log_lines, put, read

RUNTIMES = Path(__file__).with_name("runtimes_contract.yaml")
OUT = "/opt/ml/processing/out"
ENDED = ("Completed", "Failed", "Stopped")


def process(
    aws: LocalAws, script: str, *, image: str = "shell", instances: int = 1, mode: str = "EndOfJob", **extra: Any
) -> str:
    """Start a processing job that runs a script, and return its name; what it writes to OUT goes below its name."""
    name = f"job-{uuid.uuid4().hex[:8]}"
    put(aws, "anything", "")
    out = {"S3Uri": f"s3://{BUCKET}/{name}/", "LocalPath": OUT, "S3UploadMode": mode}
    program = {"boxed": ["python3", "-c", script], "docked": ["/bin/sh", "-c", script]}.get(image)
    if program is None:  # through S3, for what stands in the request is short and one line
        put(aws, f"scripts/{name}/run.sh", textwrap.dedent(script))
        program = ["/bin/sh", "/opt/ml/processing/input/script/run.sh"]
        sources = [*extra.get("ProcessingInputs", []), data_input("script", f"scripts/{name}", "FullyReplicated")]
        extra["ProcessingInputs"] = sources
    aws.client("sagemaker").create_processing_job(
        **{
            "ProcessingJobName": name,
            "AppSpecification": {"ImageUri": image, "ContainerEntrypoint": program},
            "ProcessingResources": {"ClusterConfig": {**CLUSTER["ClusterConfig"], "InstanceCount": instances}},
            "RoleArn": ROLE,
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": out}]},
            **extra,
        }
    )
    return name


def processed(aws: LocalAws, name: str, status: str = "Completed") -> dict:
    sagemaker = aws.client("sagemaker")
    describe = lambda: sagemaker.describe_processing_job(ProcessingJobName=name)  # noqa: E731
    wait_for(lambda: describe()["ProcessingJobStatus"] in ENDED, 60, name)
    described = describe()
    assert described["ProcessingJobStatus"] == status, described.get("FailureReason")
    return described


def train(aws: LocalAws, **extra: Any) -> str:
    name = f"job-{uuid.uuid4().hex[:8]}"
    put(aws, "anything", "")
    aws.client("sagemaker").create_training_job(
        **{
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": "framework", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "RoleArn": ROLE,
            **extra,
        }
    )
    return name


def trained(aws: LocalAws, name: str, status: str = "Completed") -> dict:
    sagemaker = aws.client("sagemaker")
    describe = lambda: sagemaker.describe_training_job(TrainingJobName=name)  # noqa: E731
    wait_for(lambda: describe()["TrainingJobStatus"] in ENDED, 90, name)
    described = describe()
    assert described["TrainingJobStatus"] == status, described.get("FailureReason")
    return described


def model_files(aws: LocalAws, name: str) -> dict[str, str]:
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=f"models/{name}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {each.name: tar.extractfile(each).read().decode() for each in tar if each.isfile()}


def data_input(name: str, prefix: str, distribution: str) -> dict:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": f"s3://{BUCKET}/{prefix}/",
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": distribution,
        },
    }


def test_each_instance_has_its_share_and_its_own_resource_config(local_aws):
    """Three instances share a sharded input and all have the whole of the other; each logs to a stream of its own."""
    for number in range(7):
        put(local_aws, f"shards/{number}.csv", str(number))
    script = f"""
        host=$(python3 -c 'import json; print(json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"])')
        ls /opt/ml/processing/input/shared > {OUT}/$host.shared
        ls /opt/ml/processing/input/whole | wc -l > {OUT}/$host.whole
        cp /opt/ml/config/resourceconfig.json {OUT}/$host.json
        echo "I am $host"
    """
    sources = [data_input("shared", "shards", "ShardedByS3Key"), data_input("whole", "shards", "FullyReplicated")]
    name = process(local_aws, script, instances=3, ProcessingInputs=sources)
    processed(local_aws, name)
    hosts = ["algo-1", "algo-2", "algo-3"]
    shares = [read(local_aws, f"{name}/{host}.shared").split() for host in hosts]
    assert sorted(itertools.chain(*shares)) == [f"{number}.csv" for number in range(7)]
    assert sorted(map(len, shares)) == [2, 2, 3]
    assert [read(local_aws, f"{name}/{host}.whole").strip() for host in hosts] == ["7"] * 3
    config = json.loads(read(local_aws, f"{name}/algo-2.json"))
    assert (config["current_host"], config["hosts"]) == ("algo-2", hosts)
    assert sorted(log_lines(local_aws, "/aws/sagemaker/ProcessingJobs", name)) == [f"I am {host}" for host in hosts]


def test_an_instance_that_fails_ends_the_others(local_aws, tmp_path):
    """The job fails with the message of the first that failed; nothing of it runs on."""
    script = f"""
        if grep -q '"current_host": "algo-2"' /opt/ml/config/resourceconfig.json
        then
            while ! test -s {tmp_path}/pid; do sleep 0.02; done
            echo "the second broke" > /opt/ml/output/message; exit 3
        else echo $$ > {tmp_path}/pid; exec sleep 600
        fi
    """
    described = processed(local_aws, process(local_aws, script, instances=2), "Failed")
    assert described["ExitMessage"] == "the second broke"
    assert "exit code: 3" in described["FailureReason"]
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_continuous_output_is_there_while_the_job_runs(local_aws, tmp_path):
    """And what a job that failed wrote to it stays; EndOfJob output of that job does not come."""
    script = f"echo first > {OUT}/a; while ! test -e {tmp_path}/go; do sleep 0.05; done; echo last > {OUT}/b; exit 1"
    name = process(local_aws, script, mode="Continuous")
    s3 = local_aws.client("s3")
    keys = lambda: [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=name).get("Contents", [])]  # noqa: E731
    wait_for(lambda: keys() == [f"{name}/a"], 30, "the first file")
    (tmp_path / "go").touch()
    processed(local_aws, name, "Failed")
    assert keys() == [f"{name}/a", f"{name}/b"]
    name = process(local_aws, f"echo lost > {OUT}/a; exit 1")
    processed(local_aws, name, "Failed")
    assert keys() == []


def test_what_leaves_its_process_group_ends_with_the_job(local_aws, tmp_path):
    """A daemon in a session of its own is no way to outlive a container."""
    script = f"""
        setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' &
        while ! test -s {tmp_path}/pid; do sleep 0.02; done
    """
    processed(local_aws, process(local_aws, script))
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not alive(pid), 10, "the daemon to end")


def entrypoint(script: str, image: str = "shell") -> dict:
    return {
        "TrainingImage": image,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/sh", "-c", script],
    }


def test_models_of_all_instances_become_one_archive(local_aws):
    """Two instances write a file each; channels that are sharded are shared."""
    for number in range(4):
        put(local_aws, f"channel/{number}", str(number))
    host = """sed -n 's/.*"current_host": "\\(.*\\)".*/\\1/p' /opt/ml/input/config/resourceconfig.json"""
    script = f"ls /opt/ml/input/data/train | wc -l | tr -d ' \\n' > /opt/ml/model/$({host})"
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://{BUCKET}/channel/",
        "S3DataDistributionType": "ShardedByS3Key",
    }
    name = train(
        local_aws,
        AlgorithmSpecification=entrypoint(script),
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
    )
    trained(local_aws, name)
    assert model_files(local_aws, name) == {"algo-1": "2", "algo-2": "2"}


def test_checkpoints_pass_from_one_job_to_the_next(local_aws):
    """What a job left in its checkpoints, even one that failed, is there when the next begins."""
    config = {"S3Uri": f"s3://{BUCKET}/checkpoints/{uuid.uuid4().hex}"}
    broken = entrypoint("echo 7 > /opt/ml/checkpoints/epoch; exit 1")
    trained(local_aws, train(local_aws, AlgorithmSpecification=broken, CheckpointConfig=config), "Failed")
    name = train(
        local_aws,
        AlgorithmSpecification=entrypoint("cp /opt/ml/checkpoints/epoch /opt/ml/model/epoch"),
        CheckpointConfig=config,
    )
    trained(local_aws, name)
    assert model_files(local_aws, name) == {"epoch": "7\n"}


def test_a_spot_job_ends_at_its_time_to_wait(local_aws):
    """MaxWaitTimeInSeconds counts from the creation; the job is Stopped and says which limit it met."""
    name = train(
        local_aws,
        AlgorithmSpecification=entrypoint("sleep 600"),
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1},
    )
    described = trained(local_aws, name, "Stopped")
    assert described["SecondaryStatus"] in {"MaxWaitTimeExceeded", "MaxRuntimeExceeded"}
    assert "of its StoppingCondition and was ended" in described["FailureReason"]
    with pytest.raises(ClientError, match="greater than or equal to MaxRuntimeInSeconds"):
        train(
            local_aws,
            AlgorithmSpecification=entrypoint("true"),
            EnableManagedSpotTraining=True,
            StoppingCondition={"MaxRuntimeInSeconds": 2, "MaxWaitTimeInSeconds": 1},
        )


def wheel(name: str, text: str) -> bytes:
    """Return a wheel of one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{name}.py", text)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return buffer.getvalue()


def source_archive(aws: LocalAws, **files: str | bytes) -> str:
    """Store a source archive and return the hyperparameter that names it, as the SDK writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return json.dumps(put(aws, f"source/{uuid.uuid4().hex}/sourcedir.tar.gz", buffer.getvalue()))


TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--flag", type=str)
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
given = parser.parse_args()
import helper, extra_package
data = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "data.csv").read_text()
print("loss=0.5;", flush=True)
pathlib.Path(given.model_dir, "model.json").write_text(json.dumps({
    "epochs": given.epochs, "flag": given.flag, "data": data, "helper": helper.VALUE, "extra": extra_package.VALUE,
    "channels": json.loads(os.environ["SM_CHANNELS"]), "host": os.environ["SM_CURRENT_HOST"],
    "hps": json.loads(os.environ["SM_HPS"]), "aws": sorted(name for name in os.environ if name == "AWS_PROFILE"),
}))
"""


def test_a_training_script_runs_in_script_mode(local_aws):
    """source_dir, hyperparameters as arguments, SM_ variables, requirements.txt and metrics, as in AWS's containers."""
    put(local_aws, "script/train/data.csv", "1,2")
    submit = source_archive(
        local_aws,
        train__py=TRAIN,
        helper__py="VALUE = 'from the source archive'",
        requirements__txt="./extra_package-1.0-py3-none-any.whl\n",
        **{"extra_package-1.0-py3-none-any.whl": wheel("extra_package", "VALUE = 'from requirements.txt'")},
    )
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/script/train/"}
    name = train(
        local_aws,
        AlgorithmSpecification={
            "TrainingImage": "framework",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*?);"}],
        },
        HyperParameters={
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": submit,
            "epochs": "3",
            "flag": '"yes"',
        },
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
    )
    described = trained(local_aws, name)
    model = json.loads(model_files(local_aws, name)["model.json"])
    assert model == {
        "epochs": 3,
        "flag": "yes",
        "data": "1,2",
        "helper": "from the source archive",
        "extra": "from requirements.txt",
        "channels": ["train"],
        "host": "algo-1",
        "hps": {"epochs": 3, "flag": "yes"},
        "aws": [],
    }
    assert [(each["MetricName"], each["Value"]) for each in described["FinalMetricDataList"]] == [("loss", 0.5)]


def test_a_training_script_that_fails_says_why(local_aws):
    """The error of the script is the job's FailureReason, its traceback is in the log; a missing program is named."""
    given = {"sagemaker_submit_directory": source_archive(local_aws, train__py="raise ValueError('no such column')")}
    name = train(local_aws, HyperParameters={"sagemaker_program": "train.py", **given})
    reason = trained(local_aws, name, "Failed")["FailureReason"]
    assert "ExecuteUserScriptError" in reason
    assert "ValueError: no such column" in reason
    assert any("Traceback" in line for line in log_lines(local_aws, "/aws/sagemaker/TrainingJobs", name))
    name = train(local_aws, HyperParameters={"sagemaker_program": "other.py", **given})
    assert "has no 'other.py'. It has train.py" in trained(local_aws, name, "Failed")["FailureReason"]
    assert "this job names nothing" in trained(local_aws, train(local_aws), "Failed")["FailureReason"]


def test_a_script_with_paths_of_containers_runs_as_the_sdk_sends_it(local_aws):
    """A shell script that the entrypoint names has its /opt/ml rewritten; `python` is the runtime's interpreter."""
    put(local_aws, "code/a.txt", "a")
    script = f"cd /opt/ml/processing/input/code && python -c 'print(1)' > {OUT}/said && cp a.txt {OUT}/copied"
    name = process(local_aws, script, ProcessingInputs=[data_input("code", "code", "FullyReplicated")])
    processed(local_aws, name)
    assert read(local_aws, f"{name}/said") == "1\n"
    assert read(local_aws, f"{name}/copied") == "a"


@pytest.mark.skipif(
    shutil.which("bwrap") is None or subprocess.run(["bwrap", "--dev-bind", "/", "/", "true"], check=False).returncode,
    reason="bubblewrap is not there, or may not make namespaces",
)
def test_bubblewrap_shows_a_job_its_directory_as_opt_ml(local_aws):
    """A program that builds /opt/ml itself, so that no rewriting could help, finds it, and its own."""
    script = "import os; d = os.sep + 'opt' + os.sep + 'ml/processing/out'; open(d + '/a', 'w').write(os.getcwd())"
    first, second = (process(local_aws, script, image="boxed") for _ in range(2))
    for name in (first, second):
        processed(local_aws, name)
        assert read(local_aws, f"{name}/a") == "/opt/ml"


def test_docker_without_a_daemon_is_a_clear_error(local_aws):
    """Isolation by docker is asked for in the table of runtimes; what to do instead stands in the message."""
    if (
        shutil.which("docker")
        and not subprocess.run(["docker", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("a docker daemon answers here")
    reason = processed(local_aws, process(local_aws, "true", image="docked"), "Failed")["FailureReason"]
    assert "asks for `isolation: docker`, and " in reason
    assert "Start Docker" in reason


DOCKER = """#!/bin/sh
# Stands for docker: notes what it is told, and does what a container would with the mounted directory.
echo "$@" >> "$DOCKER_NOTES"
case "$1" in
run) for part in "$@"; do case "$part" in
    *:/opt/ml) echo "said ${GREETING}" > "${part%:/opt/ml}/processing/out/a";;
    esac; done;;
version) echo 27;;
esac
"""


def test_docker_runs_the_image_itself(make_local_aws, tmp_path, monkeypatch):
    """The image, its arguments, the mounted directory and the environment are docker's; its container is removed."""
    fake, notes = tmp_path / "bin" / "docker", tmp_path / "notes"
    fake.parent.mkdir()
    fake.write_text(DOCKER)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    aws = make_local_aws("aws", "--runtimes", str(RUNTIMES)).start()
    environment = {"GREETING": "hello", "DOCKER_NOTES": str(notes)}
    name = process(aws, "run me", image="docked", Environment=environment)
    processed(aws, name)
    assert read(aws, f"{name}/a") == "said hello\n"
    told = notes.read_text().splitlines()
    run = next(line for line in told if line.startswith("run "))
    assert f"--name sagemaker-local-processing-job-{name}-algo-1" in run
    assert run.endswith("--entrypoint /bin/sh docked -c run me")
    assert "--env GREETING" in run
    assert "hello" not in run, "values stay out of process lists"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "a\0b", ""])
def test_a_key_cannot_lead_out_of_its_directory(tmp_path, path):
    """In S3 these are names like any other."""
    with pytest.raises(JobFailedError, match="leads out of"):
        objects.below(tmp_path, path)
    assert objects.below(tmp_path, "a/b.csv") == tmp_path / "a" / "b.csv"


def test_an_archive_cannot_lead_out_of_its_directory(tmp_path):
    """Members above the directory, links out of it and devices are refused, and nothing is written outside."""
    hostile = {
        "up": lambda member: setattr(member, "name", "../outside"),
        "link": lambda member: (setattr(member, "type", tarfile.SYMTYPE), setattr(member, "linkname", "/etc/passwd")),
        "device": lambda member: setattr(member, "type", tarfile.CHRTYPE),
    }
    for name, change in hostile.items():
        member = tarfile.TarInfo(name)
        change(member)
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as tar:
            tar.addfile(member)
        with pytest.raises(JobFailedError, match="is refused"):
            archives.extract(tmp_path / f"{name}.tar.gz", tmp_path / "target" / name, name)
    assert not (tmp_path / "target" / "outside").exists()
    (tmp_path / "no.tar.gz").write_text("no archive")
    with pytest.raises(JobFailedError, match="no readable tar archive"):
        archives.extract(tmp_path / "no.tar.gz", tmp_path / "target", "no.tar.gz")
