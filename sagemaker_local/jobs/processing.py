"""Processing jobs. Outputs are uploaded when the job succeeded; those with S3UploadMode Continuous in any case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sagemaker_local.jobs import objects
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.instances import Instance, Launch, Watch
from sagemaker_local.jobs.job import Job

Document = dict[str, Any]

_SYNC_SECONDS = 1.0  # between two looks at an output of S3UploadMode Continuous
_CONFIG = (
    "ProcessingJobArn",
    "ProcessingJobName",
    "AppSpecification",
    "Environment",
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "RoleArn",
    "StoppingCondition",
)


class ProcessingJob(Job):
    """A script or an analyzer over data in S3."""

    kind = "processing_job"
    title = "ProcessingJob"
    group = "/aws/sagemaker/ProcessingJobs"
    runtime_kind = "processing"
    _command: list[str]

    def count(self, document: Document) -> int:
        """Return InstanceCount of the cluster."""
        return int(document["ProcessingResources"]["ClusterConfig"]["InstanceCount"])

    def begin(self, document: Document) -> None:
        """Find what stands for the image."""
        app = document["AppSpecification"]
        self._command = [
            *self.command(app["ImageUri"], app.get("ContainerEntrypoint", [])),
            *app.get("ContainerArguments", []),
        ]

    def prepare(self, document: Document, instance: Instance) -> Launch:
        """Write the contract files, fetch the inputs, make the outputs' directories."""
        layout = instance.layout
        config = {member: document[member] for member in _CONFIG if member in document}
        layout.write_json("config/processingjobconfig.json", config)
        cluster = document["ProcessingResources"]["ClusterConfig"]
        layout.write_json("config/resourceconfig.json", instance.resource_config(cluster["InstanceType"]))
        for source in document.get("ProcessingInputs", []):
            self._fetch(source, instance, document["RoleArn"])
        for output in self._outputs(document):
            layout.local(output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        environment = {**document.get("Environment", {}), **self.runtime_environment()}
        return Launch(self._command, environment, layout.ml)

    def running(self) -> list[Callable[[], None]]:
        """Upload outputs of S3UploadMode Continuous while the job runs."""
        continuous = self._outputs(self.document(), "Continuous")
        return [
            Watch(
                objects.Mirror(self.s3, instance.layout.local(each["LocalPath"]), each["S3Uri"], self.say).sync,
                _SYNC_SECONDS,
                f"upload of {self.name}",
            ).close
            for instance in self.instances
            for each in (output["S3Output"] for output in continuous)
        ]

    def release(self, document: Document) -> None:
        """Upload what outputs of S3UploadMode Continuous hold, whatever became of the job."""
        self._upload(self._outputs(document, "Continuous"))

    def complete(self, document: Document, exit_code: int) -> Document:
        """Upload the outputs of a job that succeeded."""
        message = self.failed.layout.read_message("message")
        if exit_code != 0:
            if message:
                self.update(lambda body: body.update(ExitMessage=message))
            raise self.failure_of(exit_code, message)
        self._upload(self._outputs(document, "EndOfJob"))
        return {"ExitMessage": message} if message else {}

    def _upload(self, outputs: list[Document]) -> None:
        for output in outputs:
            for instance in self.instances:
                directory = instance.layout.local(output["S3Output"]["LocalPath"])
                objects.upload_tree(self.s3, directory, output["S3Output"]["S3Uri"])

    @staticmethod
    def _outputs(document: Document, mode: str | None = None) -> list[Document]:
        return [
            output
            for output in document.get("ProcessingOutputConfig", {}).get("Outputs", [])
            if "S3Output" in output
            and "LocalPath" in output["S3Output"]
            and mode in {None, output["S3Output"]["S3UploadMode"]}
        ]

    def _fetch(self, source: Document, instance: Instance, role: str) -> None:
        given = source.get("S3Input")
        if given is None:
            raise JobFailedError(
                f"ClientError: The input {source['InputName']} is no S3Input; Athena and Redshift are not run here."
            )
        if "LocalPath" not in given:
            raise JobFailedError(f"ClientError: The input {source['InputName']} has no LocalPath.")
        target = instance.layout.local(given["LocalPath"])
        self.fetch_channel(given, instance, target, role, unzip=given.get("S3CompressionType") == "Gzip")
