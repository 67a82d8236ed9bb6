"""Both pipelines whole on several machines, by either engine: what one machine gives, only the work is dealt.

The bundled monitor describes shares of the data on two machines and merges them; Model Monitor's own analyzer takes one
machine, so of the managed engine the transform alone is dealt.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import date

import pytest
import yaml

from local import data, environment
from local.airflow import ENVIRONMENT
from local.cloud import Cloud
from local.house import House, Ports
from sagemaker_batch import names, registry

AUTHORING = environment.REPO / ".venv-authoring" / "bin" / "python"
FOLDERS = environment.REPO / "include" / "infrastructure" / "environments"
USE_CASE, DAY, SEED = "churn", date(2026, 3, 3), 7
MACHINES = 2
# Shares are sketched one by one, so a distance of distributions moves within the sketches' bound (docs/analyzer.md).
DISTANCE = re.compile(r"(?<=Baseline drift distance: )\d+\.\d+")
SKETCHED = 0.01
# The machines of a step, as the execution's own jobs say.
COUNTS = {
    "ProcessingJob": ("describe_processing_job", "ProcessingJobName", ("ProcessingResources", "ClusterConfig")),
    "QualityCheck": ("describe_processing_job", "ProcessingJobName", ("ProcessingResources", "ClusterConfig")),
    "TransformJob": ("describe_transform_job", "TransformJobName", ("TransformResources",)),
}


def figures(document):
    """Return a report without its sketches, numbers to ten digits: shares are summed in another order."""
    if isinstance(document, float):
        return float(f"{document:.10g}")
    if isinstance(document, dict):
        return {key: figures(value) for key, value in document.items() if key not in {"distribution", "drift"}}
    return [figures(part) for part in document] if isinstance(document, list) else document


def violations(found):
    """Return a report's violations without the distances that their descriptions tell, and those distances."""
    told = [(item["feature_name"], item["constraint_check_type"], item["description"]) for item in found["violations"]]
    bare = [(name, check, DISTANCE.sub("", text)) for name, check, text in told]
    return bare, [float(number) for *_, text in told for number in DISTANCE.findall(text)]


@dataclass
class Outcome:
    """What a training and a day came to.

    Attributes:
        reports: of the baseline and of the day, without sketches.
        lines: all predictions, sorted.
        files: how many objects they lie in.
        machines: machines of each step that has a job, of both executions.
    """

    reports: dict
    lines: list
    files: int
    machines: dict


def command(house, *parts):
    done = subprocess.run(
        [str(part) for part in parts],
        env={
            **environment.base(),
            **environment.aws(house.aws.url),
            "PYTHONPATH": environment.python_path(),
        },
        cwd=environment.REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def deploy(house, folder, engine, counts):
    """Compile churn for an environment of the test's own and deploy it, as `make pipelines` and `make deploy` do."""
    use_cases, environments = folder / "use_cases", folder / "environments"
    use_cases.mkdir(parents=True)
    environments.mkdir()
    text = (environment.REPO / "dags" / "use_cases" / f"{USE_CASE}.yaml").read_text(encoding="utf-8")
    (use_cases / f"{USE_CASE}.yaml").write_text(text, encoding="utf-8")
    settings = yaml.safe_load((FOLDERS / f"{ENVIRONMENT}.yaml").read_text(encoding="utf-8"))
    settings |= {"monitor_engine": engine, "instance_counts": counts}
    (environments / f"{ENVIRONMENT}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    given = ["--environments", environments, "--use-cases", use_cases]
    compiled = folder / "compiled"
    command(house, AUTHORING, "-m", "include.pipelines", "compile", *given, "--out", compiled / ENVIRONMENT)
    command(house, sys.executable, "-m", "include.infrastructure", "apply", *given, "--compiled", compiled)


def machines(cloud, arn):
    """Return the number of machines of each step's job."""
    found = {}
    for step in cloud.steps(arn):
        for kind, (operation, argument, place) in COUNTS.items():
            job = step.get("Metadata", {}).get(kind, {})
            if job_arn := job.get("Arn") or job.get("CheckJobArn"):
                described = getattr(cloud.sagemaker, operation)(**{argument: job_arn.rpartition("/")[2]})
                for name in place:
                    described = described[name]
                found[step["StepName"]] = described["InstanceCount"]
    return found


def report(cloud, prefix, name):
    (key,) = [key for key in cloud.keys(prefix) if key.endswith(name)]
    return figures(json.loads(cloud.s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read()))


def work(cloud, training, day):
    """Train, approve and score a day; return what came of it."""
    cloud.put_training(training)
    trained = cloud.run(names.train_pipeline(USE_CASE, ENVIRONMENT))
    registry.approve(cloud.sagemaker, cloud.packages()[0]["ModelPackageArn"], "For the test.")
    cloud.put_day(DAY, day)
    scored = cloud.run_day(DAY)
    own = f"{names.batch_prefix(USE_CASE, DAY).rstrip('/')}/{names.execution_id(scored)}/"
    base = f"{USE_CASE}/training/{names.execution_id(trained)}/baseline/"
    reports = {
        "baseline": report(cloud, f"{base}data_quality/", "statistics.json"),
        "constraints": report(cloud, f"{base}data_quality/", "constraints.json"),
        "quality baseline": report(cloud, f"{base}model_quality/", "statistics.json"),
        "day": report(cloud, f"{own}monitoring/", "statistics.json"),
        "violations": report(cloud, f"{own}monitoring/", "constraint_violations.json"),
    }
    files = [key for key in cloud.keys(f"{own}predictions/") if key.endswith(".out")]
    bodies = [cloud.s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read().decode() for key in files]
    lines = sorted(line for body in bodies for line in body.splitlines())
    return Outcome(reports, lines, len(files), {**machines(cloud, trained), **machines(cloud, scored)})


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with House(tmp_path_factory.mktemp("machines") / "house", Ports.free()) as house:
        house.supervisor.wait_ready(house.supervisor.launch(house.aws.spec(house.logs / "aws.log")))
        yield house


@pytest.mark.skipif(not AUTHORING.exists(), reason="the authoring environment is not installed")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("engine", "counts", "dealt"),
    [
        (
            "bundled",
            {"monitoring": MACHINES, "transform": MACHINES},
            {"BaselineData-shards", "MonitorBatchTransform-shards", "MonitorBatchTransform-transform"},
        ),
        ("managed", {"transform": MACHINES}, {"MonitorBatchTransform-transform"}),
    ],
)
def test_several_machines_do_what_one_does(house, tmp_path, engine, counts, dealt):
    """Statistics, constraints, violations and scores agree; the steps that are dealt, and no others, had two."""
    training, day = tmp_path / "training.csv", tmp_path / "day.csv"
    data.write_training(training, SEED)
    data.write_day(day, "drifted", DAY, SEED)
    cloud = Cloud(house.aws.url, USE_CASE)
    deploy(house, tmp_path / "one", engine, {})
    one = work(cloud, training, day)
    deploy(house, tmp_path / "several", engine, counts)
    several = work(cloud, training, day)

    (found, distances), (shared, others) = (violations(side.reports.pop("violations")) for side in (one, several))
    assert distances
    assert shared == found
    assert others == pytest.approx(distances, abs=SKETCHED)
    assert several.reports == one.reports
    assert len(one.lines) > 0
    assert several.lines == one.lines
    assert (one.files, several.files) == (1, MACHINES)
    assert set(one.machines.values()) == {1}
    assert {step for step, count in several.machines.items() if count == MACHINES} == dealt
    assert set(several.machines.values()) == {1, MACHINES}
