"""Batch transform jobs: a model's artifact over objects in S3, one ``<key>.out`` for each."""

from __future__ import annotations

import re
import secrets
import shutil
from typing import Any

from sagemaker_local.errors import ApiError
from sagemaker_local.jobs import objects
from sagemaker_local.jobs.archives import extract
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.instances import Instance, Launch
from sagemaker_local.jobs.job import Job

Document = dict[str, Any]

_FRAMEWORKS = re.compile(
    r"sagemaker-(xgboost|scikit-learn)|(pytorch|mxnet|huggingface|tensorflow)[a-z-]*-(?:inf|tr|[cg]pu)"
)
# Frameworks whose containers take a script only by its name; the others look for code/inference.py by themselves.
_NAMED = ("xgboost", "scikit-learn")
_CODE = "/opt/ml/model/code"
# The command that makes way for a script, as its container does; any other is what somebody wants for the image.
_PREDICTOR = "sagemaker_local.runtimes.batch_transform"


class TransformJob(Job):
    """Predictions for whole files."""

    kind = "transform_job"
    title = "TransformJob"
    group = "/aws/sagemaker/TransformJobs"
    runtime_kind = "transform"
    _container: Document
    _command: list[str]
    _source: str | None  # where a model's inference script lies, if one is run

    def count(self, document: Document) -> int:
        """Return InstanceCount."""
        return int(document["TransformResources"]["InstanceCount"])

    def begin(self, document: Document) -> None:
        """Find the model, and what stands for its image."""
        model = self._model(document["ModelName"])
        self.role = model.get("ExecutionRoleArn", "")
        self._container = self._only_container(model)
        image, environment = self._container["Image"], self._container.get("Environment", {})
        self._command = self.command(image, ["serve"])
        program = environment.get("SAGEMAKER_PROGRAM", "")
        self._source = None
        own = self.runtime.command if self.runtime else ()
        if own and _PREDICTOR not in own:
            if program:
                self.say(
                    f"[INFO] SAGEMAKER_PROGRAM ({program}) is not run: the table of runtimes gives {image} a command."
                )
        elif program or not own:
            self._source = environment.get("SAGEMAKER_SUBMIT_DIRECTORY") or _CODE
            self._command = self._script(image, program)

    def prepare(self, document: Document, instance: Instance) -> Launch:
        """Fetch model and input; tell the runtime what to do with them. Each instance gets its share of the objects."""
        source, layout = document["TransformInput"], instance.layout
        given = {**source["DataSource"]["S3DataSource"], "S3DataDistributionType": "ShardedByS3Key"}
        compressed = source.get("CompressionType") == "Gzip"
        files = self.fetch_channel(given, instance, layout.ml / "input" / "data", self.role, unzip=compressed)
        files = [path.removesuffix(".gz") for path in files] if compressed else files
        container = self._container
        if "ModelDataUrl" in container:
            target = layout.ml / "model.tar.gz"
            objects.download(self.s3, [(container["ModelDataUrl"], target)], self.check_stop)
            if self._source is not None:
                extract(target, layout.ml / "model", container["ModelDataUrl"])
        if self._source is not None:
            self._fetch_source(instance, self._source)
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
            "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD"
            if document.get("BatchStrategy") == "SingleRecord"
            else "MULTI_RECORD",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(document.get("MaxPayloadInMB", 6)),
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(document.get("MaxConcurrentTransforms", 0)),
            **self.runtime_environment(),
        }
        if self._source is not None:
            # The path of the script is what its model and job say; that of the program that calls it is ours.
            named = {**container.get("Environment", {}), **document.get("Environment", {})}
            environment["SAGEMAKER_LOCAL_PYTHONPATH"] = named.get("PYTHONPATH", "")
            environment["PYTHONPATH"] = self.context.runtimes.expand("${PACKAGES}")
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

    def _script(self, image: str, program: str) -> list[str]:
        """Return what runs a model's inference script.

        Raises:
            JobFailedError: the image takes none.
        """
        match = _FRAMEWORKS.search(image)
        framework = (match[1] or match[2]) if match else ""
        if self.isolation == "docker" or framework == "tensorflow":
            raise JobFailedError(
                f"ClientError: Batch transform does not run {image!r} here: TensorFlow Serving and containers have no "
                "place. Give the image a `command` for `jobs: [transform]` in the table of runtimes."
            )
        if not program and framework in _NAMED:
            raise JobFailedError(
                f"ClientError: The model names no inference script, which the {framework} container needs: set "
                f"SAGEMAKER_PROGRAM (inference.py) and SAGEMAKER_SUBMIT_DIRECTORY ({_CODE}) in the Environment of its "
                "container, as the SDK does."
            )
        expand = self.context.runtimes.expand
        interpreter = expand(self.runtime.interpreter if self.runtime and self.runtime.interpreter else "${PYTHON}")
        command = [expand("${PYTHON}"), "-m", "sagemaker_local.runtimes.script_transform", "--ml", "/opt/ml"]
        code = "/opt/ml/code" if (self._source or "").startswith("s3://") else (self._source or _CODE)
        command += ["--code", code.removeprefix("file://"), "--interpreter", interpreter, "--framework", framework]
        return [*command, "--program", program or "inference.py"]

    def _fetch_source(self, instance: Instance, source: str) -> None:
        """Fetch and unpack the source archive of a script that does not come with the model."""
        if not source.startswith("s3://"):
            return
        code = instance.layout.ml / "code"
        shutil.rmtree(code, ignore_errors=True)
        archive = instance.layout.directory / "sourcedir.tar.gz"
        objects.download(self.s3, [(source, archive)], self.check_stop)
        extract(archive, code, source)

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
