"""OpenLineage: which data and which model version a task read, and what it made of them.

Nothing here needs the OpenLineage provider: where it is installed and switched on, it asks the operator.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from sagemaker_batch.names import split_s3_uri
from sagemaker_batch.report.operator import LinkedPythonOperator


class Data(NamedTuple):
    """A dataset: an S3 URI or a model package's ARN, its version, and its rows where they are known."""

    uri: str
    version: str = ""
    rows: int | None = None

    @property
    def place(self) -> tuple[str, str]:
        """Namespace and name as OpenLineage wants them; a model package is its group, and its number the version."""
        if self.uri.startswith("arn:"):
            namespace, _, name = self.uri.rpartition(":")
            return namespace, name.rpartition("/")[0] if self.version else name
        bucket, key = split_s3_uri(self.uri)
        return f"s3://{bucket}", key.rstrip("/") or "/"


class Lineage(NamedTuple):
    """What went in and what came out of a pipeline execution."""

    inputs: list[Data]
    outputs: list[Data]
    execution_arn: str


def of_published(done: dict[str, Any]) -> Lineage:
    """Return the lineage of a published day, from what publishing it returned."""
    return Lineage(
        inputs=[
            *(Data(uri) for uri in done["inputs"]),
            Data(done["model_package_arn"], str(done["model_package_version"])),
        ],
        outputs=[
            *(Data(item["uri"], rows=item["rows"]) for item in done["predictions"]),
            Data(done["manifest_uri"], rows=done["rows_out"]),
        ],
        execution_arn=done["execution_arn"],
    )


def of_candidate(candidate: dict[str, Any]) -> Lineage:
    """Return the lineage of a trained version, from what reading it returned."""
    return Lineage(
        inputs=[Data(candidate["training_data_uri"])] if candidate["training_data_uri"] else [],
        outputs=[Data(candidate["arn"], str(candidate["version"]))],
        execution_arn=candidate["execution_arn"],
    )


class LineageOperator(LinkedPythonOperator):
    """Runs the callable, and tells OpenLineage what its result says of inputs and outputs.

    Args:
        lineage: makes the lineage of the callable's result.
        pages, buttons: as LinkedPythonOperator takes them.
    """

    def __init__(self, *, lineage: Callable[[dict[str, Any]], Lineage], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lineage = lineage
        self._done: dict[str, Any] | None = None

    def execute(self, context: Any) -> Any:
        """Return the callable's result."""
        self._done = super().execute(context)
        return self._done

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - the provider's signature
        """Return what the OpenLineage provider asks for when the task has ended; None when it made nothing."""
        return None if self._done is None else facets(self.lineage(self._done))


def facets(found: Lineage) -> Any:
    """Return a lineage as the provider's OperatorLineage: datasets with version and rows, and the execution's ARN."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import (
        dataset_version_dataset,
        external_query_run,
        output_statistics_output_dataset,
    )

    def general(item: Data) -> dict[str, Any]:
        if not item.version:
            return {}
        return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=item.version)}

    def counted(item: Data) -> dict[str, Any]:
        if item.rows is None:
            return {}
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=item.rows)
        return {"outputStatistics": statistics}

    execution = external_query_run.ExternalQueryRunFacet(externalQueryId=found.execution_arn, source="sagemaker")
    return OperatorLineage(
        inputs=[InputDataset(*item.place, facets=general(item)) for item in found.inputs],
        outputs=[
            OutputDataset(*item.place, facets=general(item), outputFacets=counted(item)) for item in found.outputs
        ],
        run_facets={"externalQuery": execution},
    )
