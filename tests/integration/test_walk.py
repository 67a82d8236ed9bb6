"""The life of an environment: plan, apply, run both pipelines, change a threshold, plan, apply, destroy."""

import io
import subprocess
import sys
import zipfile
from datetime import date

import pytest

from local import data, environment
from local.cloud import Cloud
from local.house import House, Ports
from sagemaker_batch import names, registry
from tests.integration.conftest import ASKED

AUTHORING = environment.REPO / ".venv-authoring" / "bin" / "python"
DAY = date(2026, 3, 3)
TRUST = '{"Version": "2012-10-17", "Statement": []}'


class Place:
    """A local AWS with nothing in it, one use case, and the commands that a person types."""

    def __init__(self, house, folder):
        self.house, self.folder = house, folder
        self.cloud = Cloud(house.aws.url, "churn")
        self.use_cases = folder / "use_cases"
        self.use_cases.mkdir()
        self.file = self.use_cases / "churn.yaml"
        text = (environment.REPO / "dags" / "use_cases" / "churn.yaml").read_text(encoding="utf-8")
        self.file.write_text(text, encoding="utf-8")
        self.compiled = environment.REPO / "include" / "pipelines" / "compiled"

    def deploy(self, verb, *options):
        """Run a verb of the deployment; return exit code and what it printed."""
        options = ("--use-cases", str(self.use_cases), "--compiled", str(self.compiled), *options)
        return self.command("include.infrastructure", verb, *options, caller=environment.DEPLOYER)

    def command(self, module, *arguments, caller="local"):
        """Run a module of the AWS side against this place; return exit code and what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env={
                **environment.base(),
                **environment.aws(self.house.aws.url, caller),
                "PYTHONPATH": environment.python_path(),
            },
            cwd=environment.REPO,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def compile(self):
        """Compile the use case as `make pipelines` does, to a folder of the test's own."""
        self.compiled = self.folder / "compiled"
        command = [str(AUTHORING), "-m", "include.pipelines", "compile", "--use-cases", str(self.use_cases)]
        variables = {**environment.base(), "PYTHONPATH": environment.python_path()}
        subprocess.run(
            [*command, "--out", str(self.compiled / "local")], env=variables, cwd=environment.REPO, check=True
        )


@pytest.fixture
def place(tmp_path):
    with House(tmp_path / "house", Ports.free()) as house:
        child = house.supervisor.launch(house.aws.spec(house.logs / "aws.log"))
        house.supervisor.wait_ready(child)
        yield Place(house, tmp_path)
        ASKED.collect(house.aws.url)


def changed(printed):
    """Return the kinds and names of what a plan would change, and the lines that say how."""
    lines = printed.splitlines()
    return (
        [tuple(line.split()[2:4]) for line in lines if line.startswith("would ")],
        [line.strip() for line in lines if line.startswith("              ")],
    )


def leave_something_of_others(cloud):
    """Put things beside ours that look alike, and return a reader of whether they are still there."""
    s3, iam, sagemaker = cloud.s3, cloud.client("iam"), cloud.sagemaker
    s3.create_bucket(Bucket="sagemaker-batch-local-of-others")
    iam.create_role(RoleName="sagemaker-batch-execution-other", AssumeRolePolicyDocument=TRUST)
    sagemaker.create_model_package_group(ModelPackageGroupName="churn-other")
    cloud.client("sns").create_topic(Name="sagemaker-batch-alerts-other")

    def there():
        topics = [item["TopicArn"].rsplit(":", 1)[-1] for item in cloud.client("sns").list_topics()["Topics"]]
        return {
            *(item["Name"] for item in s3.list_buckets()["Buckets"]),
            *(item["RoleName"] for item in iam.list_roles()["Roles"]),
            *(
                item["ModelPackageGroupName"]
                for item in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
            ),
            *(item["PipelineName"] for item in sagemaker.list_pipelines()["PipelineSummaries"]),
            *(item["ModelName"] for item in sagemaker.list_models()["Models"]),
            *(item["FunctionName"] for item in cloud.client("lambda").list_functions()["Functions"]),
            *(url.rsplit("/", 1)[-1] for url in cloud.client("sqs").list_queues().get("QueueUrls", [])),
            *topics,
        }

    return there


def set_right(place):
    """What somebody has changed by hand is told by plan, resource by resource, and set right by apply."""
    assert "would" not in place.deploy("plan")[1]
    client, here = place.cloud.client, "local"
    client("iam").update_assume_role_policy(RoleName=names.execution_role(here), PolicyDocument=TRUST)
    functions, function = client("lambda"), names.lambda_function(here)
    functions.update_function_configuration(FunctionName=function, Timeout=3)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context): return {}")
    functions.update_function_code(FunctionName=function, ZipFile=content.getvalue())
    sealed = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    place.cloud.s3.put_bucket_encryption(Bucket=place.cloud.bucket, ServerSideEncryptionConfiguration=sealed)
    queues = client("sqs")
    inbox = queues.get_queue_url(QueueName=names.alert_inbox(here))["QueueUrl"]
    queues.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": TRUST})

    code, printed = place.deploy("plan")
    assert code == 0, printed
    assert changed(printed)[0] == [
        ("bucket", place.cloud.bucket),
        ("role", names.execution_role(here)),
        ("function", function),
        ("inbox", names.alert_inbox(here)),
    ]
    code, printed = place.deploy("apply")
    assert code == 0, printed
    assert "would" not in place.deploy("plan")[1]


def read_as_a_person(place, execution):
    """Whoever may deploy may also read the logs of a run and the constraints of the version in use."""
    code, printed = place.command("include.infrastructure.job_logs", execution, caller=environment.DEPLOYER)
    assert code == 0, printed
    assert "== PrepareBatch: Succeeded" in printed
    assert '"rows_in": ' in printed.split("== PrepareBatch")[1].split("\n== ")[0]
    given = ("churn", "--use-cases", str(place.use_cases))
    code, printed = place.command("include.infrastructure.constraints", *given, caller=environment.DEPLOYER)
    assert code == 0, printed
    assert "churn: version 1, constraints for 19 features" in printed


@pytest.mark.skipif(not AUTHORING.exists(), reason="the authoring environment is not installed")
@pytest.mark.timeout(900)
def test_from_nothing_to_nothing(place):
    """Each plan says exactly what apply then does, and destroy leaves what others have."""
    there = leave_something_of_others(place.cloud)
    of_others = there()

    code, printed = place.deploy("plan")
    assert code == 0, printed
    assert "would update" not in printed
    assert there() == of_others
    code, printed = place.deploy("apply")
    assert code == 0, printed
    assert place.deploy("status")[0] == 0
    set_right(place)

    cloud = place.cloud
    file = place.folder / "training.csv"
    data.write_training(file, 7)
    cloud.put_training(file)
    cloud.run(names.train_pipeline("churn", "local"))
    version = registry.describe(cloud.sagemaker, cloud.packages()[0]["ModelPackageArn"])
    registry.approve(cloud.sagemaker, version.arn, "For the walk.")
    day = place.folder / "day.csv"
    data.write_day(day, "clean", DAY, 7)
    cloud.put_day(DAY, day)
    execution = cloud.run_day(DAY)
    assert [key for key in cloud.keys(names.batch_prefix("churn", DAY)) if key.endswith("features.csv.out")]
    read_as_a_person(place, execution)

    place.file.write_text(place.file.read_text().replace("accuracy_threshold: 0.7", "accuracy_threshold: 0.75"))
    code, printed = place.deploy("plan")
    assert code == 1
    assert "make pipelines" in printed
    place.compile()
    code, printed = place.deploy("plan")
    assert code == 0, printed
    assert changed(printed) == (
        [("pipeline", "churn-train-baseline-local"), ("record", "churn/deployment.json")],
        ["parameter AccuracyThreshold: DefaultValue: 0.7 -> 0.75"],
    )
    code, printed = place.deploy("apply")
    assert code == 0, printed
    assert "would" not in place.deploy("plan")[1]

    code, printed = place.deploy("destroy", "--data")
    assert code == 1
    assert "Nothing was removed" in printed
    assert place.deploy("status")[0] == 0
    code, printed = place.deploy("destroy", "--data", "--yes")
    assert code == 0, printed
    assert version.model_name in printed
    assert there() == of_others
    code, printed = place.deploy("destroy", "--data", "--yes")
    assert code == 0
    assert "nothing of it is there" in printed
