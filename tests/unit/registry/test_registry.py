from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import ANY, Stubber

from sagemaker_batch import registry

GROUP = "churn-local"
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


def arn(version, group=GROUP):
    return f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{group}/{version}"


def summary(version, created=NOW, status="Approved"):
    return {
        "ModelPackageGroupName": GROUP,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn(version),
        "CreationTime": created,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": status,
    }


def package(version, status="Approved", *, approved_at=None, modified=None, without=(), group=GROUP):
    properties = {"ModelName": f"model-{version}", "FeatureSchemaUri": f"s3://b/{version}/feature_schema.json"}
    if approved_at:
        properties["ApprovedAt"] = approved_at
    body = {
        "ModelPackageName": GROUP,
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn(version, group),
        "CreationTime": NOW,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": status,
        "CustomerMetadataProperties": {key: value for key, value in properties.items() if key not in without},
        "DriftCheckBaselines": {
            "ModelDataQuality": {
                name: {"ContentType": "application/json", "S3Uri": f"s3://b/{version}/{name.lower()}.json"}
                for name in ("Statistics", "Constraints")
                if name not in without
            }
        },
    }
    if modified:
        body["LastModifiedTime"] = modified
    return body


@pytest.fixture
def aws():
    client = boto3.client("sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        stubber.client = client
        yield stubber
        stubber.assert_no_pending_responses()


def listing(aws, *pages, status="Approved"):
    for index, page in enumerate(pages):
        answer = {"ModelPackageSummaryList": page}
        if index < len(pages) - 1:
            answer["NextToken"] = f"t{index}"
        expected = {
            "ModelPackageGroupName": GROUP,
            "ModelApprovalStatus": status,
            "SortBy": "CreationTime",
            "SortOrder": "Descending",
        }
        if index:
            expected["NextToken"] = f"t{index - 1}"
        aws.add_response("list_model_packages", answer, expected)


def described(aws, body):
    aws.add_response("describe_model_package", body, {"ModelPackageName": body["ModelPackageArn"]})


def test_the_latest_is_asked_for_newest_first_and_found_behind_an_empty_page(aws):
    """The first listed of a descending list is taken, even when the service sends an empty page before it."""
    listing(aws, [], [summary(3)])
    described(aws, package(3))
    found = registry.latest_approved(aws.client, GROUP)
    assert (found.version, found.model_name) == (3, "model-3")
    assert found.statistics_uri == "s3://b/3/statistics.json"
    assert found.constraints_uri == "s3://b/3/constraints.json"
    assert found.feature_schema_uri == "s3://b/3/feature_schema.json"


def test_none_approved_names_the_group_the_pending_versions_and_the_command(aws):
    """A person who reads the error knows what to type."""
    listing(aws, [])
    listing(aws, [summary(2, status="PendingManualApproval"), summary(1)], status="PendingManualApproval")
    with pytest.raises(registry.NoApprovedModel) as caught:
        registry.latest_approved(aws.client, GROUP)
    assert "'churn-local'" in str(caught.value)
    assert "version 2 of 2026-03-03 12:00; version 1" in str(caught.value)
    assert f"registry approve {arn(2)}" in str(caught.value)


def test_none_approved_and_none_pending_says_to_train(aws):
    """With an empty group the next step is training, not approving."""
    listing(aws, [])
    listing(aws, [], status="PendingManualApproval")
    with pytest.raises(registry.NoApprovedModel, match="run the training DAG"):
        registry.latest_approved(aws.client, GROUP)


def test_a_group_that_does_not_exist_is_told_apart(aws):
    """Before the first deployment the error says to deploy."""
    aws.add_client_error("list_model_packages", "ValidationException", "ModelPackageGroup churn-local does not exist.")
    with pytest.raises(registry.NoApprovedModel, match="Deploy the environment"):
        registry.latest_approved(aws.client, GROUP)


def test_another_failure_of_the_service_is_not_swallowed(aws):
    """Missing permission is no missing model."""
    aws.add_client_error("list_model_packages", "AccessDeniedException", "no")
    with pytest.raises(aws.client.exceptions.ClientError, match="AccessDenied"):
        registry.latest_approved(aws.client, GROUP)


@pytest.mark.parametrize("lack", ["Statistics", "Constraints", "FeatureSchemaUri", "ModelName"])
def test_an_approved_version_without_what_scoring_needs_is_refused(aws, lack):
    """An incomplete version is never scored with; the message names what it lacks."""
    listing(aws, [summary(4)])
    described(aws, package(4, without=(lack,)))
    with pytest.raises(registry.RegistryError, match=rf"Version 4 .*lacks .*{lack}"):
        registry.latest_approved(aws.client, GROUP)


def test_as_of_skips_what_was_approved_later(aws):
    """A replay of the past uses what was approved then, whenever it was created."""
    moment = NOW + timedelta(hours=12)
    listing(aws, [summary(3), summary(2), summary(1)])
    described(aws, package(3, approved_at=(moment + timedelta(seconds=1)).isoformat()))
    described(aws, package(2, modified=moment + timedelta(days=2)))
    described(aws, package(1, approved_at=moment.isoformat()))
    assert registry.as_of(aws.client, GROUP, moment).version == 1


def test_as_of_before_every_approval_finds_nothing(aws):
    """A day before the first approval has no model, and the message names the moment."""
    listing(aws, [summary(1)])
    described(aws, package(1, approved_at="2026-05-01T00:00:00+00:00"))
    listing(aws, [], status="PendingManualApproval")
    with pytest.raises(registry.NoApprovedModel, match="approved by 2026-03-03T12:00:00"):
        registry.as_of(aws.client, GROUP, NOW)


def test_as_of_wants_a_time_zone(aws):
    """A naive moment is refused instead of meaning the machine's zone."""
    with pytest.raises(ValueError, match="time zone"):
        registry.as_of(aws.client, GROUP, datetime(2026, 3, 3))  # noqa: DTZ001 - the point of the test


def test_a_pinned_version_of_another_group_is_refused(aws):
    """One use case cannot score with the model of another by a pasted ARN."""
    described(aws, package(1, group="other-local"))
    with pytest.raises(registry.RegistryError, match="'other-local', not to 'churn-local'"):
        registry.resolve(aws.client, GROUP, arn(1, "other-local"))


def test_a_pinned_version_that_is_not_approved_is_refused(aws):
    """Pinning does not replace approval."""
    described(aws, package(2, status="Rejected"))
    with pytest.raises(registry.NoApprovedModel, match="status is Rejected"):
        registry.resolve(aws.client, GROUP, arn(2))


def test_a_pinned_version_is_taken_without_listing(aws):
    """A pinned run does not depend on what else is approved."""
    described(aws, package(2))
    assert registry.resolve(aws.client, GROUP, arn(2)).version == 2


def test_an_unknown_version_is_one_clear_error(aws):
    """A mistyped ARN is told as such."""
    aws.add_client_error("describe_model_package", "ValidationException", f"ModelPackage {arn(9)} does not exist.")
    with pytest.raises(registry.RegistryError, match="There is no model package"):
        registry.describe(aws.client, arn(9))


def test_approving_records_when_and_by_whom_and_keeps_the_rest(aws):
    """Approval writes time and name in characters that AWS accepts, beside the properties already there."""
    described(aws, package(1, status="PendingManualApproval"))
    described(aws, package(1, status="PendingManualApproval"))
    sent = {}
    aws.add_response(
        "update_model_package",
        {"ModelPackageArn": arn(1)},
        {
            "ModelPackageArn": arn(1),
            "ModelApprovalStatus": "Approved",
            "ApprovalDescription": "good",
            "CustomerMetadataProperties": ANY,
        },
    )
    aws.client.meta.events.register(
        "provide-client-params.sagemaker.UpdateModelPackage",
        lambda params, **_: sent.update(params["CustomerMetadataProperties"]),
    )
    described(aws, package(1, approved_at="2026-03-03T12:00:00.000+00:00"))
    found = registry.approve(aws.client, arn(1), "good", by="O'Brien, Ann <ann@example.org>")
    assert found.approved_at == NOW
    assert sent["ApprovedBy"] == "O_Brien_ Ann _ann@example.org_"
    assert sent["ModelName"] == "model-1"
    assert datetime.fromisoformat(sent["ApprovedAt"]).tzinfo is not None


def test_approving_twice_keeps_the_first_time(aws):
    """A second approval changes nothing, so that as_of stays stable."""
    described(aws, package(1, approved_at="2026-03-03T12:00:00+00:00"))
    assert registry.approve(aws.client, arn(1), "again").approved_at == NOW


def answered(aws, status):
    """Expect one update to the status; return what it sends."""
    sent = {}
    aws.add_response("update_model_package", {"ModelPackageArn": arn(1)})
    aws.client.meta.events.register(
        "provide-client-params.sagemaker.UpdateModelPackage", lambda params, **_: sent.update(params)
    )
    described(aws, package(1, status=status))
    return sent


def test_an_answer_of_a_review_stands_on_one_line_with_its_run(aws):
    """A comment over several lines and too long is what ApprovalDescription takes."""
    described(aws, package(1, status="PendingManualApproval"))
    described(aws, package(1, status="PendingManualApproval"))
    sent = answered(aws, "Rejected")
    registry.decide(aws.client, arn(1), "Rejected", "too\n\nfew " + "rows " * 400, by="airflow/dana", run="run(1)")
    assert sent["ModelApprovalStatus"] == "Rejected"
    assert sent["ApprovalDescription"].startswith("too few rows")
    assert len(sent["ApprovalDescription"]) == 1024
    assert sent["CustomerMetadataProperties"]["ReviewRun"] == "run_1_"
    assert sent["CustomerMetadataProperties"]["DecidedBy"] == "airflow/dana"


def test_a_version_that_was_decided_takes_no_second_answer(aws):
    """The refusal says by whom, and how to change it on purpose."""
    described(aws, package(1, approved_at="2026-03-03T12:00:00+00:00"))
    described(aws, package(1, approved_at="2026-03-03T12:00:00+00:00"))
    with pytest.raises(registry.AlreadyDecided, match=r"is Approved already, by .*registry reject"):
        registry.decide(aws.client, arn(1), "Rejected", "no", by="airflow/lee", run="r2")


def test_rejecting_takes_back_an_approved_version(aws):
    """That is how one rolls back: the newest that is left scores."""
    described(aws, package(1, approved_at="2026-03-03T12:00:00+00:00"))
    described(aws, package(1, approved_at="2026-03-03T12:00:00+00:00"))
    sent = answered(aws, "Rejected")
    assert registry.reject(aws.client, arn(1), "scores too high", by="lee").status == "Rejected"
    assert sent["ModelApprovalStatus"] == "Rejected"
    assert sent["CustomerMetadataProperties"]["ModelName"] == "model-1"


def test_a_rejection_takes_the_time_of_the_approval_with_it(aws):
    """Approved again in the console, which writes none, the version counts from then on, not from the first time."""
    described(aws, package(1, approved_at="2026-03-03T12:00:00+00:00"))
    described(aws, package(1, approved_at="2026-03-03T12:00:00+00:00"))
    sent = answered(aws, "Rejected")
    registry.reject(aws.client, arn(1), "scores too high", by="lee")
    assert "ApprovedAt" not in sent["CustomerMetadataProperties"]
    assert sent["CustomerMetadataPropertiesToRemove"] == ["ApprovedAt"]


def test_an_incomplete_version_cannot_be_approved(aws):
    """What could never score is refused at the approval, not in the night."""
    described(aws, package(1, status="PendingManualApproval", without=("Statistics",)))
    with pytest.raises(registry.RegistryError, match="lacks"):
        registry.approve(aws.client, arn(1), "x")


def test_the_command_line_approves_and_says_so(aws, monkeypatch, capsys):
    """The command that the error names exists and works."""
    monkeypatch.setattr(boto3, "client", lambda _: aws.client)
    described(aws, package(1, approved_at="2026-03-03T12:00:00+00:00"))
    assert registry.main(["approve", arn(1)]) == 0
    assert "Version 1 of churn-local is approved" in capsys.readouterr().out
    aws.add_client_error("describe_model_package", "AccessDeniedException", "no")
    assert registry.main(["approve", arn(1)]) == 1
    assert "AccessDenied" in capsys.readouterr().err
