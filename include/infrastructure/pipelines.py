"""What SageMaker holds of a use case: its model package group and its two pipelines."""

import json
from typing import Any

from include.infrastructure.differences import between_definitions
from include.infrastructure.site import Change, Site, find
from include.pipelines.settings import canonical
from sagemaker_batch import names
from sagemaker_batch.use_case import UseCase


def group(site: Site, use_case: UseCase) -> Change:
    """Make the model package group."""
    name = names.model_package_group(use_case.name, site.environment.name)
    if find(lambda: site.sagemaker.describe_model_package_group(ModelPackageGroupName=name)) is not None:
        return Change("unchanged", "model package group", name)
    if site.act:
        description = use_case.description or f"Models of the use case {use_case.name}"
        site.sagemaker.create_model_package_group(
            ModelPackageGroupName=name, ModelPackageGroupDescription=description, Tags=_tags(site)
        )
    return Change("created", "model package group", name)


def pipeline(site: Site, name: str, definition: str) -> Change:
    """Make or update a pipeline from its compiled definition; the details say which steps differ, and in what."""
    role = site.environment.role("execution")
    found = find(lambda: site.sagemaker.describe_pipeline(PipelineName=name))
    if found is None:
        if site.act:
            site.sagemaker.create_pipeline(
                PipelineName=name, PipelineDefinition=definition, RoleArn=role, Tags=_tags(site)
            )
        return Change("created", "pipeline", name)
    present = json.loads(found["PipelineDefinition"])
    if canonical(present) == definition and found["RoleArn"] == role:
        return Change("unchanged", "pipeline", name)
    details = between_definitions(present, json.loads(definition))
    if found["RoleArn"] != role:
        details.append(f"role: {found['RoleArn']} -> {role}")
    if site.act:
        site.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=role)
    return Change("updated", "pipeline", name, tuple(details))


def _tags(site: Site) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value} for key, value in sorted(site.environment.tags.items())]
