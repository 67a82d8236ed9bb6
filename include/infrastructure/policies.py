"""Policies: JSON templates in policies/, filled in for one environment.

A key, a network, an inbox or an MWAA of the environment adds the statements of kms.json, network.json,
deployer-inbox.json and deployer-mwaa.json to the roles that need them. The deployer's policy is for whoever types the
commands of this folder; no deployment makes that role.
Pipelines and groups are named one by one while the document stays below IAM's limit of characters (quotas of IAM:
10,240 for the inline policies of a role, 6,144 for a managed policy); beyond it, by the ends that our names have in
this environment, which take the same room for a hundred use cases as for one.
`python -m include.infrastructure policies --environment prod` writes all of them, for teams whose roles others make.
"""

import json
import re
from pathlib import Path
from string import Template
from typing import Any

from include.infrastructure.environment import Environment
from sagemaker_batch import names
from sagemaker_batch.use_case import UseCase

FOLDER = Path(__file__).parent / "policies"
# Which statements of an environment's own come to which policy.
NEED_KEY, NEED_NETWORK = {"execution", "airflow", "deployer"}, {"execution"}
ADDITIONS = {"kms", "network", "deployer-inbox", "deployer-mwaa"}
# SageMaker pulls from ECR; an image elsewhere needs no permission of ours.
IMAGE = r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<name>[a-z0-9._/-]+)([:@].+)?"
# Characters without white space. The deployer's is made to be attached as a managed policy, the roles' are inline.
INLINE_LIMIT, MANAGED_LIMIT = 10_240, 6_144


def policy(name: str, environment: Environment, use_cases: list[UseCase]) -> dict[str, Any]:
    """Return the policy document of policies/<name>.json, with what the environment adds to it.

    It names the resources of each use case, or, where that would exceed IAM's limit, what all of them have in common.
    """
    named = _document(name, environment, [use_case.name for use_case in use_cases])
    if size(named) <= (MANAGED_LIMIT if name == "deployer" else INLINE_LIMIT):
        return named
    return _document(name, environment, ["*"])


def size(document: dict[str, Any]) -> int:
    """Return the length of a policy as IAM counts it: without white space."""
    return len(json.dumps(document, separators=(",", ":")))


def pipeline_names(use_case: str, environment: str) -> list[str]:
    """Return the names of a use case's pipelines; of `*`, what those of all use cases end with."""
    kinds = (names.train_pipeline, names.batch_pipeline, names.quality_pipeline)
    return [kind(use_case, environment) for kind in kinds]


def _document(name: str, environment: Environment, use_cases: list[str]) -> dict[str, Any]:
    at = f"arn:aws:sagemaker:{environment.region}:{environment.account}"
    pipelines, registry = [], []
    for use_case in use_cases:
        for pipeline in pipeline_names(use_case, environment.name):
            pipelines += [f"{at}:pipeline/{pipeline}", f"{at}:pipeline/{pipeline}/*"]
        group = names.model_package_group(use_case, environment.name)
        registry += [f"{at}:model-package-group/{group}", f"{at}:model-package/{group}/*"]
    made_roles = [names.role_arn(role, environment.account) for role in environment.made_roles.values()]
    values = {
        "account": environment.account,
        "region": environment.region,
        "bucket": environment.bucket,
        "function": names.lambda_function(environment.name),
        "execution_role": environment.role("execution"),
        "lambda_role": environment.role("function"),
        "made_roles": json.dumps(made_roles),
        "topic": names.alert_topic(environment.name),
        "inbox": names.alert_inbox(environment.name),
        "registry_queue": names.registry_queue(environment.name),
        "pipeline_arns": json.dumps(pipelines),
        "registry_arns": json.dumps(registry),
        "image_arns": json.dumps(_repositories(environment)),
        "kms_key": environment.kms_key or "",
        "mwaa_bucket": environment.mwaa.bucket if environment.mwaa else "",
    }
    document = _filled(name, values)
    # A statement without a resource is none: others have made all the roles.
    document["Statement"] = [item for item in document["Statement"] if item.get("Resource") != []]
    if environment.kms_key and name in NEED_KEY:
        document["Statement"] += _filled("kms", values)["Statement"][: None if name == "execution" else 1]
    if environment.network and name in NEED_NETWORK:
        document["Statement"] += _filled("network", values)["Statement"]
    if environment.inbox and name == "deployer":
        document["Statement"] += _filled("deployer-inbox", values)["Statement"]
    if environment.mwaa and name == "deployer":
        document["Statement"] += _filled("deployer-mwaa", values)["Statement"]
    return document


def _repositories(environment: Environment) -> list[str]:
    """Return the ARNs of the repositories that images come from: those of AWS, and those that are named."""
    images = environment.images
    found = [f"arn:aws:ecr:{environment.region}:*:repository/sagemaker-*"]
    for uri in (images.sklearn, images.xgboost, images.analyzer):
        own = re.fullmatch(IMAGE, uri) if uri else None
        if own:
            found.append("arn:aws:ecr:{region}:{account}:repository/{name}".format_map(own.groupdict()))
    return list(dict.fromkeys(found))


def all_policies(environment: Environment, use_cases: list[UseCase]) -> dict[str, dict[str, Any]]:
    """Return every policy of an environment by name: permissions and trust of each role, deployer, bucket, queue."""
    found = {path.stem for path in FOLDER.glob("*.json")} - ADDITIONS
    if not environment.inbox:
        found.discard("inbox")
    return {name: policy(name, environment, use_cases) for name in sorted(found)}


def document_of(policy_document: Any) -> Any:
    """Return a policy as a document: boto3 decodes those of IAM, other services answer with text."""
    return json.loads(policy_document) if isinstance(policy_document, str) else policy_document


def _filled(name: str, values: dict[str, str]) -> dict[str, Any]:
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(Template(text).substitute(values))
