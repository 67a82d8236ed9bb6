"""The function behind the batch pipeline's Lambda step: which version scores, and where its baselines lie.

Its zip holds this file and sagemaker_batch/registry.py, so that the pipeline and the DAG give the same answer. An error
of the registry ends the step with the registry's own message.
"""

from typing import Any

import boto3

from sagemaker_batch import registry


def handler(event: dict[str, Any], _context: object = None) -> dict[str, str]:
    """Resolve `ModelPackageArn` (empty: the latest approved) of `ModelPackageGroupName`; every output is a text.

    `ConstraintsUri` is handed on when it is given and lies below the version's own: those that people have tuned.
    """
    client = boto3.client("sagemaker")
    found = registry.resolve(client, event["ModelPackageGroupName"], event.get("ModelPackageArn") or "")
    return {
        "ModelPackageArn": found.arn,
        "ModelPackageVersion": str(found.version),
        "ModelName": found.model_name,
        "StatisticsUri": found.statistics_uri,
        "ConstraintsUri": registry.constraints_of(found, event.get("ConstraintsUri") or ""),
        "FeatureSchemaUri": found.feature_schema_uri,
    }
