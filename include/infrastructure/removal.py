"""Removing an environment: everything that deployment and its pipelines made, and nothing else.

What is ours is known by its name or by where it lies; nothing is found by a guess. S3 data is removed only when asked
for, because it holds predictions that others read.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from include.infrastructure import access
from include.infrastructure.site import DeploymentError, Site, find
from include.infrastructure.wheelhouse import WHEELHOUSE
from sagemaker_batch import names

ACTIVE = {"Executing", "Stopping"}
# A step's job has two minutes to end after it was asked to.
STOP_SECONDS, STOP_PAUSE_SECONDS = 600.0, 1.0


@dataclass(frozen=True)
class Removal:
    """One thing to remove, and how."""

    kind: str
    name: str
    remove: Callable[[], Any]


def removals(site: Site, *, data: bool) -> Iterator[Removal]:
    """Yield what is there of an environment, in the order in which it can be removed.

    With `data` also everything that the bucket holds, and the bucket; otherwise the bucket stays as it is, except for
    scripts and wheels, which deployment put there.
    """
    environment = site.environment
    for use_case in site.use_cases:
        yield from _pipelines(site, use_case.name)
        yield from _models(site, use_case.name)
        yield from _packages(site, names.model_package_group(use_case.name, environment.name))
    function = names.lambda_function(environment.name)
    if find(lambda: site.functions.get_function(FunctionName=function)):
        yield Removal("function", function, lambda: site.functions.delete_function(FunctionName=function))
    yield from _messaging(site)
    for name, _, _ in access.roles(environment):
        if find(lambda name=name: site.iam.get_role(RoleName=name)):  # type: ignore[misc]
            yield Removal("role", name, lambda name=name: _remove_role(site, name))  # type: ignore[misc]
    yield from _storage(site, data=data)


def _pipelines(site: Site, use_case: str) -> Iterator[Removal]:
    environment = site.environment.name
    kinds = (names.train_pipeline, names.batch_pipeline, names.quality_pipeline)
    for name in (kind(use_case, environment) for kind in kinds):
        if find(lambda name=name: site.sagemaker.describe_pipeline(PipelineName=name)) is None:  # type: ignore[misc]
            continue
        pages = site.sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=name)
        for execution in (item for page in pages for item in page["PipelineExecutionSummaries"]):
            if execution["PipelineExecutionStatus"] in ACTIVE:
                arn = execution["PipelineExecutionArn"]
                yield Removal(
                    "running execution",
                    arn,
                    lambda arn=arn: _end_execution(site, arn),  # type: ignore[misc]
                )
        yield Removal(
            "pipeline",
            name,
            # A token of its own each time: SageMaker answers a repeated one as it did before, and removes nothing.
            lambda name=name: site.sagemaker.delete_pipeline(  # type: ignore[misc]
                PipelineName=name, ClientRequestToken=uuid4().hex
            ),
        )


def _end_execution(site: Site, arn: str) -> None:
    """Stop an execution and wait until it has ended: SageMaker deletes no pipeline with one at work.

    Raises:
        DeploymentError: it does not end.
    """

    def active() -> bool:
        return bool(
            site.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] in ACTIVE
        )

    if active():
        try:
            site.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid4().hex)
        except ClientError as error:
            # Stopping already, or ended between the two calls: the wait below tells which.
            if error.response["Error"]["Code"] not in {"ValidationException", "ConflictException"}:
                raise
    until = time.monotonic() + STOP_SECONDS
    while active():
        if time.monotonic() > until:
            raise DeploymentError(
                f"{arn} does not end {STOP_SECONDS:.0f} s after it was stopped. Look at it, and destroy again."
            )
        time.sleep(STOP_PAUSE_SECONDS)


def _models(site: Site, use_case: str) -> Iterator[Removal]:
    """Models that RegisterModel noted in our packages: their names are the pipeline's own and say nothing."""
    group = names.model_package_group(use_case, site.environment.name)
    for arn in _package_arns(site, group):
        described = site.sagemaker.describe_model_package(ModelPackageName=arn)
        model = described.get("CustomerMetadataProperties", {}).get("ModelName", "")
        if model and find(lambda model=model: site.sagemaker.describe_model(ModelName=model)):  # type: ignore[misc]
            yield Removal("model", model, lambda model=model: site.sagemaker.delete_model(ModelName=model))  # type: ignore[misc]


def _packages(site: Site, group: str) -> Iterator[Removal]:
    for arn in _package_arns(site, group):
        yield Removal(
            "model package",
            arn,
            lambda arn=arn: site.sagemaker.delete_model_package(ModelPackageName=arn),  # type: ignore[misc]
        )
    if find(lambda: site.sagemaker.describe_model_package_group(ModelPackageGroupName=group)):
        yield Removal(
            "model package group",
            group,
            lambda: site.sagemaker.delete_model_package_group(ModelPackageGroupName=group),
        )


def _package_arns(site: Site, group: str) -> list[str]:
    def listed() -> list[str]:
        pages = site.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
        return [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]

    return find(listed) or []


def _messaging(site: Site) -> Iterator[Removal]:
    environment = site.environment
    topic = names.topic_arn(environment.name, environment.region, environment.account)
    if find(lambda: site.sns.get_topic_attributes(TopicArn=topic)):
        yield Removal("topic", names.alert_topic(environment.name), lambda: site.sns.delete_topic(TopicArn=topic))
    if environment.inbox:
        name = names.alert_inbox(environment.name)
        found = find(lambda: site.sqs.get_queue_url(QueueName=name))
        if found:
            yield Removal("inbox", name, lambda: site.sqs.delete_queue(QueueUrl=found["QueueUrl"]))


def _remove_role(site: Site, name: str) -> None:
    find(lambda: site.iam.delete_role_policy(RoleName=name, PolicyName=access.POLICY_NAME))
    site.iam.delete_role(RoleName=name)


def _storage(site: Site, *, data: bool) -> Iterator[Removal]:
    bucket = site.environment.bucket
    if find(lambda: site.s3.head_bucket(Bucket=bucket)) is None:
        return
    prefixes = [""] if data else ["code/", f"{WHEELHOUSE}/", *(_record_prefixes(site))]
    for prefix in prefixes:
        versions = _versions(site, prefix)
        if versions:
            yield Removal(
                "objects",
                f"s3://{bucket}/{prefix} ({len(versions)} versions)",
                lambda versions=versions: _remove_versions(site, versions),  # type: ignore[misc]
            )
    if data:
        yield Removal("bucket", bucket, lambda: site.s3.delete_bucket(Bucket=bucket))


def _record_prefixes(site: Site) -> list[str]:
    return [names.deployments_key(), *(names.deployment_key(use_case.name) for use_case in site.use_cases)]


def _versions(site: Site, prefix: str) -> list[dict[str, str]]:
    pages = site.s3.get_paginator("list_object_versions").paginate(Bucket=site.environment.bucket, Prefix=prefix)
    return [
        {"Key": item["Key"], "VersionId": item["VersionId"]}
        for page in pages
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    ]


def _remove_versions(site: Site, versions: list[dict[str, str]]) -> None:
    """Remove versions of objects.

    Raises:
        DeploymentError: S3 kept some of them.
    """
    for start in range(0, len(versions), 1000):
        part = versions[start : start + 1000]
        answer = site.s3.delete_objects(Bucket=site.environment.bucket, Delete={"Objects": part, "Quiet": True})
        # A refusal of single objects is no error of the call.
        kept = answer.get("Errors", [])
        if kept:
            first = kept[0]
            raise DeploymentError(
                f"S3 kept {len(kept)} of {len(part)} objects of {site.environment.bucket}, such as {first.get('Key')}: "
                f"{first.get('Code')}. Allow the deployer s3:DeleteObjectVersion, or wait, and destroy again."
            )
