"""Policies: JSON templates in policies/, filled in for one environment."""

import json
from pathlib import Path
from string import Template
from typing import Any

from include.infrastructure.environment import Environment
from sagemaker_batch import names
from sagemaker_batch.use_case import UseCase

FOLDER = Path(__file__).parent / "policies"


def policy(name: str, environment: Environment, use_cases: list[UseCase]) -> dict[str, Any]:
    """Return a policy document of policies/<name>.json."""
    at = f"arn:aws:sagemaker:{environment.region}:{environment.account}"
    pipelines, registry = [], []
    for use_case in use_cases:
        for pipeline in (
            names.train_pipeline(use_case.name, environment.name),
            names.batch_pipeline(use_case.name, environment.name),
        ):
            pipelines += [f"{at}:pipeline/{pipeline}", f"{at}:pipeline/{pipeline}/*"]
        group = names.model_package_group(use_case.name, environment.name)
        registry += [f"{at}:model-package-group/{group}", f"{at}:model-package/{group}/*"]
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(
        Template(text).substitute(
            account=environment.account,
            region=environment.region,
            bucket=environment.bucket,
            function=names.lambda_function(environment.name),
            execution_role=names.execution_role(environment.name),
            topic=names.alert_topic(environment.name),
            inbox=names.alert_inbox(environment.name),
            pipeline_arns=json.dumps(pipelines),
            registry_arns=json.dumps(registry),
        )
    )
