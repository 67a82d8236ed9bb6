"""What OpenLineage hears: datasets, model version, rows and the execution, by the provider's own extraction."""

import pytest

pytest.importorskip("airflow.providers.openlineage")
from airflow.providers.openlineage.extractors.manager import ExtractorManager

from sagemaker_batch.lineage import Data, LineageOperator, of_candidate, of_published

GROUP = "arn:aws:sagemaker:us-east-1:000000000000:model-package/churn-local"
EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/churn-batch-monitor-local/execution/abc"
PUBLISHED = {
    "execution_arn": EXECUTION,
    "inputs": ["s3://bucket/churn/input/dt=2026-03-03/batch.csv"],
    "model_package_arn": f"{GROUP}/3",
    "model_package_version": 3,
    "predictions": [{"uri": "s3://bucket/churn/batches/x/predictions/features.csv.out", "rows": 700}],
    "manifest_uri": "s3://bucket/churn/published/dt=2026-03-03.json",
    "rows_out": 700,
}


def extracted(make, result):
    """Run an operator, and return what the OpenLineage provider's manager extracts from it on success."""
    task = LineageOperator(
        task_id="publish_predictions", python_callable=lambda: result, lineage=make, pages=lambda _: {}
    )
    task.execute({})
    manager = ExtractorManager()
    assert type(task).__name__ not in manager.extractors  # it speaks for itself
    extractor = manager._get_extractor(task)
    return extractor.extract_on_complete(None)


def test_a_published_day_names_its_data_its_model_and_its_rows():
    """Inputs are the day's objects and the model package by version; outputs the predictions and the manifest."""
    found = extracted(of_published, PUBLISHED)
    assert [(item.namespace, item.name) for item in found.inputs] == [
        ("s3://bucket", "churn/input/dt=2026-03-03/batch.csv"),
        ("arn:aws:sagemaker:us-east-1:000000000000", "model-package/churn-local"),
    ]
    assert found.inputs[1].facets["version"].datasetVersion == "3"
    assert [(item.namespace, item.name) for item in found.outputs] == [
        ("s3://bucket", "churn/batches/x/predictions/features.csv.out"),
        ("s3://bucket", "churn/published/dt=2026-03-03.json"),
    ]
    assert found.outputs[0].outputFacets["outputStatistics"].rowCount == 700
    assert found.run_facets["externalQuery"].externalQueryId == EXECUTION


def test_a_trained_version_names_its_data():
    """The model package that a training registers is its output, by version."""
    candidate = {
        "arn": f"{GROUP}/4",
        "version": 4,
        "training_data_uri": "s3://bucket/churn/training/input/",
        "execution_arn": EXECUTION,
    }
    found = extracted(of_candidate, candidate)
    assert [(item.namespace, item.name) for item in found.inputs] == [("s3://bucket", "churn/training/input")]
    (made,) = found.outputs
    assert (made.name, made.facets["version"].datasetVersion) == ("model-package/churn-local", "4")


def test_a_bucket_alone_has_a_name():
    """OpenLineage wants no empty name."""
    assert Data("s3://bucket/").place == ("s3://bucket", "/")


def test_a_task_that_failed_tells_nothing():
    """What was not published has no lineage."""
    task = LineageOperator(
        task_id="publish_predictions", python_callable=lambda: None, lineage=of_published, pages=lambda _: {}
    )
    assert task.get_openlineage_facets_on_complete(None) is None
