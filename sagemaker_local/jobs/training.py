"""Training jobs: channels in, one model artifact out. At its time limit a job is Stopped, as at AWS."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

from sagemaker_local.jobs import objects
from sagemaker_local.jobs.context import Context
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.job import Job, Launch
from sagemaker_local.jobs.layout import resource_config

Document = dict[str, Any]

# How the algorithm toolkit of AWS's containers ends when the user's input is wrong.
_USER_ERROR = 2


class TrainingJob(Job):
    """A built-in algorithm, or a script, over channels."""

    kind = "training_job"
    title = "TrainingJob"
    group = "/aws/sagemaker/TrainingJobs"
    runtime_kind = "training"

    def __init__(self, context: Context, name: str) -> None:
        """Prepare; nothing happens before `run`."""
        super().__init__(context, name)
        self._metrics: dict[str, re.Pattern[str]] = {}
        self._last: dict[str, tuple[float, float]] = {}

    def prepare(self, document: Document) -> Launch:
        """Write the contract files and fetch the channels."""
        algorithm = document["AlgorithmSpecification"]
        if "TrainingImage" not in algorithm:
            raise JobFailedError("ClientError: Only algorithms with a TrainingImage are run here.")
        command = self._command(algorithm)
        definitions = {each["Name"]: each["Regex"] for each in algorithm.get("MetricDefinitions", [])}
        self._metrics = self._compiled({**(self.runtime.metrics if self.runtime else {}), **definitions})
        self.layout.write_json("input/config/hyperparameters.json", document.get("HyperParameters", {}))
        resources = document["ResourceConfig"]
        self.layout.write_json("input/config/resourceconfig.json", resource_config(resources.get("InstanceType", "")))
        if resources.get("InstanceCount", 1) > 1:
            self.say(f"Only one instance runs here; {resources['InstanceCount']} were asked for.")
        self._channels(document)
        for name in ("model", "output/data", "checkpoints"):
            (self.layout.ml / name).mkdir(parents=True, exist_ok=True)
        environment = {
            **document.get("Environment", {}),
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": document["TrainingJobArn"],
            **self.runtime_environment(),
        }
        return Launch(command, environment, self.layout.ml)

    def complete(self, document: Document, exit_code: int) -> Document:
        """Pack and upload the model of a job that succeeded."""
        if exit_code != 0:
            message = self.layout.read_message("failure")
            raise self.failure_of(exit_code, message, client=exit_code == _USER_ERROR)
        self._transition("Uploading", "Uploading generated training model")
        packed = self._pack(self.layout.ml / "model", "model.tar.gz")
        objects.upload_file(self.s3, packed, document["ModelArtifacts"]["S3ModelArtifacts"])
        data = self.layout.ml / "output" / "data"
        if any(data.iterdir()):
            base = document["ModelArtifacts"]["S3ModelArtifacts"].rpartition("/")[0]
            objects.upload_file(self.s3, self._pack(data, "output.tar.gz"), f"{base}/output.tar.gz")
        return {
            "FinalMetricDataList": [
                {"MetricName": name, "Value": value, "Timestamp": time} for name, (value, time) in self._last.items()
            ]
        }

    def began(self, document: Document) -> None:
        """Show that the image trains."""
        super().began(document)
        self._shift(document, "Training", "Training image download completed. Training in progress.")

    def ended(self, document: Document, status: str, reason: str | None) -> None:
        """Show the end in the secondary status too."""
        super().ended(document, status, reason)
        secondary = status
        if status == "Stopped" and reason is not None and reason.startswith("MaxRuntimeExceeded"):
            secondary = "MaxRuntimeExceeded"
        messages = {"Completed": "Training job completed", "Failed": "Training job failed"}
        self._shift(document, secondary, messages.get(status, "Training job stopped"))
        document["SecondaryStatusTransitions"][-1]["EndTime"] = document["TrainingEndTime"]
        if "TrainingStartTime" in document:
            seconds = max(1, round(document["TrainingEndTime"] - document["TrainingStartTime"]))
            document["TrainingTimeInSeconds"] = document["BillableTimeInSeconds"] = seconds

    def observe(self, line: str) -> None:
        """Keep the last value of each metric."""
        for name, expression in self._metrics.items():
            match = expression.search(line)
            if match:
                try:
                    value = float(match[1])
                except (ValueError, IndexError):
                    continue  # text where a number should be: AWS drops it too
                self._last[name] = (value, self.context.api.clock())

    def _command(self, algorithm: Document) -> list[str]:
        image, entrypoint = algorithm["TrainingImage"], algorithm.get("ContainerEntrypoint", [])
        command = self.command(image, entrypoint)
        if entrypoint:  # script mode: the image is the environment, not the program
            replaced = self.context.runtimes.own_entrypoint(self.runtime, entrypoint)
            return [*replaced, *algorithm.get("ContainerArguments", [])]
        return command

    def _compiled(self, expressions: dict[str, str]) -> dict[str, re.Pattern[str]]:
        try:
            return {name: re.compile(expression) for name, expression in expressions.items()}
        except re.error as error:
            raise JobFailedError(
                f"ClientError: {error.pattern!r} in MetricDefinitions is no regular expression."
            ) from None

    def _channels(self, document: Document) -> None:
        config: Document = {}
        for channel in document.get("InputDataConfig", []):
            name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
            if source is None:
                raise JobFailedError(f"ClientError: The channel {name} has no S3DataSource; others are not run here.")
            config[name] = {
                "TrainingInputMode": channel.get("InputMode", "File"),
                "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
            self.fetch_channel(
                source,
                self.layout.ml / "input" / "data" / name,
                document["RoleArn"],
                unzip=channel.get("CompressionType") == "Gzip",
            )
        self.layout.write_json("input/config/inputdataconfig.json", config)

    def _pack(self, directory: Path, name: str) -> Path:
        target = self.layout.directory / name
        with tarfile.open(target, "w:gz", compresslevel=6) as archive:
            for path in sorted(directory.iterdir()):
                archive.add(path, arcname=path.name)
        return target

    def _transition(self, status: str, message: str) -> None:
        self.update(lambda document: self._shift(document, status, message))

    def _shift(self, document: Document, status: str, message: str) -> None:
        now = self.context.api.clock()
        transitions = document.setdefault("SecondaryStatusTransitions", [])
        if transitions and "EndTime" not in transitions[-1]:
            transitions[-1]["EndTime"] = now
        transitions.append({"Status": status, "StartTime": now, "StatusMessage": message})
        document["SecondaryStatus"] = status
