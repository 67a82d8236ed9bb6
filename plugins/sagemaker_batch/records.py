"""JSON objects in S3 that are written once, or replaced only by who has read them: conditional puts and reads."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LOST = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
ABSENT = {"NoSuchKey", "404", "NotFound"}


@dataclass(frozen=True)
class Stored:
    """A JSON object as it was read. The ETag is what a replacement must name."""

    content: Any
    etag: str


def read(client: Any, bucket: str, key: str) -> Stored | None:
    """Return the object, or None when there is none."""
    answer = get(client, bucket, key)
    return Stored(json.loads(answer["Body"].read()), answer["ETag"]) if answer else None


def get(client: Any, bucket: str, key: str) -> dict[str, Any] | None:
    """Return GetObject's answer, whatever the object holds, or None when there is none."""
    try:
        return dict(client.get_object(Bucket=bucket, Key=key))
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise


def create(client: Any, bucket: str, key: str, content: Any) -> bool:
    """Write the object unless there is one; returns whether this call wrote it (If-None-Match: *)."""
    return _put(client, bucket, key, content, IfNoneMatch="*")


def replace(client: Any, bucket: str, key: str, content: Any, etag: str) -> bool:
    """Write the object if it still is what was read; returns whether this call wrote it (If-Match)."""
    return _put(client, bucket, key, content, IfMatch=etag)


def write(client: Any, bucket: str, key: str, content: Any) -> None:
    """Write the object, whatever was there."""
    client.put_object(Bucket=bucket, Key=key, Body=dumps(content), ContentType="application/json")


def keys(client: Any, bucket: str, prefix: str, after: str = "") -> Iterator[tuple[str, datetime]]:
    """Yield key and last change of every object below the prefix, from the first key after `after` on."""
    start = {"StartAfter": after} if after else {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start):
        for item in page.get("Contents", []):
            yield item["Key"], item["LastModified"]


def dumps(content: Any) -> bytes:
    """Return JSON as a person can read it."""
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _put(client: Any, bucket: str, key: str, content: Any, **condition: str) -> bool:
    try:
        client.put_object(Bucket=bucket, Key=key, Body=dumps(content), ContentType="application/json", **condition)
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in LOST | ABSENT:
            return False
        raise
    return True
