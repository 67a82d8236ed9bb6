"""Each role may do what its code calls, and nothing else: read from the source, both ways."""

import ast
import json
import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from include.infrastructure.environment import load_environment
from include.infrastructure.policies import policy
from include.pipelines.settings import COMPILED
from sagemaker_batch.use_case import load_use_case

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "plugins" / "sagemaker_batch"
SERVICES = ("sagemaker", "s3", "sns", "sqs", "logs", "sts", "cloudwatch")
# What IAM calls otherwise than the API does; everyone may ask who he is.
ACTIONS = {
    "s3:HeadObject": {"s3:GetObject"},
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "s3:CopyObject": {"s3:GetObject", "s3:PutObject"},
    "s3:HeadBucket": {"s3:ListBucket"},
    "s3:GetBucketEncryption": {"s3:GetEncryptionConfiguration"},
    "s3:PutBucketEncryption": {"s3:PutEncryptionConfiguration"},
    "s3:GetPublicAccessBlock": {"s3:GetBucketPublicAccessBlock"},
    "s3:PutPublicAccessBlock": {"s3:PutBucketPublicAccessBlock"},
    "s3:GetBucketLifecycleConfiguration": {"s3:GetLifecycleConfiguration"},
    "s3:PutBucketLifecycleConfiguration": {"s3:PutLifecycleConfiguration"},
    # Called with versions only.
    "s3:DeleteObjects": {"s3:DeleteObjectVersion"},
    "sts:GetCallerIdentity": set(),
}
# Tools of a person at a shell, which run with that person's rights.
FOR_A_PERSON = {"__main__.py"}
# A missing key without ListBucket answers 403, not 404.
OF_S3 = {"s3:ListBucket"}
# A queue is named by a team's own connection; who makes it lets Airflow's role write to it (docs/security.md).
OF_A_TEAMS_QUEUE = {"sqs:SendMessage"}
# What goes with making something: its role is handed over, its tags are put on, with no call of their own.
OF_WHAT_IS_MADE = {"iam:PassRole", "iam:TagRole", "lambda:TagResource", "sns:TagResource", "sagemaker:AddTags"}
# What the service does as the execution role for each type of step.
STEPS = {
    "Processing": {"CreateProcessingJob", "DescribeProcessingJob", "StopProcessingJob", "AddTags"},
    "QualityCheck": {"CreateProcessingJob", "DescribeProcessingJob", "StopProcessingJob", "AddTags"},
    "Training": {"CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "AddTags"},
    "Transform": {"CreateTransformJob", "DescribeTransformJob", "StopTransformJob", "AddTags"},
    "Model": {"CreateModel", "DescribeModel", "AddTags"},
    "RegisterModel": {
        "CreateModelPackage", "DescribeModelPackage", "DescribeModelPackageGroup", "ListModelPackages", "AddTags",
    },
}  # fmt: skip
OF_EVERY_JOB = {
    "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket", "s3:GetBucketLocation",
    "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams",
    "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage",
    "cloudwatch:PutMetricData", "iam:PassRole",
}  # fmt: skip


def operations(services):
    """Map boto3's method names to (service, operation); a name that several services have maps to each of them."""
    session = botocore.session.get_session()
    found = {}
    for service in services:
        for name in session.get_service_model(service).operation_names:
            found.setdefault(xform_name(name), []).append((service, name))
    return found


def called(paths, services=SERVICES):
    """Return the IAM actions of every boto3 call in the sources: methods, paginators, waiters aside."""
    known, actions = operations(services), set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # A bound method that is handed on counts as its call.
            if isinstance(node, ast.Attribute) and node.attr in known:
                name, receiver = node.attr, ast.unparse(node.value)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "get_paginator"
            ):
                name, receiver = node.args[0].value, ast.unparse(node.func.value)
            else:
                continue
            options = known[name]
            if name == "search" and "sagemaker" not in receiver:
                continue  # a regular expression's
            chosen = [item for item in options if item[0] in receiver.lower()] or options
            for service, operation in chosen:
                action = f"{service}:{operation}"
                actions |= ACTIONS.get(action, {action})
    return actions


def allowed(name, environment="local"):
    """Return the actions of a role's policy."""
    use_cases = [load_use_case(path) for path in sorted((ROOT / "dags" / "use_cases").glob("*.yaml"))]
    document = policy(name, load_environment(environment), use_cases)
    actions = [item["Action"] for item in document["Statement"]]
    return {action for item in actions for action in (item if isinstance(item, list) else [item])}


def test_airflow_may_do_what_its_code_calls_and_nothing_else():
    """Every call of operators, sensors, triggers, tasks and views is allowed, and every allowed action is called."""
    sources = [path for path in PLUGIN.rglob("*.py") if path.name not in FOR_A_PERSON]
    used = called(sources) - OF_A_TEAMS_QUEUE | OF_S3
    assert used - allowed("airflow") == set()
    assert allowed("airflow") - used == set()


def test_the_function_may_do_what_its_code_calls_and_nothing_else():
    """The Lambda step's function reads the registry and writes its log; approving is not in its reach."""
    handler = ROOT / "include" / "lambda" / "get_latest_model" / "handler.py"
    imported = set(re.findall(r"registry\.(\w+)\(", handler.read_text(encoding="utf-8")))
    assert imported
    assert "approve" not in imported
    logs = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    used = called([PLUGIN / "registry.py"]) - {"sagemaker:UpdateModelPackage"} | logs
    assert allowed("lambda") == used


def test_jobs_may_do_what_the_steps_need_and_nothing_else():
    """The execution role's actions are those that the steps of the compiled pipelines make the service do."""
    kinds = set()
    for path in (COMPILED / "local").glob("*-*.json"):
        waiting = json.loads(path.read_text(encoding="utf-8"))["Steps"]
        while waiting:
            step = waiting.pop()
            kinds.add(step["Type"])
            waiting += [*step["Arguments"].get("IfSteps", []), *step["Arguments"].get("ElseSteps", [])]
    assert kinds - set(STEPS) == {"Lambda", "Condition", "Fail"}
    used = {f"sagemaker:{action}" for kind in kinds & set(STEPS) for action in STEPS[kind]}
    assert allowed("execution") == used | OF_EVERY_JOB | {"lambda:InvokeFunction"}


def test_the_deployer_may_do_what_the_commands_call_and_nothing_else():
    """Deploying, removing, logs, constraints, the bundle: each call is allowed, and each allowed action is called."""
    sources = (ROOT / "include" / "infrastructure").glob("*.py")
    used = called(sources, (*SERVICES, "iam", "lambda")) | OF_WHAT_IS_MADE
    # The laptop has an inbox, production an MWAA and a key.
    may = allowed("deployer") | allowed("deployer", "prod")
    assert used - may == set()
    assert {action for action in may - used if not action.startswith("kms:")} == set()
    assert {action for action in allowed("deployer", "prod") if action.startswith("kms:")}


@pytest.mark.parametrize("name", ["execution", "airflow", "lambda"])
def test_a_key_and_a_network_add_only_their_own_actions(name):
    """Production's policies differ from the laptop's by KMS, and for jobs by EC2, alone."""
    more = allowed(name, "prod") - allowed(name)
    assert {action.split(":")[0] for action in more} <= {"kms", "ec2"}
    assert bool(more) == (name != "lambda")
