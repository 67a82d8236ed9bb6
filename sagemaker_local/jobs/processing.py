"""Processing jobs. Outputs are uploaded when the job succeeded; those with S3UploadMode Continuous in any case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sagemaker_local.jobs import objects
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.job import Job, Launch
from sagemaker_local.jobs.layout import resource_config

Document = dict[str, Any]

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

    def prepare(self, document: Document) -> Launch:
        """Write the contract files, fetch the inputs, make the outputs' directories."""
        app = document["AppSpecification"]
        command = [
            *self.command(app["ImageUri"], app.get("ContainerEntrypoint", [])),
            *app.get("ContainerArguments", []),
        ]
        config = {member: document[member] for member in _CONFIG if member in document}
        self.layout.write_json("config/processingjobconfig.json", config)
        cluster = document["ProcessingResources"]["ClusterConfig"]
        self.layout.write_json("config/resourceconfig.json", resource_config(cluster["InstanceType"]))
        if cluster["InstanceCount"] > 1:
            self.say(f"Only one instance runs here; {cluster['InstanceCount']} were asked for.")
        for source in document.get("ProcessingInputs", []):
            self._fetch(source, document["RoleArn"])
        for output in self._outputs(document):
            self._directory(output).mkdir(parents=True, exist_ok=True)
        environment = {**document.get("Environment", {}), **self.runtime_environment()}
        return Launch(command, environment, self.layout.ml)

    def complete(self, document: Document, exit_code: int) -> Document:
        """Upload the outputs of a job that succeeded."""
        message = self.layout.read_message("message")
        outputs = self._outputs(document)
        for output in outputs:
            if exit_code == 0 or output["S3Output"]["S3UploadMode"] == "Continuous":
                objects.upload_tree(self.s3, self._directory(output), output["S3Output"]["S3Uri"])
        if exit_code != 0:
            if message:
                self.update(lambda body: body.update(ExitMessage=message))
            raise self.failure_of(exit_code, message)
        return {"ExitMessage": message} if message else {}

    def _outputs(self, document: Document) -> list[Document]:
        return [
            output
            for output in document.get("ProcessingOutputConfig", {}).get("Outputs", [])
            if "S3Output" in output and "LocalPath" in output["S3Output"]
        ]

    def _directory(self, output: Document) -> Path:
        return self.layout.local(output["S3Output"]["LocalPath"])

    def _fetch(self, source: Document, role: str) -> None:
        given = source.get("S3Input")
        if given is None:
            raise JobFailedError(
                f"ClientError: The input {source['InputName']} is no S3Input; Athena and Redshift are not run here."
            )
        if "LocalPath" not in given:
            raise JobFailedError(f"ClientError: The input {source['InputName']} has no LocalPath.")
        self.fetch_channel(
            given, self.layout.local(given["LocalPath"]), role, unzip=given.get("S3CompressionType") == "Gzip"
        )
