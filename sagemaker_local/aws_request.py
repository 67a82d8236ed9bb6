"""Which operation of the rest of AWS a request is: ``s3:PutObject``, ``sqs:SendMessage``, ``lambda:Invoke``.

Read from what the protocols put where anyone can see it: the service in the signature, then the target header, the
Action of a form, or method and path. What cannot be told is ``<service>:?``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/[a-z0-9-]+/([a-z0-9-]+)/")
_KEY = re.compile(r"Credential=([^/,\s]+)/")
_SIGNED_AS = {"monitoring": "cloudwatch", "email": "ses"}
_RPC = re.compile(r"^/service/[^/]+/operation/([A-Za-z0-9]+)$")

# Method and whether there is a key -> (subresource in the query that decides, or None) -> operation.
_S3_SUBRESOURCES = {
    ("GET", False): {
        "list-type": "ListObjectsV2",
        "versions": "ListObjectVersions",
        "uploads": "ListMultipartUploads",
        "location": "GetBucketLocation",
        "encryption": "GetBucketEncryption",
        "lifecycle": "GetBucketLifecycleConfiguration",
        "publicAccessBlock": "GetPublicAccessBlock",
        "versioning": "GetBucketVersioning",
        "policy": "GetBucketPolicy",
        "tagging": "GetBucketTagging",
    },
    ("PUT", False): {
        "versioning": "PutBucketVersioning",
        "policy": "PutBucketPolicy",
        "tagging": "PutBucketTagging",
        "encryption": "PutBucketEncryption",
        "lifecycle": "PutBucketLifecycleConfiguration",
        "publicAccessBlock": "PutPublicAccessBlock",
    },
    ("POST", False): {"delete": "DeleteObjects"},
    ("GET", True): {"tagging": "GetObjectTagging", "uploadId": "ListParts", "acl": "GetObjectAcl"},
    ("PUT", True): {"partNumber": "UploadPart", "tagging": "PutObjectTagging", "acl": "PutObjectAcl"},
    ("POST", True): {"uploads": "CreateMultipartUpload", "uploadId": "CompleteMultipartUpload"},
    ("DELETE", True): {"uploadId": "AbortMultipartUpload", "tagging": "DeleteObjectTagging"},
}
_S3_PLAIN = {
    ("GET", False): "ListObjects",
    ("PUT", False): "CreateBucket",
    ("DELETE", False): "DeleteBucket",
    ("HEAD", False): "HeadBucket",
    ("GET", True): "GetObject",
    ("PUT", True): "PutObject",
    ("DELETE", True): "DeleteObject",
    ("HEAD", True): "HeadObject",
}


def service_of(headers: Any, query: str) -> str:
    """Return the service that a request was signed for; one without a signature is taken for S3's (a plain link)."""
    found = _SCOPE.search(headers.get("authorization", ""))
    if found is None:
        credential = parse_qs(query).get("X-Amz-Credential", [""])[0]
        found = _SCOPE.search(f"Credential={credential}/")
    if found is None:
        return "s3"
    return _SIGNED_AS.get(found.group(1), found.group(1))


def caller_of(headers: Any, query: str) -> str:
    """Return the access key that a request was signed with, ``anonymous`` without one."""
    found = _KEY.search(headers.get("authorization", ""))
    credential = found.group(1) if found else parse_qs(query).get("X-Amz-Credential", [""])[0].partition("/")[0]
    return credential or "anonymous"


def name(service: str, method: str, path: str, *, query: str, headers: Any, form: bytes) -> tuple[str, str]:
    """Return ``<service>:<operation>`` and the S3 key, or the path's last name, that a fault's glob may look at.

    Args:
        service: as `service_of` returns it.
        method: of HTTP.
        path: still percent-encoded.
        query: the query string.
        headers: case-insensitive.
        form: the body, when it is a form.
    """
    if service == "s3":
        return _s3(method, path, query, headers)
    target = headers.get("x-amz-target")
    if target:
        return f"{service}:{target.rpartition('.')[2]}", ""
    action = parse_qs(form.decode("utf-8", "replace")).get("Action") or parse_qs(query).get("Action")
    if action:
        return f"{service}:{action[0]}", ""
    rpc = _RPC.match(path)
    if rpc:
        return f"{service}:{rpc.group(1)}", ""
    return _rest(service, method, path)


def _s3(method: str, path: str, query: str, headers: Any) -> tuple[str, str]:
    bucket, _, key = path.lstrip("/").partition("/")
    host = headers.get("host", "").partition(":")[0]
    if host.endswith(".localhost"):  # the bucket is in the host's name
        bucket, key = host.removesuffix(".localhost"), path.lstrip("/")
    if not bucket:
        return "s3:ListBuckets", ""
    place = (method, bool(key))
    parameters = parse_qs(query, keep_blank_values=True)
    for subresource, operation in _S3_SUBRESOURCES.get(place, {}).items():
        if subresource in parameters:
            return f"s3:{operation}", unquote(key)
    operation = _S3_PLAIN.get(place, "?")
    if "x-amz-copy-source" in headers and operation == "PutObject":
        operation = "CopyObject"
    return f"s3:{operation}", unquote(key)


def _rest(service: str, method: str, path: str) -> tuple[str, str]:
    for operation, verb, pattern in _paths(service):
        if verb == method:
            found = pattern.fullmatch(path)
            if found:
                return f"{service}:{operation}", unquote(found.group(1)) if found.groups() else ""
    return f"{service}:?", ""


@cache
def _paths(service: str) -> list[tuple[str, str, re.Pattern[str]]]:
    try:
        operations = Loader().load_service_model(service, "service-2")["operations"]
    except UnknownServiceError:
        return []
    found = []
    for operation, body in operations.items():
        uri = body["http"].get("requestUri", "/").partition("?")[0]
        pattern = re.sub(r"\\\{\w+\\\+\\\}", "(.+)", re.escape(uri))
        found.append((operation, body["http"]["method"], re.compile(re.sub(r"\\\{\w+\\\}", "([^/]+)", pattern) + "/?")))
    return found
