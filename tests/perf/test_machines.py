"""Both pipelines on two machines each: shares of the data, merged, are what one pass over the whole gives."""

import json
import subprocess
import sys
import time
from datetime import date

import pytest
import yaml

from local import data, environment
from local.cloud import Cloud
from local.house import House, Ports
from sagemaker_batch import names, registry

AUTHORING = environment.REPO / ".venv-authoring" / "bin" / "python"
FOLDERS = environment.REPO / "include" / "infrastructure" / "environments"
DAY = date(2026, 3, 3)
DEADLINE = 600.0
FINAL = {"Succeeded", "Failed", "Stopped"}


def figures(document):
    """Return a document without its sketches, numbers to ten digits: shares are summed in another order."""
    if isinstance(document, float):
        return float(f"{document:.10g}")
    if isinstance(document, dict):
        return {key: figures(value) for key, value in document.items() if key not in {"distribution", "drift"}}
    return [figures(part) for part in document] if isinstance(document, list) else document


class Place:
    """A local AWS to which churn is deployed for an environment with these counts of machines."""

    def __init__(self, house, folder, machines):
        self.house, self.cloud = house, Cloud(house.aws.url, "churn")
        use_cases, environments = folder / "use_cases", folder / "environments"
        use_cases.mkdir()
        environments.mkdir()
        text = (environment.REPO / "dags" / "use_cases" / "churn.yaml").read_text(encoding="utf-8")
        (use_cases / "churn.yaml").write_text(text, encoding="utf-8")
        settings = yaml.safe_load((FOLDERS / "local.yaml").read_text(encoding="utf-8"))
        settings |= {
            "monitor_engine": "bundled",
            "instance_counts": {"monitoring": machines, "transform": machines},
        }
        (environments / "local.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        given = ["--environments", environments, "--use-cases", use_cases]
        self.command(AUTHORING, "-m", "include.pipelines", "compile", *given, "--out", folder / "compiled" / "local")
        self.command(sys.executable, "-m", "include.infrastructure", "apply", *given, "--compiled", folder / "compiled")

    def command(self, *command):
        done = subprocess.run(
            [str(part) for part in command],
            env={
                **environment.base(),
                **environment.aws(self.house.aws.url),
                "PYTHONPATH": environment.python_path(),
            },
            cwd=environment.REPO,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, pipeline, **parameters):
        """Run a pipeline to its end; return its steps by name."""
        given = [{"Name": name, "Value": value} for name, value in parameters.items()]
        started = self.cloud.sagemaker.start_pipeline_execution(PipelineName=pipeline, PipelineParameters=given)
        arn, until = started["PipelineExecutionArn"], time.monotonic() + DEADLINE
        while self.cloud.execution(arn)["PipelineExecutionStatus"] not in FINAL:
            assert time.monotonic() < until
            time.sleep(0.5)
        steps = {step["StepName"]: step for step in self.cloud.steps(arn)}
        assert self.cloud.execution(arn)["PipelineExecutionStatus"] == "Succeeded", steps
        return arn, steps

    def read(self, prefix, name):
        (key,) = [key for key in self.cloud.keys(prefix) if key.endswith(name)]
        return json.loads(self.cloud.s3.get_object(Bucket=self.cloud.bucket, Key=key)["Body"].read())

    def days_work(self, file, day):
        """Train, approve and score a day; return what is compared, and the names of the files of predictions."""
        cloud = self.cloud
        cloud.put_training(file)
        training, _ = self.run(names.train_pipeline("churn", "local"))
        package = registry.describe(cloud.sagemaker, cloud.packages()[0]["ModelPackageArn"])
        registry.approve(cloud.sagemaker, package.arn, "For the test.")
        cloud.put_day(DAY, day)
        arn, steps = self.run(
            names.batch_pipeline("churn", "local"),
            InputDataUri=names.s3_uri(cloud.bucket, names.input_prefix("churn", DAY)),
            OutputPrefixUri=names.s3_uri(cloud.bucket, names.batch_prefix("churn", DAY)),
        )
        execution = f"{names.batch_prefix('churn', DAY)}/{names.execution_id(arn)}/".replace("//", "/")
        base = f"churn/training/{names.execution_id(training)}/baseline/data_quality/"
        reports = {
            "baseline": self.read(base, "statistics.json"),
            "constraints": self.read(base, "constraints.json"),
            "day": self.read(f"{execution}monitoring/", "statistics.json"),
            "violations": self.read(f"{execution}monitoring/", "constraint_violations.json"),
        }
        files = [key for key in cloud.keys(f"{execution}predictions/") if key.endswith(".out")]
        lines = [
            line
            for key in files
            for line in cloud.s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read().decode().splitlines()
        ]
        return {name: figures(report) for name, report in reports.items()}, sorted(lines), files, steps


@pytest.mark.skipif(not AUTHORING.exists(), reason="the authoring environment is not installed")
@pytest.mark.timeout(1800)
def test_two_machines_do_what_one_does(tmp_path):
    """Statistics, constraints, violations and scores of both pipelines agree; only the work is dealt."""
    training, day = tmp_path / "training.csv", tmp_path / "day.csv"
    data.write_training(training, 7)
    data.write_day(day, "drifted", DAY, 7)
    results = []
    for machines in (1, 2):
        folder = tmp_path / f"on-{machines}"
        folder.mkdir()
        with House(folder / "house", Ports.free()) as house:
            child = house.supervisor.launch(house.aws.spec(house.logs / "aws.log"))
            house.supervisor.wait_ready(child)
            results.append(Place(house, folder, machines).days_work(training, day))
    (reports, lines, files, steps), (shared, dealt, parts, more) = results
    assert len(reports["violations"]["violations"]) > 0
    assert shared == reports
    assert dealt == lines
    assert (len(files), len(parts)) == (1, 2)
    assert set(more) - set(steps) == {"MonitorBatchTransform-shards"}
