"""What each role asked of AWS while the tests ran, and how it compares with what its policy allows.

The local AWS notes the access key, the action and the resource of every request (`/_local/access`); Airflow, the
deployment, jobs and pipelines each call under a key of their own. Two directions: what was asked and is not allowed
would fail on AWS; what is allowed and was never asked is too much, unless UNSEEN says why nobody asks for it here.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from include.infrastructure.environment import load_environment
from include.infrastructure.policies import policy
from local import environment
from local.airflow import ENVIRONMENT
from sagemaker_batch import names
from sagemaker_batch.use_case import UseCase
from sagemaker_local.control import Control

Resources = dict[str, set[str]]
ANY = "*"
# Policy -> access key. The local AWS gives functions the account's number for a key.
CALLERS = {
    "airflow": names.airflow_role(ENVIRONMENT),
    "execution": names.execution_role(ENVIRONMENT),
    "lambda": environment.ACCOUNT,
    "deployer": environment.DEPLOYER,
}
_PLATFORM = "SageMaker's own machines do it on AWS; here jobs are processes of this machine"
_LOGS = "Lambda's own machines write the log on AWS; the local AWS writes it by itself"
_TAGS = "the laptop's environment has no tags; with some (prod) each thing that is made gets them"
_HANDED = "the body that names the role or the queue is not read by the local AWS's record"
# Allowed, and asked by nobody here: policy -> action -> why.
UNSEEN: dict[str, dict[str, str]] = {
    "airflow": {},
    "execution": {
        "s3:AbortMultipartUpload": "a failed upload of many parts ends with it; none failed",
        "s3:GetBucketLocation": _PLATFORM,
        "sagemaker:AddTags": _TAGS,
        "sagemaker:DescribeModelPackageGroup": "the service reads the group when it registers; the local one knows it",
        "logs:DescribeLogStreams": _PLATFORM,
        "ecr:GetAuthorizationToken": _PLATFORM,
        "ecr:BatchCheckLayerAvailability": _PLATFORM,
        "ecr:GetDownloadUrlForLayer": _PLATFORM,
        "ecr:BatchGetImage": _PLATFORM,
        "cloudwatch:PutMetricData": _PLATFORM,
    },
    "lambda": {
        "logs:CreateLogGroup": _LOGS,
        "logs:CreateLogStream": _LOGS,
        "logs:PutLogEvents": _LOGS,
    },
    "deployer": {
        "iam:TagRole": _TAGS,
        "s3:PutBucketTagging": _TAGS,
        "lambda:TagResource": _TAGS,
        "sns:TagResource": _TAGS,
        "sagemaker:AddTags": _TAGS,
    },
}
# Allowed, and asked here only when a run is ended at the right moment, a worker was lost between a call and its record
# (`make faults` plays both), or a step refers to what another registered: neither seen nor unseen is wrong.
SOMETIMES = {
    "airflow": {"sagemaker:StopPipelineExecution", "sagemaker:ListPipelineExecutions"},
    "execution": {
        "sagemaker:StopProcessingJob",
        "sagemaker:StopTrainingJob",
        "sagemaker:StopTransformJob",
        "sagemaker:DescribeModelPackage",
    },
    "deployer": {
        "sagemaker:DescribePipelineExecution",
        "sagemaker:StopPipelineExecution",
        "sns:SetTopicAttributes",
    },
}


class Asked:
    """What was asked, of every house that was looked at."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._seen: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._left_out: dict[str, int] = {}

    @property
    def left_out(self) -> int:
        """How many requests were not noted for want of room."""
        return sum(self._left_out.values())

    def collect(self, endpoint: str) -> None:
        """Add what one local AWS has noted so far; looking twice adds nothing."""
        noted = Control(endpoint).access()
        self._left_out[endpoint] = noted["left_out"]
        for caller, actions in noted["callers"].items():
            for action, resources in actions.items():
                self._seen[caller][action] |= set(resources)

    def by(self, policy_name: str) -> Resources:
        """Return what the role of a policy asked for."""
        return self._seen[CALLERS[policy_name]]


def statements(policy_name: str, use_cases: list[UseCase]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield Sid, action and resources of everything that a policy of the laptop's environment allows."""
    for statement in policy(policy_name, load_environment(ENVIRONMENT), use_cases)["Statement"]:
        for action in _listed(statement["Action"]):
            yield statement["Sid"], action, _listed(statement["Resource"])


def missing(policy_name: str, asked: Resources, use_cases: list[UseCase]) -> list[str]:
    """Return what was asked and is not allowed."""
    allowed = defaultdict(list)
    for _, action, resources in statements(policy_name, use_cases):
        allowed[action] += resources
    return sorted(
        f"{action} on {resource}"
        for action, resources in asked.items()
        for resource in resources
        if not _covers(allowed[action], resource)
    )


def unused(policy_name: str, asked: Resources, use_cases: list[UseCase]) -> list[str]:
    """Return what is allowed and was not asked on any resource of its statement, nor is known to be unseen here."""
    known = set(UNSEEN[policy_name]) | SOMETIMES.get(policy_name, set())
    return sorted(
        f"{action} of {sid}"
        for sid, action, allowed in statements(policy_name, use_cases)
        if action not in known and not any(_covers(allowed, resource) for resource in asked.get(action, ()))
    )


def stale(policy_name: str, asked: Resources, use_cases: list[UseCase]) -> list[str]:
    """Return what UNSEEN names although it was asked, or although no statement allows it."""
    allowed = {action for _, action, _ in statements(policy_name, use_cases)}
    return sorted(action for action in UNSEEN[policy_name] if action in asked or action not in allowed)


def _covers(patterns: list[str], resource: str) -> bool:
    """Tell whether IAM's wildcards cover a resource; one that is not known (`*`) is covered by any pattern."""
    if resource == ANY:
        return bool(patterns)
    return any(re.fullmatch(_expression(pattern), resource) for pattern in patterns)


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
