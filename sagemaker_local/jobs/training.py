"""Training jobs: channels in, one model artifact out. At its time limit a job is Stopped, as at AWS."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sagemaker_local.jobs import objects
from sagemaker_local.jobs.archives import extract
from sagemaker_local.jobs.context import Context
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.instances import Instance, Launch, Watch
from sagemaker_local.jobs.job import Job
from sagemaker_local.runtimes import script_training

Document = dict[str, Any]

# How the algorithm toolkit of AWS's containers ends when the user's input is wrong.
_USER_ERROR = 2
_LIMITS = ("MaxRuntimeExceeded", "MaxWaitTimeExceeded")
# The channel in which the SageMaker SDK (v3) sends its own programs, with paths of containers written into them.
_DRIVERS = "sm_drivers"
_SYNC_SECONDS = 1.0  # between two looks at checkpoints


def script_mode(document: Document) -> str:
    """Return the program that a job in script mode runs, or an empty text."""
    given = document.get("HyperParameters", {}).get("sagemaker_program", "")
    return str(script_training.decoded(given) or document.get("Environment", {}).get("SAGEMAKER_PROGRAM", ""))


class TrainingJob(Job):
    """A built-in algorithm, or a script, over channels."""

    kind = "training_job"
    title = "TrainingJob"
    group = "/aws/sagemaker/TrainingJobs"
    runtime_kind = "training"

    def __init__(self, context: Context, name: str) -> None:
        """Prepare; nothing happens before `run`."""
        super().__init__(context, name)
        self._command: list[str] = []
        self._built_in = True
        self._merged: int | None = None  # how many instances one process stands for
        self._metrics: dict[str, re.Pattern[str]] = {}
        self._last: dict[str, tuple[float, float]] = {}

    def count(self, document: Document) -> int:
        """Return InstanceCount, or 1 when what stands for the image knows nothing of other instances."""
        count = int(document["ResourceConfig"].get("InstanceCount", 1))
        if count > 1 and self._built_in and self.runtime is not None and self.runtime.single_instance:
            self.say(f"{count} instances were asked for; one process trains here on the data of all of them.")
            self._merged = count
            return 1
        return count

    def begin(self, document: Document) -> None:
        """Find what stands for the image, and the metrics to look for."""
        algorithm = document["AlgorithmSpecification"]
        if "TrainingImage" not in algorithm:
            raise JobFailedError("ClientError: Only algorithms with a TrainingImage are run here.")
        self._command = self._commanded(algorithm, document)
        definitions = {each["Name"]: each["Regex"] for each in algorithm.get("MetricDefinitions", [])}
        self._metrics = self._compiled(
            {**(self.runtime.metrics if self.runtime and self._built_in else {}), **definitions}
        )

    def prepare(self, document: Document, instance: Instance) -> Launch:
        """Write the contract files and fetch the channels."""
        layout, resources = instance.layout, document["ResourceConfig"]
        layout.write_json("input/config/hyperparameters.json", document.get("HyperParameters", {}))
        layout.write_json(
            "input/config/resourceconfig.json",
            instance.resource_config(resources.get("InstanceType", ""), self._merged),
        )
        self._channels(document, instance)
        self._source(document, instance)
        for name in ("model", "output/data", "checkpoints"):
            (layout.ml / name).mkdir(parents=True, exist_ok=True)
        self._restore_checkpoints(document, instance)
        environment = {
            **document.get("Environment", {}),
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": document["TrainingJobArn"],
            **self.runtime_environment(),
        }
        return Launch(self._command, environment, layout.ml)

    def limits(self, document: Document) -> dict[str, float]:
        """Add what a spot job has left of MaxWaitTimeInSeconds, which counts from its creation."""
        limits = super().limits(document)
        wait = (document.get("StoppingCondition") or {}).get("MaxWaitTimeInSeconds")
        if document.get("EnableManagedSpotTraining") and wait:
            limits["MaxWaitTimeExceeded"] = document["CreationTime"] + wait - self.context.api.clock()
        return limits

    def running(self) -> list[Callable[[], None]]:
        """Upload checkpoints while the job runs."""
        config = self.document().get("CheckpointConfig")
        if config is None:
            return []
        return [
            Watch(
                objects.Mirror(self.s3, self._checkpoints(config, instance), config["S3Uri"], self.say).sync,
                _SYNC_SECONDS,
                f"checkpoints of {self.name}",
            ).close
            for instance in self.instances
        ]

    def release(self, document: Document) -> None:
        """Upload the checkpoints, whatever became of the job: the next one begins with them."""
        config = document.get("CheckpointConfig")
        if config is None:
            return
        for instance in self.instances:
            objects.upload_tree(self.s3, self._checkpoints(config, instance), config["S3Uri"])

    def complete(self, document: Document, exit_code: int) -> Document:
        """Pack and upload the model of a job that succeeded."""
        if exit_code != 0:
            message = self.failed.layout.read_message("failure")
            raise self.failure_of(exit_code, message, client=exit_code == _USER_ERROR)
        self._transition("Uploading", "Uploading generated training model")
        packed = self._pack("model", "model.tar.gz")
        objects.upload_file(self.s3, packed, document["ModelArtifacts"]["S3ModelArtifacts"])
        if any(any((instance.layout.ml / "output" / "data").iterdir()) for instance in self.instances):
            base = document["ModelArtifacts"]["S3ModelArtifacts"].rpartition("/")[0]
            objects.upload_file(self.s3, self._pack("output/data", "output.tar.gz"), f"{base}/output.tar.gz")
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
        if status == "Stopped" and reason is not None and reason.partition(":")[0] in _LIMITS:
            secondary = reason.partition(":")[0]
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

    def _commanded(self, algorithm: Document, document: Document) -> list[str]:
        image, entrypoint = algorithm["TrainingImage"], algorithm.get("ContainerEntrypoint", [])
        arguments = algorithm.get("ContainerArguments", [])
        program = script_mode(document)
        self._built_in = not entrypoint and not program
        if program and not entrypoint:
            entrypoint = ["python3", str(script_training.__file__), "--ml", "/opt/ml"]
        command = self.command(image, entrypoint or ["train"])
        if self.isolation == "docker":
            if program:
                self._own_entrypoint, command = False, ["train"]
            return [*command, *arguments]
        if entrypoint:  # the image is the environment, not the program
            return [*self.context.runtimes.own_entrypoint(self.runtime, entrypoint), *arguments]
        if self.runtime is not None and not self.runtime.command:
            raise JobFailedError(
                f"ClientError: The image {image!r} runs what its job names, and this job names nothing: give "
                "hyperparameters sagemaker_program and sagemaker_submit_directory (script mode, as the SDK does), or a "
                "ContainerEntrypoint."
            )
        return command

    def _source(self, document: Document, instance: Instance) -> None:
        """Fetch and unpack the source archive of script mode; containers do it themselves."""
        if self._built_in or not script_mode(document) or self.isolation == "docker":
            return
        given = script_training.decoded(document.get("HyperParameters", {}).get("sagemaker_submit_directory", ""))
        uri = str(given or document.get("Environment", {}).get("SAGEMAKER_SUBMIT_DIRECTORY", ""))
        code = instance.layout.ml / "code"
        if uri.startswith("/opt/ml/"):
            shutil.copytree(instance.layout.local(uri), code)
            return
        archive = instance.layout.directory / "sourcedir.tar.gz"
        objects.download(self.s3, [(uri, archive)], self.check_stop)
        extract(archive, code, uri)

    def _compiled(self, expressions: dict[str, str]) -> dict[str, re.Pattern[str]]:
        try:
            return {name: re.compile(expression) for name, expression in expressions.items()}
        except re.error as error:
            raise JobFailedError(
                f"ClientError: {error.pattern!r} in MetricDefinitions is no regular expression."
            ) from None

    @staticmethod
    def _checkpoints(config: Document, instance: Instance) -> Path:
        return instance.layout.local(config.get("LocalPath", "/opt/ml/checkpoints"))

    def _restore_checkpoints(self, document: Document, instance: Instance) -> None:
        config = document.get("CheckpointConfig")
        if config is None:
            return
        target = self._checkpoints(config, instance)
        target.mkdir(parents=True, exist_ok=True)
        try:
            objects.list_keys(self.s3, config["S3Uri"], document["RoleArn"], self.context.clients.region)
        except JobFailedError:
            return  # the first job of a series finds none
        self.fetch_channel({"S3Uri": config["S3Uri"]}, instance, target, document["RoleArn"])

    def _channels(self, document: Document, instance: Instance) -> None:
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
            if instance.count == 1:
                source = {**source, "S3DataDistributionType": "FullyReplicated"}
            self.fetch_channel(
                source,
                instance,
                instance.layout.ml / "input" / "data" / name,
                document["RoleArn"],
                unzip=channel.get("CompressionType") == "Gzip",
            )
            if name == _DRIVERS:
                for path in (instance.layout.ml / "input" / "data" / name).rglob("*"):
                    instance.layout.rewrite_file(path)
        instance.layout.write_json("input/config/inputdataconfig.json", config)

    def _pack(self, directory: str, name: str) -> Path:
        """Pack what all instances left into one archive, as SageMaker does; of two of one name the first counts."""
        target = self.directory / name
        seen: set[str] = set()
        with tarfile.open(target, "w:gz", compresslevel=6) as archive:
            for instance in self.instances:
                for path in sorted((instance.layout.ml / directory).iterdir()):
                    if path.name not in seen:
                        archive.add(path, arcname=path.name)
                    seen.add(path.name)
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
