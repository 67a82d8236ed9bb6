"""Archives that a job is given: unpacked below one directory, and nowhere else."""

from __future__ import annotations

import tarfile
from pathlib import Path

from sagemaker_local.jobs.errors import JobFailedError

MAX_BYTES = 10 * 1024**3
MAX_MEMBERS = 100_000


def extract(archive: Path, target: Path, name: str) -> None:
    """Unpack a tar archive (gzip or not).

    Args:
        archive: the file.
        target: the directory, made when needed.
        name: how a person knows the archive.

    Raises:
        JobFailedError: it is no archive, a member leads out of the directory, or it is larger than the limits.
    """
    target.mkdir(parents=True, exist_ok=True)
    size = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for number, member in enumerate(tar):
                size += member.size
                if size > MAX_BYTES or number >= MAX_MEMBERS:
                    raise JobFailedError(
                        f"ClientError: {name} unpacks to more than {MAX_BYTES >> 30} GiB or {MAX_MEMBERS} files."
                    )
                tar.extract(member, target, filter="data")
    except tarfile.FilterError as error:
        raise JobFailedError(f"ClientError: {name} holds a member that is refused: {error}") from error
    except (tarfile.TarError, OSError, EOFError) as error:
        raise JobFailedError(f"ClientError: {name} is no readable tar archive: {error}") from error
