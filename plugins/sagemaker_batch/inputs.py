"""A day's input objects: are they there, are they complete, are they still the same."""

import fnmatch
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sagemaker_batch.errors import InputNotReady
from sagemaker_batch.names import s3_uri, split_s3_uri
from sagemaker_batch.use_case import Ready


@dataclass(frozen=True)
class InputObject:
    """One object of the day. Size in bytes; the version id is empty in a bucket without versioning."""

    key: str
    size: int
    etag: str
    version_id: str
    modified: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as XCom and records carry it."""
        return asdict(self)


def list_input(client: Any, prefix: str) -> list[InputObject]:
    """Return the objects below `s3://bucket/prefix/`, by key, with their versions.

    Raises:
        InputNotReady: an object vanished between listing and looking.
    """
    bucket, path = split_s3_uri(prefix)
    found = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=path):
        for item in page.get("Contents", []):
            if item["Key"].endswith("/"):
                continue  # what consoles write for an empty folder
            try:
                head = client.head_object(Bucket=bucket, Key=item["Key"])
            except client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NotFound"}:
                    raise
                raise InputNotReady(
                    f"{s3_uri(bucket, item['Key'])} was deleted while the day's input was read. Is its sender at work?"
                ) from error
            found.append(
                InputObject(
                    key=item["Key"],
                    size=head["ContentLength"],
                    etag=head["ETag"].strip('"'),
                    version_id=head.get("VersionId", ""),
                    modified=head["LastModified"].isoformat(),
                )
            )
    return sorted(found, key=lambda item: item.key)


def why_not_ready(objects: list[InputObject], prefix: str, ready: Ready, now: datetime) -> str:  # noqa: PLR0911 - one answer a rule
    """Return why the day is not complete by the use case's rule; empty when it is."""
    if not objects:
        return f"there is no object below {prefix}"
    names = [item.key.rsplit("/", 1)[-1] for item in objects]
    if ready.success_object is not None:
        if ready.success_object not in names:
            return f"{prefix} has {len(objects)} object(s), and {ready.success_object} is not among them"
        if len(objects) == 1:
            return f"{prefix} has {ready.success_object} and no data"
        return ""
    for pattern in ready.files or []:
        if not fnmatch.filter(names, pattern):
            return f"no object below {prefix} matches {pattern!r}; there: {', '.join(names[:5])}"
    newest = max(datetime.fromisoformat(item.modified) for item in objects)
    if now - newest < timedelta(seconds=ready.quiet_seconds):
        return f"an object below {prefix} changed at {newest.isoformat()}, less than {ready.quiet_seconds} s ago"
    return ""


def data_objects(objects: list[InputObject], ready: Ready) -> list[InputObject]:
    """Leave out the marker that says the day is complete."""
    return [item for item in objects if item.key.rsplit("/", 1)[-1] != ready.success_object]


def check_unchanged(pinned: list[dict[str, Any]], now: list[InputObject], prefix: str) -> None:
    """Compare the objects that the run pinned with those that lie there now.

    Raises:
        InputNotReady: one changed, vanished or came after the run had begun.
    """
    before = {item["key"]: (item["etag"], item["version_id"]) for item in pinned}
    after = {item.key: (item.etag, item.version_id) for item in now}
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    if changed:
        kinds = [
            f"{key} ({'is new' if key not in before else 'was deleted' if key not in after else 'was replaced'})"
            for key in changed[:5]
        ]
        raise InputNotReady(
            f"The input below {prefix} changed while the run was at work: {', '.join(kinds)}. What was scored is not "
            "what lies there, so nothing is published. Make the sender finish first (`ready` in the use case), then "
            "run the day again."
        )
