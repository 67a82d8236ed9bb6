"""Deployment: every resource of an environment, in the order in which they need each other.

Each step finds its resource by name, compares, and changes it only where it differs, so that a second run changes
nothing and an interrupted one is simply repeated. With `act=False` nothing is changed, only said.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Self

from include.infrastructure import access, lambda_step, messaging, pipelines, storage
from include.infrastructure.compiled import Compiled
from include.infrastructure.environment import Environment
from include.infrastructure.function import code_sha256, function_zip
from include.infrastructure.machines import machines, prices
from include.infrastructure.site import Change, DeploymentError, Site
from include.pipelines.settings import canonical
from sagemaker_batch import names

__all__ = ["Change", "Deployment", "DeploymentError", "deployment_record"]


class Deployment:
    """Deploys one environment; `changes` yields as it goes. Use it in a `with`: it holds connections."""

    def __init__(self, environment: Environment, compiled: list[Compiled], *, act: bool) -> None:
        self.compiled = compiled
        self.site = Site(environment, [item.use_case for item in compiled], act)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.site.__exit__()

    def changes(self) -> Iterator[Change]:
        """Yield a change for each resource, after it was made.

        Raises:
            DeploymentError: the credentials belong to another account.
            WheelhouseError: the environment wants wheels and they are not at hand.
        """
        site, environment = self.site, self.site.environment
        site.check_account()
        yield storage.bucket(site)
        for _, item in sorted({item.code_digest: item for item in self.compiled}.items()):
            yield storage.code(site, item)
        if environment.wheelhouse and any(item.engine == "bundled" for item in self.compiled):
            yield storage.wheelhouse(site)
        for name, trust, permissions in access.roles(environment):
            yield access.role(site, name, trust, permissions)
        yield lambda_step.function(site)
        yield messaging.topic(site)
        if environment.inbox:
            yield messaging.inbox(site)
            yield messaging.subscription(site)
        entries = {}
        for item in self.compiled:
            record = deployment_record(environment, item)
            yield from self.use_case(item, record)
            entries[item.use_case.name] = overview_entry(record)
        yield storage.shared_record(site, names.deployments_key(), entries)

    def use_case(self, item: Compiled, record: dict[str, Any]) -> Iterator[Change]:
        """Yield the changes of one use case's own resources."""
        site, name, environment = self.site, item.use_case.name, self.site.environment
        yield pipelines.group(site, item.use_case)
        yield pipelines.pipeline(site, names.train_pipeline(name, environment.name), item.train_baseline)
        yield pipelines.pipeline(site, names.batch_pipeline(name, environment.name), item.batch_monitor)
        yield pipelines.pipeline(site, names.quality_pipeline(name, environment.name), item.model_quality)
        yield storage.record(site, names.deployment_key(name), canonical(record).encode())


def deployment_record(environment: Environment, item: Compiled) -> dict[str, Any]:
    """Return the content of `<use_case>/deployment.json`; nothing in it depends on the moment."""
    name = item.use_case.name
    used = {"train_baseline": machines(item.train_baseline), "batch_monitor": machines(item.batch_monitor)}
    types, table = {each["type"] for steps in used.values() for each in steps.values()}, prices()
    return {
        "version": 1,
        "environment": environment.name,
        "region": environment.region,
        "account": environment.account,
        "bucket": environment.bucket,
        "use_case": item.use_case.model_dump(mode="json"),
        "engine": item.engine,
        "code_digest": item.code_digest,
        "model_package_group": names.model_package_group(name, environment.name),
        "pipelines": {
            "train_baseline": {
                "name": names.train_pipeline(name, environment.name),
                "definition_sha256": _sha256(item.train_baseline),
            },
            "batch_monitor": {
                "name": names.batch_pipeline(name, environment.name),
                "definition_sha256": _sha256(item.batch_monitor),
            },
            "model_quality": {
                "name": names.quality_pipeline(name, environment.name),
                "definition_sha256": _sha256(item.model_quality),
            },
        },
        "function": {"name": names.lambda_function(environment.name), "code_sha256": code_sha256(function_zip())},
        "machines": used,
        "prices_usd_per_hour": {name: table[name] for name in sorted(types) if name in table},
        "topic_arn": names.topic_arn(environment.name, environment.region, environment.account),
    }


def overview_entry(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the overview of all use cases needs of a deployment record."""
    parts = {name: record["use_case"][name] for name in ("description", "owners", "schedule")}
    return {"use_case": parts, "model_package_group": record["model_package_group"]}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
