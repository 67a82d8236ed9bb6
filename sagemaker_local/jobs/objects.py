"""S3 on one side, files of a job on the other."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_local import crash
from sagemaker_local.jobs.errors import JobFailedError

_WORKERS = 8
_TRANSFER = TransferConfig(use_threads=False)


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI.

    Raises:
        JobFailedError: it is none.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise JobFailedError(f"ClientError: {uri!r} is no S3 URI; write s3://<bucket>/<key or prefix>.")
    return bucket, key


def relative(key: str, prefix: str) -> str:
    """Return the path below the target that an object of a prefix gets.

    As at AWS a prefix is a beginning of keys, no folder: ``data/train`` means ``data/train/a.csv`` (which becomes
    ``a.csv``) and also ``data/train.csv`` (which becomes ``train.csv``).
    """
    rest = key[len(prefix) :]
    if prefix == "" or prefix.endswith("/") or rest.startswith("/"):
        return rest.lstrip("/")
    return key[prefix.rfind("/") + 1 :]


def below(directory: Path, path: str) -> Path:
    """Return where a path of S3 lies below a directory.

    Raises:
        JobFailedError: it leads out of it. In S3 ``../x`` is a name like any other; in a file system it is not.
    """
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/") or "\0" in path:
        raise JobFailedError(
            f"ClientError: The key {path!r} leads out of the directory that it is fetched into. Rename the object."
        )
    return directory.joinpath(*parts)


def list_keys(s3: Any, uri: str, role: str, region: str) -> list[str]:
    """Return the keys below a prefix, sorted as S3 sorts them, without folder markers.

    Raises:
        JobFailedError: there are none, or S3 refuses.
    """
    bucket, prefix = split_uri(uri)
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]
    except (ClientError, BotoCoreError) as error:
        raise JobFailedError(f"ClientError: Failed to download data from {uri}: {error}") from error
    if not keys:
        raise JobFailedError(
            f'ClientError: Failed to download data. No S3 objects found under S3 URL "{uri}" given in input data '
            f"source. Please ensure that the bucket exists in the selected region ({region}), that objects exist under "
            f'that S3 prefix, and that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".'
        )
    return keys


def manifest_keys(s3: Any, uri: str) -> list[tuple[str, str]]:
    """Return (URI, relative path) of what a manifest file lists: ``[{"prefix": "s3://..."}, "a.csv", ...]``."""
    document = read_json(s3, uri)
    wrong = JobFailedError(f'ClientError: {uri} is no manifest; it should be [{{"prefix": "s3://b/p/"}}, "key", ...].')
    if not isinstance(document, list) or not document or not isinstance(document[0], dict):
        raise wrong
    prefix = document[0].get("prefix")
    if not isinstance(prefix, str) or not all(isinstance(entry, str) for entry in document[1:]):
        raise wrong
    return [(prefix + entry, entry) for entry in document[1:]]


def read_json(s3: Any, uri: str) -> Any:
    """Return the parsed content of a JSON object.

    Raises:
        JobFailedError: it is not there or no JSON.
    """
    bucket, key = split_uri(uri)
    try:
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except (ClientError, BotoCoreError) as error:
        raise JobFailedError(f"ClientError: {uri} cannot be read: {error}") from error
    except ValueError as error:
        raise JobFailedError(f"ClientError: {uri} is no JSON: {error}") from error


def exists(s3: Any, uri: str) -> bool:
    """Tell whether an object exists."""
    bucket, key = split_uri(uri)
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def download(s3: Any, objects: Iterable[tuple[str, Path]], check: Callable[[], None], *, unzip: bool = False) -> None:
    """Fetch objects, several at a time.

    Args:
        s3: the client.
        objects: URI and target of each.
        check: called before each; raises to end the download.
        unzip: the objects are gzip; write their content (and lose a ``.gz`` of the name).
    """

    def fetch(item: tuple[str, Path]) -> None:
        check()
        crash.point("before a download")
        uri, target = item
        bucket, key = split_uri(uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            s3.download_file(bucket, key, str(target), Config=_TRANSFER)
            if unzip:
                _unzip(target)
        except (ClientError, BotoCoreError, OSError) as error:
            raise JobFailedError(f"ClientError: Failed to download data from {uri}: {error}") from error

    _each(fetch, list(objects))


def _unzip(path: Path) -> None:
    plain = path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.plain")
    with gzip.open(path) as source, plain.open("wb") as target:
        shutil.copyfileobj(source, target)
    path.unlink()
    if path.suffix != ".gz":
        plain.rename(path)


def upload_tree(s3: Any, directory: Path, uri: str) -> None:
    """Put every file below a directory under a prefix, empty files too; S3 knows no empty folders."""
    bucket, prefix = split_uri(uri)
    prefix = prefix.rstrip("/")
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    pairs = []
    for path in files:
        key = str(PurePosixPath(prefix) / path.relative_to(directory).as_posix()) if prefix else None
        pairs.append((path, f"s3://{bucket}/{key or path.relative_to(directory).as_posix()}"))

    def put(item: tuple[Path, str]) -> None:
        upload_file(s3, *item)

    _each(put, pairs)


class Mirror:
    """Puts the files of a directory that changed since the last look under a prefix, while they are written."""

    def __init__(self, s3: Any, directory: Path, uri: str, say: Callable[[str], None]) -> None:
        """Remember what goes where, and whom to tell of what cannot be put."""
        self._s3 = s3
        self._directory = directory
        self._uri = uri.rstrip("/")
        self._say = say
        self._seen: dict[Path, tuple[int, int]] = {}

    def sync(self) -> None:
        """Put what is new; what cannot be put is put with the next look, or at the end of the job."""
        for path in sorted(self._directory.rglob("*")):
            try:
                state = path.stat()
                mark = (state.st_size, state.st_mtime_ns)
                if path.is_file() and self._seen.get(path) != mark:
                    upload_file(self._s3, path, f"{self._uri}/{path.relative_to(self._directory).as_posix()}")
                    self._seen[path] = mark
            except (JobFailedError, OSError) as error:
                self._say(f"Not uploaded yet: {error}")


def upload_file(s3: Any, path: Path, uri: str) -> None:
    """Put one file.

    Raises:
        JobFailedError: S3 refuses.
    """
    bucket, key = split_uri(uri)
    crash.point("before an upload")
    try:
        s3.upload_file(str(path), bucket, key, Config=_TRANSFER)
    except (ClientError, BotoCoreError, OSError) as error:
        raise JobFailedError(f"ClientError: Failed to upload {path.name} to {uri}: {error}") from error
    except Exception as error:  # boto3's S3UploadFailedError derives from its own root
        raise JobFailedError(f"ClientError: Failed to upload {path.name} to {uri}: {error}") from error


def _each(function: Callable[[Any], None], items: list[Any]) -> None:
    if len(items) < 3:
        for item in items:
            function(item)
        return
    with ThreadPoolExecutor(min(_WORKERS, len(items))) as pool:
        for _ in pool.map(function, items):
            pass
