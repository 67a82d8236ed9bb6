import io
import json
import os
import zipfile

import pytest

from include.infrastructure import access, code, policies, template
from include.infrastructure.__main__ import main
from include.infrastructure.compiled import StaleError, read_compiled
from include.infrastructure.deployment import Deployment
from include.infrastructure.environment import FOLDER, EnvironmentFileError, Images, Roles, load_environment
from include.infrastructure.function import function_zip
from include.infrastructure.removal import removals
from include.infrastructure.site import Site
from sagemaker_batch import names
from sagemaker_local.control import Control

# What AWS cannot restrict to a resource.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}
WITHOUT_RESOURCE |= {
    f"ec2:Describe{what}" for what in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
}


def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", ["execution", "lambda", "airflow", "inbox"])
@pytest.mark.parametrize("where", ["local", "prod"])
def test_policies_allow_named_actions_on_named_resources(name, where, churn):
    """No role may do everything, and nothing may be done everywhere unless AWS knows no resource for it."""
    document = policies.policy(name, load_environment(where), [churn])
    assert len(json.dumps(document)) < 10_240
    for statement in document["Statement"]:
        actions = listed(statement["Action"])
        assert all("*" not in action for action in actions)
        if "*" in listed(statement["Resource"]):
            assert set(actions) <= WITHOUT_RESOURCE
        if "iam:PassRole" in actions:
            assert statement["Condition"]["StringEquals"] == {"iam:PassedToService": "sagemaker.amazonaws.com"}


def test_airflow_may_start_only_its_own_pipelines(environment, churn):
    """The workers' policy names the pipelines of the use cases."""
    document = policies.policy("airflow", environment, [churn])
    (statement,) = [item for item in document["Statement"] if item["Sid"] == "StartAndWatchPipelines"]
    at = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/"
    assert f"{at}churn-batch-monitor-local" in statement["Resource"]
    assert all(resource.startswith(f"{at}churn-") for resource in statement["Resource"])


def test_the_functions_zip_is_the_same_bytes_and_holds_what_it_imports():
    """The zip depends on its sources only, and its package's __init__ is empty."""
    assert function_zip() == function_zip()
    with zipfile.ZipFile(io.BytesIO(function_zip())) as archive:
        assert archive.namelist() == ["handler.py", "sagemaker_batch/__init__.py", "sagemaker_batch/registry.py"]
        assert archive.read("sagemaker_batch/__init__.py") == b""


def test_the_digest_follows_names_and_contents(tmp_path):
    """A changed byte, a moved file or a new one is another digest; caches and hidden files are none of it."""

    def digest(engine="managed"):
        return code.code_digest(code.code_files(engine, "churn", tmp_path))

    (tmp_path / "monitor_analyzer").mkdir()
    (tmp_path / "a.py").write_text("1")
    first = digest()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "monitor_analyzer" / "m.py").write_text("x")
    assert digest() == first
    assert digest("bundled") != first
    (tmp_path / "a.py").write_text("2")
    second = digest()
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, digest()}) == 3


def test_stale_definitions_are_refused(churn, environment, tmp_path):
    """A definition that no longer follows from use case or environment is refused, with what to type."""
    split = churn.model.model_copy(update={"hyperparameters": {"max_depth": 9}})
    with pytest.raises(StaleError, match="make pipelines ENV=local"):
        read_compiled(churn.model_copy(update={"model": split}), environment)
    with pytest.raises(StaleError, match="stale"):
        read_compiled(churn, environment.model_copy(update={"bucket": "another-bucket"}))
    with pytest.raises(StaleError, match="not compiled"):
        read_compiled(churn, environment, tmp_path)


def test_alerts_and_schedule_are_edited_without_compiling(churn, environment):
    """What the pipelines do not depend on does not make them stale."""
    edited = churn.model_copy(
        update={"schedule": churn.schedule.model_copy(update={"batch": "0 5 * * *"}), "owners": ["x"], "retries": 5}
    )
    assert read_compiled(edited, environment).code_digest


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [", "no YAML"),
        ("name: broken\n", "account: Field required"),
        ("", "the file"),
        ("name: \xff\xfe", "no YAML"),
        ("name: broken\nregion: cn-north-1\n", "region: Value error, cn-north-1 is of another partition"),
    ],
)
def test_a_wrong_environment_names_file_and_key(tmp_path, text, says):
    """Whoever edits an environment learns which key is wrong."""
    (tmp_path / "broken.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(EnvironmentFileError, match=r"broken\.yaml") as caught:
        load_environment("broken", tmp_path)
    assert says in str(caught.value)


def test_jobs_may_pull_the_images_that_an_environment_names(environment, churn):
    """Mirrors and own images lie in repositories called otherwise than AWS's; ECR is asked for nothing else."""
    at = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    images = Images(
        sklearn=f"{at}/mirror/scikit-learn:1.4", xgboost=f"{at}/mirror/xgboost@sha256:ab", analyzer="local/a"
    )
    document = policies.policy("execution", environment.model_copy(update={"images": images}), [churn])
    (pull,) = [item for item in document["Statement"] if item["Sid"] == "PullImages"]
    assert pull["Resource"] == [
        "arn:aws:ecr:us-east-1:*:repository/sagemaker-*",
        "arn:aws:ecr:eu-west-1:123456789012:repository/mirror/scikit-learn",
        "arn:aws:ecr:eu-west-1:123456789012:repository/mirror/xgboost",
    ]


def test_roles_that_others_made_are_left_as_they_are(aws, environment, compiled):
    """From the policies as JSON, under the names that deployment looks for: it only reads them, and hands them over."""
    documents = policies.all_policies(environment, [compiled.use_case])
    for name, trust, permissions in access.roles(environment):
        aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(documents[trust]))
        allowed = json.dumps(documents[permissions])
        aws("iam").put_role_policy(RoleName=name, PolicyName=access.POLICY_NAME, PolicyDocument=allowed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "without-iam")
        with Deployment(environment, [compiled], act=True) as deployment:
            assert {change.outcome for change in deployment.changes() if change.kind == "role"} == {"unchanged"}
    asked = Control(os.environ["AWS_ENDPOINT_URL"]).access()["callers"]["without-iam"]
    assert "iam:GetRole" in asked
    assert {action for action in asked if action.startswith("iam:")} <= {
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:PassRole",
    }


def test_roles_of_other_names_are_used_and_never_touched(aws, environment, compiled):
    """Named by their ARNs, with whatever path: handed to pipelines and function, made and removed by others."""
    arns = {kind: f"arn:aws:iam::{environment.account}:role/data/team/{kind}" for kind in Roles.model_fields}
    given = environment.model_copy(update={"roles": Roles(**arns)})
    with Deployment(given, [compiled], act=True) as deployment:
        assert [change for change in deployment.changes() if change.kind == "role"] == []
    pipeline = aws("sagemaker").describe_pipeline(PipelineName=f"churn-batch-monitor-{environment.name}")
    assert pipeline["RoleArn"] == arns["execution"]
    function = aws("lambda").get_function(FunctionName=names.lambda_function(environment.name))
    assert function["Configuration"]["Role"] == arns["function"]
    deployer = policies.policy("deployer", given, [compiled.use_case])
    assert {item["Sid"] for item in deployer["Statement"]} & {"MakeTheRoles"} == set()
    (passed,) = [item["Resource"] for item in deployer["Statement"] if item["Action"] == "iam:PassRole"]
    assert passed == [arns["execution"], arns["function"]]
    with Site(given, [compiled.use_case], act=False) as site:
        assert "role" not in {removal.kind for removal in removals(site, data=False)}
    made = template.template(given, [compiled.use_case])
    assert "AWS::IAM::Role" not in {item["Type"] for item in made["Resources"].values()}
    assert made["Outputs"]["AirflowRoleArn"]["Value"] == arns["airflow"]


def test_a_role_of_another_account_is_refused(tmp_path):
    """An ARN that was copied with its environment, and not changed."""
    text = (FOLDER / "prod.yaml").read_text(encoding="utf-8")
    (tmp_path / "prod.yaml").write_text(f"{text}roles:\n  airflow: arn:aws:iam::111111111111:role/airflow\n")
    with pytest.raises(EnvironmentFileError, match=r"roles\.airflow is of another account than 777788889999"):
        load_environment("prod", tmp_path)


def test_an_unknown_environment_lists_the_known_ones(capsys):
    """A mistyped name is answered with those that exist."""
    assert main(["plan", "--environment", "lcoal"]) == 1
    assert "Known are: dev, local, prod, staging" in capsys.readouterr().err


def test_the_policies_are_written_for_teams_whose_roles_others_make(tmp_path):
    """Every policy is a file, with the key and the network of the environment in those that need them."""
    assert main(["policies", "--environment", "prod", "--out", str(tmp_path)]) == 0
    written = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert set(written) == {
        "airflow", "bucket", "deployer", "execution", "lambda", "trust-airflow", "trust-lambda", "trust-sagemaker",
    }  # fmt: skip
    said = {name: {item.get("Sid") for item in document["Statement"]} for name, document in written.items()}
    assert {"UseTheKey", "EncryptTheVolumesOfJobs", "PutJobsIntoTheSubnets"} <= said["execution"]
    assert "UseTheKey" in said["airflow"]
    assert "PutJobsIntoTheSubnets" not in said["airflow"]
    assert "${" not in "".join(path.read_text() for path in tmp_path.glob("*.json"))
