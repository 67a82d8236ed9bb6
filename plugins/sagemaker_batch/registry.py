"""The model registry: which version scores, where its baselines lie, who approved it when.

Plain boto3 through a client that is handed in, because three readers share it: the DAG's resolve_model, the Lambda
function of the batch pipeline (its zip carries this file) and the laptop's demo.
`python -m sagemaker_batch.registry approve <arn>` approves a version by hand, and `reject <arn>` takes one back.
"""

import argparse
import getpass
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

APPROVE_COMMAND = "python -m sagemaker_batch.registry approve"
REJECT_COMMAND = "python -m sagemaker_batch.registry reject"
# Customer metadata of an approval: when, and by whom.
APPROVAL = ("ApprovedAt", "ApprovedBy")
# Who approved, when it was no person of the console or the command line.
RULE, AIRFLOW_USER = "rule", "airflow/"
PENDING, APPROVED, REJECTED = "PendingManualApproval", "Approved", "Rejected"
# Values of CustomerMetadataProperties: [\p{L}\p{Z}\p{N}_.:/=+\-@]*, at most 256 characters.
METADATA_LIMIT = 256
METADATA_KEYS = 50
DESCRIPTION_LIMIT = 1024
SHOWN = 5


class RegistryError(Exception):
    """The registry's answer cannot be used; the message says which version, what is missing and what to do."""


class AlreadyDecided(RegistryError):  # noqa: N818 - the field's word
    """The version was approved or rejected before."""


class NoApprovedModel(RegistryError):  # noqa: N818 - the field's word; it is an answer as much as an error
    """No version of the group may score."""


@dataclass(frozen=True)
class ModelVersion:
    """One model package version. URIs are empty where the version carries none."""

    arn: str
    group: str
    version: int
    status: str
    model_name: str
    statistics_uri: str
    constraints_uri: str
    feature_schema_uri: str
    evaluation_uri: str
    training_data_uri: str
    execution_arn: str
    created: datetime
    approved_at: datetime | None
    approved_by: str
    quality_statistics_uri: str = ""
    quality_constraints_uri: str = ""

    @property
    def decided_in_airflow(self) -> bool:
        """Whether a reviewer in Airflow or the rule approved it, in a run that tells of it itself."""
        return self.approved_by == RULE or self.approved_by.startswith(AIRFLOW_USER)

    def as_event(self) -> dict[str, Any]:
        """Return what the asset event of its approval carries."""
        return {
            "model_package_arn": self.arn,
            "model_package_version": self.version,
            "approved_by": self.approved_by or "somebody outside Airflow",
        }

    def missing(self) -> list[str]:
        """Name what a version needs to score and be monitored, and this one lacks."""
        needed = {
            "DriftCheckBaselines.ModelDataQuality.Statistics": self.statistics_uri,
            "DriftCheckBaselines.ModelDataQuality.Constraints": self.constraints_uri,
            "CustomerMetadataProperties.FeatureSchemaUri": self.feature_schema_uri,
            "CustomerMetadataProperties.ModelName": self.model_name,
        }
        return [name for name, value in needed.items() if not value]


def latest_approved(client: Any, group: str) -> ModelVersion:
    """Return the newest approved version by creation time.

    Raises:
        NoApprovedModel: the group has none, or does not exist.
        RegistryError: it lacks baselines or a feature schema.
    """
    for summary in _summaries(client, group, "Approved"):
        return complete(describe(client, summary["ModelPackageArn"]))
    raise NoApprovedModel(_none_approved(client, group, f"No approved model in model package group {group!r}."))


def as_of(client: Any, group: str, moment: datetime) -> ModelVersion:
    """Return the newest version that was approved by the moment (time-zone aware) and still is.

    Raises:
        NoApprovedModel: none was.
        RegistryError: it lacks baselines or a feature schema.
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; the registry's times are absolute")
    for summary in _summaries(client, group, "Approved"):
        version = describe(client, summary["ModelPackageArn"])
        if version.approved_at is not None and version.approved_at <= moment:
            return complete(version)
    what = f"No version of model package group {group!r} was approved by {moment.isoformat()}."
    raise NoApprovedModel(_none_approved(client, group, what))


def resolve(client: Any, group: str, package_arn: str = "") -> ModelVersion:
    """Return the pinned version, or the latest approved one when the ARN is empty.

    Raises:
        NoApprovedModel: nothing is pinned and none is approved, or the pinned one is not approved.
        RegistryError: the pinned one does not exist, belongs to another group, or lacks what scoring needs.
    """
    if not package_arn:
        return latest_approved(client, group)
    version = describe(client, package_arn)
    if version.group != group:
        raise RegistryError(
            f"{package_arn} belongs to model package group {version.group!r}, not to {group!r}. "
            "Pin a version of the use case's own group."
        )
    if version.status != "Approved":
        raise NoApprovedModel(
            f"Version {version.version} of {group!r} is pinned, and its status is {version.status}. "
            f"Approve it (`{APPROVE_COMMAND} {package_arn}`) or pin another."
        )
    return complete(version)


def describe(client: Any, arn: str) -> ModelVersion:
    """Return one version, whatever its state.

    Raises:
        RegistryError: there is no such version.
    """
    try:
        answer = client.describe_model_package(ModelPackageName=arn)
    except client.exceptions.ClientError as error:
        if _not_found(error):
            raise RegistryError(
                f"There is no model package {arn}. List a group's versions and pin one of them."
            ) from error
        raise
    properties = answer.get("CustomerMetadataProperties", {})
    every = answer.get("DriftCheckBaselines", {})
    baselines, quality = every.get("ModelDataQuality", {}), every.get("ModelQuality", {})
    return ModelVersion(
        arn=answer["ModelPackageArn"],
        group=answer.get("ModelPackageGroupName", ""),
        version=int(answer.get("ModelPackageVersion", 0)),
        status=answer.get("ModelApprovalStatus", ""),
        model_name=properties.get("ModelName", ""),
        statistics_uri=baselines.get("Statistics", {}).get("S3Uri", ""),
        constraints_uri=baselines.get("Constraints", {}).get("S3Uri", ""),
        feature_schema_uri=properties.get("FeatureSchemaUri", ""),
        evaluation_uri=properties.get("EvaluationUri", ""),
        training_data_uri=properties.get("TrainingDataUri", ""),
        execution_arn=properties.get("PipelineExecutionArn", ""),
        created=answer["CreationTime"],
        approved_at=_approved_at(answer, properties),
        approved_by=properties.get("ApprovedBy", ""),
        quality_statistics_uri=quality.get("Statistics", {}).get("S3Uri", ""),
        quality_constraints_uri=quality.get("Constraints", {}).get("S3Uri", ""),
    )


def pending_after(client: Any, group: str, moment: datetime) -> str:
    """Return the newest version that is pending and was created after the moment; empty when there is none."""
    for summary in _summaries(client, group, PENDING):
        return str(summary["ModelPackageArn"]) if summary["CreationTime"] > moment else ""
    return ""


def complete(version: ModelVersion) -> ModelVersion:
    """Return the version itself when it can score and be monitored.

    Raises:
        RegistryError: naming what it lacks.
    """
    missing = version.missing()
    if missing:
        raise RegistryError(
            f"Version {version.version} of {version.group!r} ({version.arn}) lacks {', '.join(missing)}. "
            "It was probably not registered by the training pipeline. Run the training DAG and approve the version "
            "that it registers, or pin an older complete version."
        )
    return version


def constraints_of(version: ModelVersion, given: str = "") -> str:
    """Return the constraints that a run checks by: those given, which lie beside the version's own, or its own.

    Raises:
        RegistryError: those given belong to another version.
    """
    if given and not given.startswith(version.constraints_uri.rpartition("/")[0] + "/"):
        raise RegistryError(
            f"ConstraintsUri is {given}, which does not lie beside the constraints of version {version.version} of "
            f"{version.group!r} ({version.constraints_uri}). Leave it empty, or pin the version that they belong to."
        )
    return given or version.constraints_uri


def approve(client: Any, arn: str, description: str, by: str = "") -> ModelVersion:
    """Approve a version and record when and by whom, which AWS itself does not keep.

    A version that is approved already keeps its first time. Characters that AWS refuses in a name become underscores.

    Raises:
        RegistryError: there is no such version, or it lacks what scoring needs.
    """
    version = complete(describe(client, arn))
    return version if version.status == APPROVED else _record(client, arn, APPROVED, description, by=by)


def reject(client: Any, arn: str, description: str, by: str = "") -> ModelVersion:
    """Reject a version, also one that was approved: the next run resolves the newest that still is.

    When and by whom it had been approved is removed with the approval.

    Raises:
        RegistryError: there is no such version.
    """
    version = describe(client, arn)
    return version if version.status == REJECTED else _record(client, arn, REJECTED, description, by=by)


def decide(client: Any, arn: str, status: str, description: str, *, by: str, run: str) -> ModelVersion:
    """Record a review's answer on a version that nobody has decided; the same run may repeat its own answer.

    Raises:
        AlreadyDecided: somebody else has answered, or the same run has answered otherwise.
        RegistryError: there is no such version, or it lacks what scoring needs.
    """
    version = describe(client, arn)
    if status == APPROVED:
        complete(version)
    if version.status == PENDING:
        return _record(client, arn, status, description, by=by, run=run)
    properties = client.describe_model_package(ModelPackageName=arn).get("CustomerMetadataProperties", {})
    if version.status == status and properties.get("ReviewRun") == metadata_value(run):
        return version
    who = properties.get("DecidedBy") or properties.get("ApprovedBy") or "somebody outside Airflow"
    raise AlreadyDecided(
        f"Version {version.version} of {version.group!r} is {version.status} already, by {who}; an answer is given "
        f"once, so {status} was not recorded. To change it on purpose: `{REJECT_COMMAND} {arn}` or "
        f"`{APPROVE_COMMAND} {arn}`."
    )


def _record(client: Any, arn: str, status: str, description: str, *, by: str, run: str = "") -> ModelVersion:
    properties = client.describe_model_package(ModelPackageName=arn).get("CustomerMetadataProperties", {})
    now, who = datetime.now(UTC).isoformat(timespec="milliseconds"), metadata_value(by or _current_user())
    added = {"DecidedAt": now, "DecidedBy": who}
    if status == APPROVED:
        added |= dict(zip(APPROVAL, (now, who), strict=True))
    if run:
        added["ReviewRun"] = metadata_value(run)
    # A rejected version that is approved again elsewhere must not be taken for approved all the while (as_of).
    stale = [name for name in APPROVAL if status == REJECTED and name in properties]
    # All that stay, so that it does not matter whether the service merges or replaces.
    merged = {**{name: value for name, value in properties.items() if name not in stale}, **added}
    if len(merged) > METADATA_KEYS:
        raise RegistryError(
            f"{arn} carries {len(properties)} keys of customer metadata, and a decision needs {len(added)} of the "
            f"{METADATA_KEYS} that there may be. Remove some (UpdateModelPackage, CustomerMetadataPropertiesToRemove)."
        )
    client.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus=status,
        ApprovalDescription=one_line(description),
        CustomerMetadataProperties=merged,
        **({"CustomerMetadataPropertiesToRemove": stale} if stale else {}),
    )
    return describe(client, arn)


def one_line(text: str) -> str:
    """Return the text as ApprovalDescription takes it: one line, at most 1,024 characters."""
    flat = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    return flat if len(flat) <= DESCRIPTION_LIMIT else flat[: DESCRIPTION_LIMIT - 3] + "..."


def metadata_value(text: str) -> str:
    """Return the text as CustomerMetadataProperties accept it."""
    return re.sub(r"[^\w .:/=+\-@]", "_", text)[:METADATA_LIMIT]


def _current_user() -> str:
    """Return who runs this process, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return "unknown"


def _summaries(client: Any, group: str, status: str) -> Iterator[dict[str, Any]]:
    # Newest first must be asked for: the service's default order is ascending. A page may be empty and yet have a next.
    pages = client.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, ModelApprovalStatus=status, SortBy="CreationTime", SortOrder="Descending"
    )
    try:
        for page in pages:
            yield from page["ModelPackageSummaryList"]
    except client.exceptions.ClientError as error:
        if _not_found(error):
            raise NoApprovedModel(
                f"Model package group {group!r} does not exist. Deploy the environment (`make deploy ACTION=apply`), "
                "then run the training DAG."
            ) from error
        raise


def _approved_at(answer: dict[str, Any], properties: dict[str, str]) -> datetime | None:
    if answer.get("ModelApprovalStatus") != "Approved":
        return None
    recorded = properties.get("ApprovedAt", "")
    try:
        moment = datetime.fromisoformat(recorded)
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is not None:
        return moment
    # Approved in the console, say: it was approved at its last change at the latest.
    return answer.get("LastModifiedTime") or answer["CreationTime"]


def _none_approved(client: Any, group: str, what: str) -> str:
    pending = list(_summaries(client, group, "PendingManualApproval"))
    if not pending:
        return f"{what} None is pending either: run the training DAG."
    shown = "; ".join(
        f"version {item.get('ModelPackageVersion')} of {item['CreationTime']:%Y-%m-%d %H:%M}"
        for item in pending[:SHOWN]
    )
    more = f" and {len(pending) - SHOWN} older" if len(pending) > SHOWN else ""
    newest = pending[0]["ModelPackageArn"]
    return f"{what} Pending: {shown}{more}. Approve the newest with `{APPROVE_COMMAND} {newest}`."


def _not_found(error: Any) -> bool:
    said = error.response.get("Error", {})
    gone = said.get("Code") in {"ResourceNotFound", "ResourceNotFoundException"}
    return gone or (said.get("Code") == "ValidationException" and "does not exist" in said.get("Message", ""))


def main(arguments: list[str] | None = None) -> int:
    """Approve or reject a version from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sagemaker_batch.registry", description="The model registry by hand."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, said, call, about in (
        ("approve", APPROVED, approve, "approve a model package version and record when and by whom"),
        (
            "reject",
            REJECTED,
            reject,
            "reject a version, also an approved one: the next run uses the newest that is left",
        ),
    ):
        verb = verbs.add_parser(name, help=about)
        verb.add_argument("arn", help="ARN of the model package version")
        verb.add_argument("--description", default=f"{said} by hand", help="why; kept with the version")
        verb.add_argument("--by", default="", help="who decides (default: the user of this process)")
        verb.set_defaults(call=call)
    given = parser.parse_args(arguments)
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        version = given.call(boto3.client("sagemaker"), given.arn, given.description, given.by)
    except (RegistryError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    moment = f" ({version.approved_at})" if version.approved_at else ""
    sys.stdout.write(f"Version {version.version} of {version.group} is {version.status.lower()}{moment}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
