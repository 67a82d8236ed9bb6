"""The model registry, asked with boto3 over HTTP."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

API_ONLY = True

SPECIFICATION = {
    "Containers": [{"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


def a_name() -> str:
    return f"n{uuid.uuid4().hex[:12]}"


@pytest.fixture
def group(sagemaker):
    name = a_name()
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def create(sagemaker, group, **members):
    return sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=SPECIFICATION, **members)[
        "ModelPackageArn"
    ]


def versions(sagemaker, group, **members):
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group, **members)
    return [package["ModelPackageVersion"] for page in pages for package in page["ModelPackageSummaryList"]]


def test_a_group_is_created_described_and_listed(sagemaker, group):
    """A group is there after its creation, with its ARN and status."""
    described = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert described["ModelPackageGroupArn"] == f"arn:aws:sagemaker:us-east-1:000000000000:model-package-group/{group}"
    assert described["ModelPackageGroupStatus"] == "Completed"
    listed = sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
    assert [item["ModelPackageGroupName"] for item in listed] == [group]


def test_a_group_that_exists_is_refused_in_the_words_that_airflow_looks_for(sagemaker, group):
    """The second creation is a ValidationException that begins with "Model Package Group already exists"."""
    with pytest.raises(ClientError) as caught:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["Error"]["Message"].startswith("Model Package Group already exists")


def test_an_unknown_group_is_an_error_not_an_empty_list(sagemaker):
    """Listing the packages of a group that is not there is a ValidationException."""
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        sagemaker.list_model_packages(ModelPackageGroupName="nobody")


def test_versions_count_from_one_and_wait_for_approval(sagemaker, group):
    """A new version is PendingManualApproval and carries its number in its ARN."""
    arns = [create(sagemaker, group) for _ in range(2)]
    assert [arn.rsplit("/", 2)[1:] for arn in arns] == [[group, "1"], [group, "2"]]
    described = sagemaker.describe_model_package(ModelPackageName=arns[1])
    assert described["ModelPackageVersion"] == 2
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["ModelPackageStatus"] == "Completed"
    assert described["InferenceSpecification"] == SPECIFICATION


def test_a_version_number_never_comes_back(sagemaker, group):
    """Deleting the newest version does not free its number."""
    create(sagemaker, group)
    sagemaker.delete_model_package(ModelPackageName=create(sagemaker, group))
    assert create(sagemaker, group).endswith("/3")
    assert versions(sagemaker, group) == [1, 3]


def test_concurrent_creations_get_different_versions(sagemaker, group):
    """100 creations from 16 threads give 100 versions."""
    with ThreadPoolExecutor(16) as pool:
        arns = list(pool.map(lambda _: create(sagemaker, group), range(100)))
    assert sorted(int(arn.rsplit("/", 1)[1]) for arn in arns) == list(range(1, 101))


def test_one_token_creates_one_version(sagemaker, group):
    """The same ClientToken and request give the same package; another request with it is refused."""
    token = uuid.uuid4().hex
    first = create(sagemaker, group, ClientToken=token)
    assert create(sagemaker, group, ClientToken=token) == first
    with pytest.raises(sagemaker.exceptions.ConflictException, match=token):
        create(sagemaker, group, ClientToken=token, ModelPackageDescription="another")
    assert versions(sagemaker, group) == [1]


def test_lists_are_ascending_filtered_and_paged(sagemaker, group):
    """Order, approval filter and the second page are as asked."""
    arns = [create(sagemaker, group) for _ in range(11)]
    for arn in (arns[1], arns[10]):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    assert versions(sagemaker, group) == list(range(1, 12))
    assert versions(sagemaker, group, PaginationConfig={"PageSize": 4}) == list(range(1, 12))
    assert versions(sagemaker, group, SortOrder="Descending", PaginationConfig={"PageSize": 4})[:3] == [11, 10, 9]
    assert versions(sagemaker, group, SortBy="Name", SortOrder="Descending")[0] == 11
    newest = sagemaker.list_model_packages(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortOrder="Descending", MaxResults=1
    )
    assert [package["ModelPackageVersion"] for package in newest["ModelPackageSummaryList"]] == [11]
    assert "NextToken" in newest


def test_what_is_created_between_two_pages_neither_repeats_nor_hides_a_package(sagemaker, group):
    """The second page goes on after the last item of the first."""
    for _ in range(4):
        create(sagemaker, group)
    asked = {"ModelPackageGroupName": group, "SortOrder": "Descending", "MaxResults": 2}
    first = sagemaker.list_model_packages(**asked)
    create(sagemaker, group)
    second = sagemaker.list_model_packages(**asked, NextToken=first["NextToken"])
    assert [package["ModelPackageVersion"] for package in second["ModelPackageSummaryList"]] == [2, 1]


@pytest.mark.parametrize("token", ["nonsense", "e30=", "WyJhIiwgWzFdXQ==", "\u00e4"])
def test_a_bad_next_token_is_refused(sagemaker, group, token):
    """A token that the service did not give is a ValidationException."""
    with pytest.raises(ClientError, match=r"ValidationException.*NextToken"):
        sagemaker.list_model_packages(ModelPackageGroupName=group, NextToken=token)


def test_a_token_of_another_request_is_refused(sagemaker, group):
    """A token belongs to the filters that it was given for."""
    create(sagemaker, group)
    create(sagemaker, group)
    token = sagemaker.list_model_packages(ModelPackageGroupName=group, MaxResults=1)["NextToken"]
    with pytest.raises(ClientError, match="other filters"):
        sagemaker.list_model_packages(ModelPackageGroupName=group, SortOrder="Descending", NextToken=token)


def test_an_update_keeps_what_it_does_not_name(sagemaker, group):
    """Metadata alone leaves the approval, an approval alone the metadata; keys are merged, and removed by name."""
    arn = create(sagemaker, group, CustomerMetadataProperties={"a": "1", "b": "2"}, ModelApprovalStatus="Approved")
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"b": "3", "c": "4"})
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["CustomerMetadataProperties"] == {"a": "1", "b": "3", "c": "4"}
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="too old")
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["a"])
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Rejected"
    assert described["ApprovalDescription"] == "too old"
    assert described["CustomerMetadataProperties"] == {"b": "3", "c": "4"}


def test_one_token_updates_once(sagemaker, group):
    """A repeated update does not undo what came after the first."""
    arn = create(sagemaker, group)
    update = {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved", "ClientToken": uuid.uuid4().hex}
    sagemaker.update_model_package(**update)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    sagemaker.update_model_package(**update)
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Rejected"


def test_the_life_cycle_is_kept(sagemaker, group):
    """UpdateModelPackage stores the ModelLifeCycle and the list shows it."""
    arn = create(sagemaker, group)
    cycle = {"Stage": "Production", "StageStatus": "Approved", "StageDescription": "live"}
    sagemaker.update_model_package(ModelPackageArn=arn, ModelLifeCycle=cycle)
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelLifeCycle"] == cycle
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert listed[0]["ModelLifeCycle"] == cycle


def test_a_wrong_approval_status_is_told_in_aws_words(local_aws, group):
    """The enumeration is checked by the service, for clients that do not."""
    client = local_aws.client("sagemaker", parameter_validation=False)
    with pytest.raises(ClientError) as caught:
        client.update_model_package(ModelPackageArn=create(client, group), ModelApprovalStatus="Nope")
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "1 validation error detected: Value 'Nope' at 'modelApprovalStatus' failed to satisfy constraint: "
        "Member must satisfy enum value set: [Approved, Rejected, PendingManualApproval]",
    }


def test_a_group_that_holds_packages_is_not_deleted(sagemaker, group):
    """Packages first, then their group; afterwards neither is there."""
    arn = create(sagemaker, group)
    with pytest.raises(sagemaker.exceptions.ConflictException):
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        sagemaker.describe_model_package(ModelPackageName=arn)


def test_packages_are_described_in_a_batch(sagemaker, group):
    """Known ones are described, unknown ones are told beside them."""
    arn = create(sagemaker, group)
    unknown = f"{arn}99"
    answer = sagemaker.batch_describe_model_package(ModelPackageArnList=[arn, unknown])
    assert answer["ModelPackageSummaries"][arn]["ModelPackageVersion"] == 1
    assert "does not exist" in answer["BatchDescribeModelPackageErrorMap"][unknown]["ErrorResponse"]


def test_without_a_group_unversioned_packages_are_listed(sagemaker, group):
    """AWS's default type is Unversioned."""
    create(sagemaker, group)
    name = a_name()
    sagemaker.create_model_package(ModelPackageName=name, InferenceSpecification=SPECIFICATION)
    listed = sagemaker.list_model_packages(NameContains=name)["ModelPackageSummaryList"]
    assert [package["ModelPackageName"] for package in listed] == [name]
    assert "ModelPackageVersion" not in listed[0]
    versioned = sagemaker.list_model_packages(ModelPackageType="Versioned")["ModelPackageSummaryList"]
    assert all("ModelPackageVersion" in package for package in versioned)


def test_a_group_keeps_a_policy(sagemaker, group):
    """Put, get, delete."""
    policy = '{"Version": "2012-10-17", "Statement": []}'
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)
    assert sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"] == policy
    sagemaker.delete_model_package_group_policy(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="Cannot find resource policy"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)


def test_tags_of_a_package_are_added_replaced_and_removed(sagemaker, group):
    """One key is one tag."""
    arn = create(sagemaker, group)
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "3"}])
    tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["b"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "3"}]


def test_tags_of_an_unknown_arn_are_an_error(sagemaker, group):
    """ListTags on what is not there is a ValidationException, not a crash."""
    for arn in (f"{create(sagemaker, group)}7", "arn:aws:sagemaker:us-east-1:000000000000:endpoint/x"):
        with pytest.raises(ClientError, match="ValidationException"):
            sagemaker.list_tags(ResourceArn=arn)


def test_packages_are_found_by_search(sagemaker, group):
    """By a property, a tag, a metadata key, and in the order asked for."""
    arns = [create(sagemaker, group, CustomerMetadataProperties={"n": str(n)}) for n in range(3)]
    sagemaker.add_tags(ResourceArn=arns[1], Tags=[{"Key": "team.name", "Value": "blue"}])

    def search(*filters, **members):
        records = sagemaker.search(
            Resource="ModelPackage",
            SearchExpression={"Filters": [{"Name": "ModelPackageGroupName", "Value": group}, *filters]},
            **members,
        )["Results"]
        return [record["ModelPackage"]["ModelPackageVersion"] for record in records]

    assert search(SortBy="ModelPackageVersion", SortOrder="Ascending") == [1, 2, 3]
    assert search({"Name": "Tags.team.name", "Operator": "Equals", "Value": "blue"}) == [2]
    assert search({"Name": "ModelPackageVersion", "Operator": "GreaterThan", "Value": "2"}) == [3]
    assert search({"Name": "CustomerMetadataProperties.n", "Operator": "In", "Value": "0, 2"}) == [3, 1]
    with pytest.raises(ClientError, match="Unknown property name: Nope"):
        search({"Name": "Nope", "Value": "x"})


def test_groups_are_searched_without_saying_how_to_sort(sagemaker, group):
    """They have no LastModifiedTime, the documented default; the time of creation stands in."""
    filters = [{"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": group}]
    found = sagemaker.search(Resource="ModelPackageGroup", SearchExpression={"Filters": filters})["Results"]
    assert [record["ModelPackageGroup"]["ModelPackageGroupName"] for record in found] == [group]
    with pytest.raises(ClientError, match=r"ValidationException.*Unknown property name: Nonsense"):
        sagemaker.search(
            Resource="ModelPackageGroup",
            SearchExpression={"Filters": [{"Name": "Nonsense", "Operator": "Equals", "Value": "x"}]},
        )


def test_a_package_belongs_to_a_group_or_has_a_name(sagemaker, group):
    """Not both, not neither, and not a group that is not there."""
    for members, said in (
        ({"ModelPackageName": "a", "ModelPackageGroupName": group}, "Both ModelPackageName and ModelPackageGroupName"),
        ({}, "Missing ARN"),
        ({"ModelPackageGroupName": "nobody"}, "does not exist"),
    ):
        with pytest.raises(ClientError, match=f"ValidationException.*{said}"):
            sagemaker.create_model_package(**members)
