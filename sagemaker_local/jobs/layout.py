"""The directory of a job: AWS's ``/opt/ml`` below it, and ``/opt/ml`` rewritten in what the job is given."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from sagemaker_local.jobs.clients import SECRET_KEY, access_key
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.reaper import MARKER

ROOT = "/opt/ml"
# The path as a whole: neither `s3://bucket/opt/ml` nor `/opt/mlflow`. `file://` may stand before it.
_TOKEN = re.compile(r"(?:(?<![\w./-])|(?<=file://))/opt/ml(?![\w.-])")
_SCRIPT = re.compile(r"/opt/ml/[\w./-]+\.sh\b")
# What a process needs of this machine. Credentials and settings of the real AWS are not among it.
_KEPT = (
    *("PATH", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    # Where packages of a requirements.txt come from.
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "PIP_FIND_LINKS", "PIP_NO_INDEX", "UV_DEFAULT_INDEX"),
    *("UV_INDEX_URL", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy"),
)
MAX_MESSAGE = 1024


class Layout:
    """The files of one job.

    Attributes:
        directory: everything of the job.
        ml: what the job sees as ``/opt/ml``.
        temporary: its TMPDIR and HOME.
        rewriting: whether ``/opt/ml`` is rewritten; not where the job sees the directory there anyway.
    """

    def __init__(self, directory: Path) -> None:
        """Name the places; nothing is made yet."""
        self.directory = directory
        self.ml = directory / "ml"
        self.temporary = directory / "tmp"
        self.rewriting = True

    def create(self) -> None:
        """Make the directories that every job has."""
        for path in (self.ml / "config", self.ml / "input" / "config", self.ml / "output", self.temporary):
            path.mkdir(parents=True, exist_ok=True)

    def local(self, path: str) -> Path:
        """Return where a container's path lies.

        Raises:
            JobFailedError: it is not below ``/opt/ml``, and there is no container that would give it a place.
        """
        parts = Path(path).parts
        if not path.startswith(f"{ROOT}/") or ".." in parts:
            raise JobFailedError(
                f"ClientError: LocalPath {path} is not below {ROOT}/. Without containers only that tree has a place; "
                f"use {ROOT}/processing/..."
            )
        return self.ml / Path(path).relative_to(ROOT)

    def rewrite(self, value: Any) -> Any:
        """Return text, or all text in a document, with ``/opt/ml`` replaced by where it lies."""
        if not self.rewriting:
            return value
        if isinstance(value, str):
            return _TOKEN.sub(lambda _: str(self.ml), value)
        if isinstance(value, dict):
            return {key: self.rewrite(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.rewrite(item) for item in value]
        return value

    def rewrite_scripts(self, command: list[str]) -> None:
        """Rewrite the shell scripts below ``/opt/ml`` that a command names: the SDK writes paths into its own."""
        if not self.rewriting:
            return
        for part in command:
            for path in _SCRIPT.findall(part):
                self.rewrite_file(self.local(path))

    def rewrite_file(self, path: Path) -> None:
        """Rewrite a text file in its place; one that is no UTF-8 text, or not there, is left alone."""
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            return
        rewritten = self.rewrite(text)
        if rewritten != text:
            path.write_text(rewritten, encoding="utf-8")

    def write_json(self, path: str, document: Any) -> None:
        """Write a contract file below ``ml``, rewritten."""
        target = self.ml / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(self.rewrite(document), indent=2))

    def read_message(self, name: str) -> str:
        """Return what the job left in ``output/<name>``, at most 1024 characters, or an empty text."""
        path = self.ml / "output" / name
        try:
            with path.open(errors="replace") as file:
                return file.read(MAX_MESSAGE).strip()
        except (FileNotFoundError, IsADirectoryError):
            return ""

    def environment(
        self, given: dict[str, str], *, endpoint_url: str, region: str, marker: str, role_arn: str = ""
    ) -> dict[str, str]:
        """Return the whole environment of the job's process: nothing of the host's AWS settings gets in."""
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "HOME": str(self.temporary),
            "TMPDIR": str(self.temporary),
            "PYTHONUNBUFFERED": "1",
            # What a job installs is its own: the interpreter may be that of the server.
            "PIP_TARGET": str(self.temporary / "packages"),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            **self.rewrite(given),
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_ACCESS_KEY_ID": access_key(role_arn),
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            MARKER: marker,
        }
