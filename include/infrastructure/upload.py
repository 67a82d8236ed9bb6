"""Putting a bundle into the bucket that Amazon MWAA reads: only what differs, and nothing of others is removed."""

import hashlib
import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

from include.infrastructure.environment import Environment, EnvironmentFileError

# What the upload before this one put there, so that a DAG file that is gone here goes there too.
RECORD = "sagemaker-batch-bundle.json"
SETTINGS = {"plugins.zip": "plugins-s3", "requirements.txt": "requirements-s3", "startup.sh": "startup-script-s3"}
SUM = "sha256"


def upload(environment: Environment, files: dict[str, bytes]) -> dict[str, str]:
    """Upload the files and print what a person does next; returns the versions that are new, by file.

    Raises:
        EnvironmentFileError: the environment names no bucket of MWAA, or one that keeps no versions.
    """
    if environment.mwaa is None:
        raise EnvironmentFileError(
            f"The environment {environment.name!r} names no MWAA. Add `mwaa: {{bucket: ..., environment: ...}}` to "
            f"include/infrastructure/environments/{environment.name}.yaml."
        )
    s3: Any = boto3.Session(region_name=environment.region).client("s3")
    bucket = environment.mwaa.bucket
    try:
        _check_versions(s3, bucket)
        before = _record(s3, bucket)
        versions: dict[str, str] = {}
        former: dict[str, str] = {}
        standing: dict[str, str] = {}
        for name, content in sorted(files.items()):
            digest = hashlib.sha256(content).hexdigest()
            head = _head(s3, bucket, name)
            if head is not None and head["Metadata"].get(SUM) == digest:
                standing[name] = head["VersionId"]
                continue
            if head is not None:
                former[name] = head.get("VersionId", "")
            answer = s3.put_object(Bucket=bucket, Key=name, Body=content, Metadata={SUM: digest})
            versions[name] = answer["VersionId"]
            print(f"{'changed' if head else 'new    '}  s3://{bucket}/{name}")
        for name in sorted(set(before) - set(files)):
            s3.delete_object(Bucket=bucket, Key=name)
            print(f"removed  s3://{bucket}/{name}")
        s3.put_object(Bucket=bucket, Key=RECORD, Body=json.dumps(sorted(files)).encode())
    finally:
        s3.close()
    _tell(environment.mwaa.environment, environment.region, versions, former, standing)
    return versions


def _check_versions(s3: Any, bucket: str) -> None:
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        raise EnvironmentFileError(
            f"The bucket {bucket} keeps no versions, and MWAA takes plugins.zip by its version. Nothing was uploaded. "
            f"Switch them on (aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration "
            "Status=Enabled), and upload again."
        )


def _tell(name: str, region: str, versions: dict[str, str], former: dict[str, str], standing: dict[str, str]) -> None:
    if not versions:
        print("Nothing differed.")
    taken = {file: version for file, version in versions.items() if file in SETTINGS}
    if not taken:
        print("MWAA reads dags/ by itself within a minute; nothing else is to do.")
        if present := {file: version for file, version in standing.items() if file in SETTINGS}:
            print("Where MWAA has not taken yet what an earlier upload put there:")
            print(f"  {_command(name, region, present)}")
        return
    print("plugins.zip, requirements.txt and startup.sh take effect with an update (20-30 minutes; tasks are ended):")
    print(f"  {_command(name, region, taken)}")
    if any(former.get(file) for file in taken):
        print("Back to what was there before, should it be needed:")
        print(f"  {_command(name, region, {file: former[file] for file in taken if former.get(file)})}")


def _command(name: str, region: str, versions: dict[str, str]) -> str:
    # MWAA takes a version together with its path only, and the first time it knows neither.
    options = " ".join(
        f"--{SETTINGS[file]}-path {file} --{SETTINGS[file]}-object-version {version}"
        for file, version in sorted(versions.items())
    )
    return f"aws mwaa update-environment --name {name} --region {region} {options}"


def _head(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    try:
        return s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return None
        raise


def _record(s3: Any, bucket: str) -> list[str]:
    try:
        return json.loads(s3.get_object(Bucket=bucket, Key=RECORD)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return []
        raise
