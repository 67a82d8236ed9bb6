"""Which command stands for which image: `runtimes.yaml`, read and checked.

A file is ``runtimes: [{image, jobs, command | interpreter, environment?, metrics?, isolation?, single_instance?}]``;
the first entry whose `image` (a regular expression, searched in the URI) and `jobs` fit is taken. ``${NAME}`` is an
environment variable of the server, or one of PYTHON (the interpreter that the server runs in) and PACKAGES (the
directory that holds the package sagemaker_local). ``/opt/ml`` in commands and environments becomes the job's own
directory.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sagemaker_local.jobs.errors import JobFailedError

DEFAULT_FILE = Path(__file__).resolve().parent.parent / "runtimes.yaml"
JOBS = ("processing", "training", "transform")
ISOLATIONS = ("rewrite", "bubblewrap", "docker")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_KEYS = {"name", "image", "jobs", "command", "interpreter", "environment", "metrics", "single_instance", "isolation"}
# Names by which an entrypoint calls the interpreter of its container.
_INTERPRETERS = re.compile(r"(?:.*/)?python(?:3(?:\.\d+)?)?")


class RuntimesError(Exception):
    """The file of runtimes is wrong; the message says where."""


@dataclass(frozen=True)
class Runtime:
    """What stands for an image in one kind of job.

    Attributes:
        command: run as it is; empty when the job brings its own entrypoint.
        interpreter: stands for ``python3`` in the job's own entrypoint.
        environment: added to the job's.
        metrics: name -> regular expression with one group, for a training job's log.
        isolation: how a job comes to see its directory as ``/opt/ml``: rewrite, bubblewrap or docker.
        single_instance: it knows nothing of other instances, so a job with several runs as one with all data.
    """

    image: re.Pattern[str]
    jobs: tuple[str, ...]
    command: tuple[str, ...]
    interpreter: str
    environment: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    single_instance: bool = False
    isolation: str = "rewrite"


class Runtimes:
    """The table."""

    def __init__(self, path: Path | None = None) -> None:
        """Read the file, the one of the package when none is given.

        Raises:
            RuntimesError: it cannot be read or is malformed.
        """
        self.path = DEFAULT_FILE if path is None else Path(path)
        try:
            document = yaml.safe_load(self.path.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise RuntimesError(f"The runtimes in {self.path} cannot be read: {error}") from error
        entries = document.get("runtimes") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise RuntimesError(f"{self.path} needs a list `runtimes`, as in {DEFAULT_FILE}.")
        self._runtimes = [self._entry(number, entry) for number, entry in enumerate(entries, 1)]

    def find(self, image: str, job: str) -> Runtime:
        """Return the runtime of an image.

        Raises:
            JobFailedError: no entry fits; the message names the image and the file to edit.
        """
        for runtime in self._runtimes:
            if job in runtime.jobs and runtime.image.search(image):
                return runtime
        raise JobFailedError(
            f"ClientError: No runtime stands for the image {image!r} in a {job} job. Containers are not pulled here: "
            f"add an entry with an `image` pattern and a `command` to {self.path} and start the local SageMaker again."
        )

    def expand(self, text: str) -> str:
        """Return text with ``${NAME}`` replaced.

        Raises:
            JobFailedError: there is no such variable.
        """

        def value(match: re.Match[str]) -> str:
            built_in = {"PYTHON": sys.executable, "PACKAGES": str(Path(__file__).resolve().parents[2])}
            found = built_in.get(match[1], os.environ.get(match[1]))
            if found is None:
                raise JobFailedError(
                    f"ClientError: {self.path} names ${{{match[1]}}}, which is not set in the environment of the local "
                    f"SageMaker. Set {match[1]} and start it again."
                )
            return found

        return _VARIABLE.sub(value, text)

    def command(self, runtime: Runtime, entrypoint: list[str], image: str) -> list[str]:
        """Return what to run: the runtime's own command, or the job's entrypoint with our interpreter.

        Raises:
            JobFailedError: neither says what to run.
        """
        if runtime.isolation == "docker":
            return list(entrypoint)
        if runtime.command:
            return [self.expand(part) for part in runtime.command]
        if not entrypoint:
            raise JobFailedError(
                f"ClientError: The image {image!r} runs what its job names, and this job has no ContainerEntrypoint. "
                "Give one, such as ['python3', '/opt/ml/processing/input/code/script.py']."
            )
        return self.own_entrypoint(runtime, entrypoint)

    def environment(self, runtime: Runtime) -> dict[str, str]:
        """Return what a runtime adds to a job's environment; ``python`` in scripts is its interpreter."""
        found = {name: self.expand(value) for name, value in runtime.environment.items()}
        if runtime.isolation != "docker":
            home = str(Path(self.expand(runtime.interpreter or "${PYTHON}")).parent)
            found.setdefault("PATH", os.pathsep.join([home, os.environ.get("PATH", os.defpath)]))
        return found

    def own_entrypoint(self, runtime: Runtime | None, entrypoint: list[str]) -> list[str]:
        """Return a job's own entrypoint with our interpreter in the place of its container's."""
        docker = runtime is not None and runtime.isolation == "docker"
        if docker or not _INTERPRETERS.fullmatch(entrypoint[0]):
            return entrypoint
        interpreter = runtime.interpreter if runtime is not None and runtime.interpreter else "${PYTHON}"
        return [self.expand(interpreter), *entrypoint[1:]]

    def _entry(self, number: int, entry: Any) -> Runtime:
        where = f"{self.path}, entry {number}"
        if not isinstance(entry, dict) or not set(entry) <= _KEYS or not isinstance(entry.get("image"), str):
            raise RuntimesError(f"{where}: an entry has `image` and of the rest only {', '.join(sorted(_KEYS))}.")
        jobs, command = entry.get("jobs", list(JOBS)), entry.get("command", [])
        if not isinstance(jobs, list) or not set(jobs) <= set(JOBS):
            raise RuntimesError(f"{where}: `jobs` is a list of {', '.join(JOBS)}, got {jobs!r}.")
        if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
            raise RuntimesError(f"{where}: `command` is a list of texts, got {command!r}.")
        isolation = entry.get("isolation", "rewrite")
        if isolation not in ISOLATIONS:
            raise RuntimesError(f"{where}: `isolation` is one of {', '.join(ISOLATIONS)}, got {isolation!r}.")
        if isolation == "docker":
            if command or "interpreter" in entry or "transform" in jobs:
                raise RuntimesError(
                    f"{where}: with `isolation: docker` the image itself runs, in `jobs: [processing, training]` only: "
                    "leave `command` and `interpreter` out."
                )
        elif bool(command) == ("interpreter" in entry):
            raise RuntimesError(f"{where}: give either `command` or `interpreter` (for the job's own entrypoint).")
        try:
            image = re.compile(entry["image"])
            for expression in entry.get("metrics", {}).values():
                re.compile(expression)
        except re.error as error:
            raise RuntimesError(f"{where}: {error.pattern!r} is no regular expression: {error}") from error
        return Runtime(
            image,
            tuple(jobs),
            tuple(command),
            entry.get("interpreter", ""),
            {key: str(value) for key, value in entry.get("environment", {}).items()},
            dict(entry.get("metrics", {})),
            bool(entry.get("single_instance", False)),
            isolation,
        )
