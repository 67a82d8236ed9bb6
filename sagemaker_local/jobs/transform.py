"""Batch transform jobs: a model's artifact over objects in S3, one ``<key>.out`` for each."""

from __future__ import annotations

import secrets
from typing import Any

from sagemaker_local.errors import ApiError
from sagemaker_local.jobs import objects
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.job import Job, Launch

Document = dict[str, Any]


class TransformJob(Job):
    """Predictions for whole files."""

    kind = "transform_job"
    title = "TransformJob"
    group = "/aws/sagemaker/TransformJobs"
    runtime_kind = "transform"

    def prepare(self, document: Document) -> Launch:
        """Fetch model and input; tell the runtime what to do with them."""
        model = self._model(document["ModelName"])
        container = self._container(model)
        command = self.command(container["Image"], [])
        role = model.get("ExecutionRoleArn", "")
        source = document["TransformInput"]
        given = {**source["DataSource"]["S3DataSource"]}
        compressed = source.get("CompressionType") == "Gzip"
        files = self.fetch_channel(given, self.layout.ml / "input" / "data", role, unzip=compressed)
        files = [path.removesuffix(".gz") for path in files] if compressed else files
        if "ModelDataUrl" in container:
            target = self.layout.ml / "model.tar.gz"
            objects.download(self.s3, [(container["ModelDataUrl"], target)], self.check_stop)
        (self.layout.ml / "output" / "data").mkdir(parents=True, exist_ok=True)
        self.layout.write_json(
            "config/transformjobconfig.json",
            {
                "TransformJobName": self.name,
                "BatchStrategy": document.get("BatchStrategy", "MultiRecord"),
                "MaxPayloadInMB": document.get("MaxPayloadInMB", 6),
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
        return Launch(command, environment, self.layout.ml)

    def complete(self, document: Document, exit_code: int) -> Document:
        """Upload the predictions of a job that succeeded; of one that did not, none become visible."""
        if exit_code != 0:
            raise self.failure_of(exit_code, self.layout.read_message("failure"), client=exit_code == 2)
        objects.upload_tree(self.s3, self.layout.ml / "output" / "data", document["TransformOutput"]["S3OutputPath"])
        return {}

    def stream(self) -> str:
        """Return the name of the job's log stream, as AWS writes it."""
        return f"{self.name}/i-{secrets.token_hex(9)[:17]}"

    def _model(self, name: str) -> Document:
        try:
            return self.context.api.call("DescribeModel", {"ModelName": name})
        except ApiError as error:
            raise JobFailedError(f"ClientError: {error.message}") from error

    def _container(self, model: Document) -> Document:
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
