"""Looking into S3: what lies below a prefix, and the beginning of a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from sagemaker_local.console.markup import Html, join, link, moment, page, table, tag
from sagemaker_local.jobs.clients import Clients

_KEYS = 500
_BYTES = 256 * 1024


def uri_link(text: Any) -> Html:
    """Return a text, as a link when it is an S3 URI."""
    shown = str(text)
    if not shown.startswith("s3://"):
        return join(shown)
    bucket, _, key = shown.removeprefix("s3://").partition("/")
    return link(shown, "s3", bucket, key) if bucket else join(shown)


def place(clients: Clients, bucket: str, key: str) -> Html:
    """Return the page of an object, or of a prefix when there is none of that key."""
    if key and not key.endswith("/"):
        shown = _object(clients, bucket, key)
        if shown is not None:
            return shown
    return _prefix(clients, bucket, key)


def _object(clients: Clients, bucket: str, key: str) -> Html | None:
    try:
        answer = clients.get("s3").get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_BYTES - 1}")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 416:  # it is empty
            return page(f"s3://{bucket}/{key}", tag("p", "The object is empty."))
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise
    body: bytes = answer["Body"].read()
    size = int(answer.get("ContentRange", f"/{len(body)}").rpartition("/")[2])
    try:
        text = body.decode() if size <= _BYTES else body.decode(errors="ignore")
    except UnicodeDecodeError:
        text = ""
    parts: list[Any] = [tag("p", f"{size:,} bytes")]
    if size > _BYTES:
        parts.append(tag("p", f"The first {_BYTES:,} bytes:"))
    parts.append(
        tag("pre", text, tabindex="0", role="region", aria_label="Content") if text else tag("p", "It is no text.")
    )
    return page(f"s3://{bucket}/{key}", _up(bucket, key), *parts)


def _prefix(clients: Clients, bucket: str, prefix: str) -> Html:
    request = {"Bucket": bucket, "Prefix": prefix, "Delimiter": "/", "MaxKeys": _KEYS}
    answer = clients.get("s3").list_objects_v2(**request)
    rows = [[link(each["Prefix"], "s3", bucket, each["Prefix"]), "", ""] for each in answer.get("CommonPrefixes", [])]
    rows += [
        [link(each["Key"], "s3", bucket, each["Key"]), f"{each['Size']:,}", moment(each["LastModified"].timestamp())]
        for each in answer.get("Contents", [])
    ]
    more = tag("p", f"Only the first {_KEYS} are shown.") if answer.get("IsTruncated") else None
    head = ["Key", "Bytes", "Last modified"]
    return page(
        f"s3://{bucket}/{prefix}", _up(bucket, prefix), table("Objects", head, rows, "Nothing lies here."), more
    )


def _up(bucket: str, key: str) -> Html:
    """Return links to the prefixes above."""

    def parts() -> Iterator[Html]:
        yield link(bucket, "s3", bucket, "")
        names = key.rstrip("/").split("/")[:-1]
        for number, name in enumerate(names, 1):
            yield join(" / ")
            yield link(name, "s3", bucket, "/".join(names[:number]) + "/")

    return tag("nav", *parts(), aria_label="Prefixes above")
