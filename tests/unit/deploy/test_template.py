"""The CloudFormation template: valid, and what deployment expects to find."""

import json
import subprocess
import sys
import time

import pytest

from include.infrastructure.deployment import Deployment
from include.infrastructure.environment import load_environment
from include.infrastructure.policies import policy
from include.infrastructure.template import main, template

CFN_LINT = [sys.executable, "-c", "import sys; from cfnlint.runner import main; sys.exit(main())"]
# What the local AWS's CloudFormation does not know; deployment makes it here.
UNKNOWN = "AWS::SageMaker::ModelPackageGroup"
DEADLINE = 60


@pytest.mark.parametrize("name", ["local", "prod"])
def test_cfn_lint_finds_nothing(name, tmp_path):
    """The linter of CloudFormation's own resource schemas passes, warnings included."""
    pytest.importorskip("cfnlint")
    out = tmp_path / "template.json"
    assert main(["--environment", name, "--out", str(out)]) == 0
    done = subprocess.run([*CFN_LINT, str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def linted(document, path):
    """Lint a template, with cfn-lint's advice beside errors and warnings; return exit code and what was said."""
    path.write_text(json.dumps(document))
    done = subprocess.run([*CFN_LINT, "-c", "I", "--", str(path)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["local", "prod"])
def test_the_policy_linter_finds_nothing(name, tmp_path, churn):
    """Every action exists, and every statement names a resource that its actions know: I3510, W3037 and their like."""
    environment = load_environment(name)
    document = template(environment, [churn])
    for extra in ("deployer", "inbox"):
        allowed = policy(extra, environment, [churn])
        document["Resources"][extra.capitalize()] = {
            "deployer": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": allowed}},
            "inbox": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {"PolicyDocument": allowed, "Queues": ["https://sqs.example/queue"]},
            },
        }[extra]
    assert linted(document, tmp_path / "template.json") == (0, "")


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ({"Action": "sagemaker:DescribeProcessingJobs", "Resource": "*"}, "W3037"),
        ({"Action": "sagemaker:DescribePipeline", "Resource": "arn:aws:sagemaker:*:*:processing-job/*"}, "I3510"),
    ],
)
def test_the_policy_linter_would_find_it(statement, rule, tmp_path):
    """An action that does not exist, and a resource that its action does not know, are found."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    resource = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    body = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Policy": resource}}
    code, said = linted(body, tmp_path / "template.json")
    assert code != 0
    assert rule in said


def test_production_is_closed_and_watched(churn):
    """Encrypted with the environment's key, no public access, TLS only, logs that end, alarms, tags on everything."""
    environment = load_environment("prod")
    found = template(environment, [churn])["Resources"]
    bucket = found["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == environment.kms_key
    (denied,) = found["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert found["FunctionLogs"]["Properties"]["RetentionInDays"] == 90
    assert {item["Type"] for item in found.values()} >= {"AWS::CloudWatch::Alarm", "AWS::Events::Rule", UNKNOWN}
    for name, item in found.items():
        if "Tags" in item["Properties"]:
            assert {"Key": "cost-center", "Value": "data-platform"} in item["Properties"]["Tags"], name
        if item["Type"] == "AWS::IAM::Role":
            assert "ManagedPolicyArns" not in item["Properties"]
    airflow = found["AirflowRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    assert airflow == policy("airflow", environment, [churn])


def test_deployment_finds_what_a_stack_made(aws, environment, compiled):
    """After the stack, deployment has nothing to do with roles and topic, and names what the stack left open."""
    body = template(environment, [compiled.use_case])
    body["Resources"] = {key: item for key, item in body["Resources"].items() if item["Type"] != UNKNOWN}
    formation = aws("cloudformation")
    formation.create_stack(StackName="batch", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_NAMED_IAM"])
    until = time.monotonic() + DEADLINE
    while (stack := formation.describe_stacks(StackName="batch")["Stacks"][0])["StackStatus"] == "CREATE_IN_PROGRESS":
        assert time.monotonic() < until
        time.sleep(0.2)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    with Deployment(environment, [compiled], act=False) as deployment:
        changes = list(deployment.changes())
    by_kind = {}
    for change in changes:
        by_kind.setdefault(change.kind, set()).add(change.outcome)
    assert by_kind["role"] == by_kind["topic"] == {"unchanged"}
    (bucket,) = [change for change in changes if change.kind == "bucket"]
    # The local AWS's CloudFormation makes the bucket without its lifecycle.
    assert [line.split(":")[0] for line in bucket.details] in ([], ["lifecycle"])
