"""The bucket, and what deployment puts into it: scripts, wheels, and the record of what was deployed."""

import json
from collections.abc import Callable
from typing import Any

from include.infrastructure.code import code_files
from include.infrastructure.compiled import Compiled
from include.infrastructure.differences import between
from include.infrastructure.policies import document_of, policy
from include.infrastructure.site import Change, Outcome, Site, find
from include.infrastructure.wheelhouse import WHEELHOUSE, wheels, wheels_digest
from sagemaker_batch import names, records

# Whatever a job leaves for good lies elsewhere; former versions and broken uploads cost and help nobody after this.
FORMER_VERSION_DAYS, BROKEN_UPLOAD_DAYS = 90, 7
CLOSED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


def encryption(site: Site) -> dict[str, Any]:
    """Return the encryption that objects get by default: the environment's key, or S3's own."""
    key = site.environment.kms_key
    rule: dict[str, Any] = {"SSEAlgorithm": "AES256"}
    if key:
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": bool(key)}]}


def lifecycle() -> dict[str, Any]:
    """Return the rules by which S3 tidies up by itself; no current object ever expires."""
    return {
        "Rules": [
            {
                "ID": "former-versions",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": FORMER_VERSION_DAYS},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": BROKEN_UPLOAD_DAYS},
            }
        ]
    }


def bucket(site: Site) -> Change:
    """Make the bucket: versioned (input is pinned by version), encrypted, closed to the public, reached by TLS only."""
    name, s3, environment = site.environment.bucket, site.s3, site.environment
    outcome: Outcome = "unchanged"
    if find(lambda: s3.head_bucket(Bucket=name)) is None:
        if not site.act:
            return Change("created", "bucket", name)
        # The one region that must not be named.
        elsewhere = environment.region != "us-east-1"
        place = {"CreateBucketConfiguration": {"LocationConstraint": environment.region}} if elsewhere else {}
        s3.create_bucket(Bucket=name, **place)
        outcome = "created"
    details: list[str] = []
    for what, present, wanted, put in _settings(site):
        lines = between(present, wanted)
        if not lines:
            continue
        details += [f"{what}: {line}" for line in lines]
        if site.act:
            put()
    if details and outcome == "unchanged":
        outcome = "updated"
    return Change(outcome, "bucket", name, tuple(details) if outcome == "updated" else ())


def _settings(site: Site) -> list[tuple[str, Any, Any, Callable[[], Any]]]:
    """Return what the bucket has and should have, and how to set it: versioning to policy, and the tags of its cost."""
    name, s3 = site.environment.bucket, site.s3
    allowed = policy("bucket", site.environment, site.use_cases)
    encrypted = find(lambda: s3.get_bucket_encryption(Bucket=name)) or {}
    access = find(lambda: s3.get_public_access_block(Bucket=name)) or {}
    rules = find(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name)) or {}
    attached = find(lambda: s3.get_bucket_policy(Bucket=name)) or {}
    tagged = find(lambda: s3.get_bucket_tagging(Bucket=name)) or {}
    tags = {item["Key"]: item["Value"] for item in tagged.get("TagSet", [])}
    # Put as a whole: those of others, CloudFormation's among them, go with ours.
    together = {**tags, **site.environment.tags}
    sealed = [
        item.get("ApplyServerSideEncryptionByDefault")
        for item in encrypted.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    ]
    wanted = [item["ApplyServerSideEncryptionByDefault"] for item in encryption(site)["Rules"]]
    return [
        (
            "versioning",
            s3.get_bucket_versioning(Bucket=name).get("Status"),
            "Enabled",
            lambda: s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"}),
        ),
        (
            "encryption",
            sealed,
            wanted,
            lambda: s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=encryption(site)),
        ),
        (
            "public access",
            access.get("PublicAccessBlockConfiguration"),
            CLOSED,
            lambda: s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=CLOSED),
        ),
        (
            "lifecycle",
            rules.get("Rules", []),
            lifecycle()["Rules"],
            lambda: s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=lifecycle()),
        ),
        (
            "policy",
            document_of(attached.get("Policy", "{}")),
            allowed,
            lambda: s3.put_bucket_policy(Bucket=name, Policy=json.dumps(allowed)),
        ),
        (
            "tags",
            tags,
            together,
            lambda: s3.put_bucket_tagging(
                Bucket=name,
                Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in sorted(together.items())]},
            ),
        ),
    ]


def code(site: Site, item: Compiled) -> Change:
    """Upload the scripts under their digest; what is there is never changed."""
    prefix, files = names.code_prefix(item.code_digest), code_files(item.engine, item.use_case.name)
    return _upload(site, "code", prefix, {name: lambda name=name: files[name] for name in files})  # type: ignore[misc]


def wheelhouse(site: Site) -> Change:
    """Upload the wheels that the bundled monitor installs, under the digest of their versions."""
    found = wheels()
    prefix = f"{WHEELHOUSE}/{wheels_digest()}/"
    return _upload(site, "wheelhouse", prefix, {name: path.read_bytes for name, path in found.items()})


def record(site: Site, key: str, body: bytes) -> Change:
    """Write what was deployed, for the views that cannot read the DAGs' folder."""
    place = {"Bucket": site.environment.bucket, "Key": key}
    found = find(lambda: site.s3.get_object(**place))
    if found is not None and found["Body"].read() == body:
        return Change("unchanged", "record", key)
    if site.act:
        site.s3.put_object(**place, Body=body, ContentType="application/json")
    return Change("created" if found is None else "updated", "record", key)


def shared_record(site: Site, key: str, entries: dict[str, Any]) -> Change:
    """Write the entries into a record that several deployments share; those of others stay as they are.

    The object is put only over the one that was read, and read again when another deployment was quicker.
    """
    bucket = site.environment.bucket
    while True:
        found = find(lambda: records.read(site.s3, bucket, key))
        present = found.content["use_cases"] if found else {}
        if {**present, **entries} == present:
            return Change("unchanged", "record", key)
        content = {"version": 1, "use_cases": {**present, **entries}}
        if not site.act or _put(site, key, content, found):
            return Change("updated" if found else "created", "record", key)


def _put(site: Site, key: str, content: dict[str, Any], found: records.Stored | None) -> bool:
    if found is None:
        return records.create(site.s3, site.environment.bucket, key, content)
    return records.replace(site.s3, site.environment.bucket, key, content, found.etag)


def _upload(site: Site, kind: str, prefix: str, files: dict[str, Callable[[], bytes]]) -> Change:
    found = keys(site, prefix)
    missing = [name for name in files if prefix + name not in found]
    if site.act:
        for name in missing:
            site.s3.put_object(Bucket=site.environment.bucket, Key=prefix + name, Body=files[name]())
    if not missing:
        return Change("unchanged", kind, prefix)
    return Change("created" if len(missing) == len(files) else "updated", kind, prefix)


def keys(site: Site, prefix: str) -> set[str]:
    """Return the keys below a prefix; none where there is no bucket."""

    def listed() -> set[str]:
        pages = site.s3.get_paginator("list_objects_v2").paginate(Bucket=site.environment.bucket, Prefix=prefix)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    return find(listed) or set()
