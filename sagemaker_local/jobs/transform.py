"""Batch transform jobs: a model's artifact over objects in S3, one ``<key>.out`` for each."""

from __future__ import annotations

import secrets
from typing import Any

from sagemaker_local.errors import ApiError
from sagemaker_local.jobs import objects
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.instances import Instance, Launch
from sagemaker_local.jobs.job import Job

Document = dict[str, Any]


class TransformJob(Job):
    """Predictions for whole files."""

    kind = "transform_job"
    title = "TransformJob"
    group = "/aws/sagemaker/TransformJobs"
    runtime_kind = "transform"
    _role: str
    _container: Document
    _command: list[str]

    def count(self, document: Document) -> int:
        """Return InstanceCount."""
        return int(document["TransformResources"]["InstanceCount"])

    def begin(self, document: Document) -> None:
        """Find the model, and what stands for its image."""
        model = self._model(document["ModelName"])
        self._role = model.get("ExecutionRoleArn", "")
        self._container = self._only_container(model)
        self._command = self.command(self._container["Image"], [])

    def prepare(self, document: Document, instance: Instance) -> Launch:
        """Fetch model and input; tell the runtime what to do with them. Each instance gets its share of the objects."""
        source, layout = document["TransformInput"], instance.layout
        given = {**source["DataSource"]["S3DataSource"], "S3DataDistributionType": "ShardedByS3Key"}
        compressed = source.get("CompressionType") == "Gzip"
        files = self.fetch_channel(given, instance, layout.ml / "input" / "data", self._role, unzip=compressed)
        files = [path.removesuffix(".gz") for path in files] if compressed else files
        container = self._container
        if "ModelDataUrl" in container:
            target = layout.ml / "model.tar.gz"
            objects.download(self.s3, [(container["ModelDataUrl"], target)], self.check_stop)
        (layout.ml / "output" / "data").mkdir(parents=True, exist_ok=True)
        layout.write_json(
            "config/transformjobconfig.json",
            {
                "TransformJobName": self.name,
                "BatchStrategy": document.get("BatchStrategy", "MultiRecord"),
                "MaxPayloadInMB": document.get("MaxPayloadInMB", 6),
                "MaxConcurrentTransforms": document.get("MaxConcurrentTransforms", 0),
                "DataProcessing": document.get("DataProcessing", {}),
                "ContentType": source.get("ContentType", ""),
                "SplitType": source.get("SplitType", "None"),
                "Accept": document["TransformOutput"].get("Accept", ""),
                "AssembleWith": document["TransformOutput"].get("AssembleWith", "None"),
                "Files": files,
            },
        )
        environment = {
            **container.get("Environment", {}),
            **document.get("Environment", {}),
            "SAGEMAKER_BATCH": "true",
            **self.runtime_environment(),
        }
        return Launch(self._command, environment, layout.ml)

    def complete(self, document: Document, exit_code: int) -> Document:
        """Upload the predictions of a job that succeeded; of one that did not, none become visible."""
        if exit_code != 0:
            message = self.failed.layout.read_message("failure")
            raise self.failure_of(exit_code, message, client=exit_code == 2)
        for instance in self.instances:
            target = document["TransformOutput"]["S3OutputPath"]
            objects.upload_tree(self.s3, instance.layout.ml / "output" / "data", target)
        return {}

    def stream(self, host: str) -> str:
        """Return the name of an instance's log stream, as AWS writes it."""
        del host
        return f"{self.name}/i-{secrets.token_hex(9)[:17]}"

    def _model(self, name: str) -> Document:
        try:
            return self.context.api.call("DescribeModel", {"ModelName": name})
        except ApiError as error:
            raise JobFailedError(f"ClientError: {error.message}") from error

    def _only_container(self, model: Document) -> Document:
        containers = model.get("Containers", [model.get("PrimaryContainer")])
        if len(containers) != 1:
            raise JobFailedError(
                f"ClientError: The model {model['ModelName']} has {len(containers)} containers; pipelines of "
                "containers are not run here."
            )
        container = dict(containers[0])
        if "ModelPackageName" not in container:
            return container
        try:
            package = self.context.api.call("DescribeModelPackage", {"ModelPackageName": container["ModelPackageName"]})
        except ApiError as error:
            raise JobFailedError(f"ClientError: {error.message}") from error
        packaged = package.get("InferenceSpecification", {}).get("Containers", [])
        if len(packaged) != 1:
            raise JobFailedError(
                f"ClientError: The model package {container['ModelPackageName']} names {len(packaged)} containers; "
                "exactly one is run here."
            )
        environment = {**packaged[0].get("Environment", {}), **container.get("Environment", {})}
        return {**packaged[0], "Environment": environment}
