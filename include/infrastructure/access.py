"""Roles, each with one inline policy."""

import json

from include.infrastructure.differences import between
from include.infrastructure.environment import Environment
from include.infrastructure.policies import document_of, policy
from include.infrastructure.site import Change, Site, find

POLICY_NAME = "sagemaker-batch"
# Trust and permissions of each kind of role.
DOCUMENTS = {
    "execution": ("trust-sagemaker", "execution"),
    "function": ("trust-lambda", "lambda"),
    "airflow": ("trust-airflow", "airflow"),
}


def roles(environment: Environment) -> list[tuple[str, str, str]]:
    """Return name, trust and permissions (files of policies/) of each role that deployment makes."""
    return [(name, *DOCUMENTS[kind]) for kind, name in environment.made_roles.items()]


def role(site: Site, name: str, trust: str, permissions: str) -> Change:
    """Make a role, or set its trust and its permissions right."""
    trusted = policy(trust, site.environment, site.use_cases)
    allowed = policy(permissions, site.environment, site.use_cases)
    found = find(lambda: site.iam.get_role(RoleName=name))
    if found is None:
        if site.act:
            tags = [{"Key": key, "Value": value} for key, value in sorted(site.environment.tags.items())]
            site.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusted), Tags=tags)
            site.iam.put_role_policy(RoleName=name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(allowed))
        return Change("created", "role", name)
    trust_lines = between(document_of(found["Role"]["AssumeRolePolicyDocument"]), trusted)
    present = find(lambda: site.iam.get_role_policy(RoleName=name, PolicyName=POLICY_NAME))
    policy_lines = between(document_of(present["PolicyDocument"]) if present else None, allowed)
    if site.act and trust_lines:
        site.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trusted))
    if site.act and policy_lines:
        site.iam.put_role_policy(RoleName=name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(allowed))
    details = [*(f"trust: {line}" for line in trust_lines), *(f"policy: {line}" for line in policy_lines)]
    return Change("updated" if details else "unchanged", "role", name, tuple(details))
