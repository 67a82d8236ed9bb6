"""How a job comes to see its directory as ``/opt/ml``: by rewritten paths, by a mount of its own, or in a container.

Rewriting needs nothing of the machine and is the default. ``isolation: bubblewrap`` or ``isolation: docker`` of an
entry in the table of runtimes asks for more, for scripts that have ``/opt/ml`` written into them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.instances import Instance, Launch

_OPT = Path("/opt")
_PROBE_SECONDS = 10
_ALWAYS = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def bubblewrapped(launch: Launch, instance: Instance) -> Launch:
    """Return a launch in a namespace where the instance's directory is mounted at /opt/ml.

    Raises:
        JobFailedError: bubblewrap is not there, or this machine lets nobody make namespaces.
    """
    _need_bubblewrap()
    # /opt itself is replaced so that /opt/ml can be made without touching the machine; what else is in it comes along.
    others = [str(path) for path in _OPT.iterdir() if path.name != "ml"] if _OPT.is_dir() else []
    binds = [part for path in others for part in ("--bind", path, path)]
    command = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", str(_OPT), *binds]
    command += ["--bind", str(instance.layout.ml), "/opt/ml", "--chdir", "/opt/ml", "--die-with-parent", "--"]
    return Launch([*command, *launch.command], launch.environment, launch.cwd)


def docked(launch: Launch, instance: Instance, image: str, name: str, *, own_entrypoint: bool) -> Launch:
    """Return a launch of the image itself, with the instance's directory mounted at /opt/ml.

    Args:
        launch: its environment is the container's, its command the job's entrypoint and arguments.
        instance: where.
        image: to run.
        name: of the container, so that it can be ended by it.
        own_entrypoint: whether the command begins with an entrypoint of the job; else it is arguments for the image's.

    Raises:
        JobFailedError: no daemon answers.
    """
    _need_docker()
    command = ["docker", "run", "--rm", "--init", "--name", name, "--network", "host"]
    if os.getuid() != 0:  # what the container writes must be ours to read
        command += ["--user", f"{os.getuid()}:{os.getgid()}"]
    command += ["--volume", f"{instance.layout.ml}:/opt/ml"]
    # Only names: the values come with the environment of the docker command, and so stay out of process lists.
    command += [part for variable in [*launch.environment, *_ALWAYS] for part in ("--env", variable)]
    arguments = launch.command
    if own_entrypoint:
        command += ["--entrypoint", arguments[0]]
        arguments = arguments[1:]
    return Launch([*command, image, *arguments], launch.environment, launch.cwd, name)


def container_name(marker: str) -> str:
    """Return the name of the container of an instance, known by its marker."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"sagemaker-local-{marker.rpartition(':')[2]}")


@cache
def _need_bubblewrap() -> None:
    if shutil.which("bwrap") is None:
        raise JobFailedError(
            "ClientError: The runtime asks for `isolation: bubblewrap`, and there is no bwrap on this machine. Install "
            "it (apt-get install bubblewrap), or leave `isolation` out: paths are rewritten then."
        )
    probe = subprocess.run(
        ["bwrap", "--dev-bind", "/", "/", "true"], capture_output=True, text=True, check=False, timeout=_PROBE_SECONDS
    )
    if probe.returncode:
        raise JobFailedError(
            f"ClientError: The runtime asks for `isolation: bubblewrap`, and bwrap cannot make a namespace here: "
            f"{probe.stderr.strip()}. Ubuntu restricts unprivileged user namespaces by AppArmor; leave `isolation` out."
        )


def _need_docker() -> None:
    problem = "there is no docker command on this machine"
    if shutil.which("docker") is not None:
        try:
            asked = subprocess.run(
                ["docker", "version", "--format", "{{.Server.Version}}"],
                capture_output=True,
                text=True,
                check=False,
                timeout=_PROBE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            problem = "the docker daemon does not answer"
        else:
            if asked.returncode == 0:
                return
            problem = f"no docker daemon answers: {asked.stderr.strip()}"
    raise JobFailedError(
        f"ClientError: The runtime asks for `isolation: docker`, and {problem}. Start Docker, or give the image a "
        "`command` or an `interpreter` in the table of runtimes."
    )
