"""What an account of SageMaker does, as assertions that hold for AWS and for `sagemaker_local` alike.

Only operations that cost nothing: pipelines (of one Fail step, which starts no machine), model package groups, packages
and tags. Each check makes its own resources under names that begin with `PREFIX`; `Account.clean` removes them.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

PREFIX = "sagemaker-batch-test-"
FINAL = ("Succeeded", "Failed", "Stopped")
DEADLINE_SECONDS = 300.0


@dataclass
class Account:
    """An account, and what a check has made in it."""

    sagemaker: Any
    role: str
    image: str
    made: list[tuple[str, str]] = field(default_factory=list)

    def name(self, kind: str) -> str:
        """Return a new name, to be cleaned up as a ``pipeline`` or a ``group``."""
        self.made.append((kind, f"{PREFIX}{uuid.uuid4().hex[:12]}"))
        return self.made[-1][1]

    def pipeline(self, message: str = "the end") -> str:
        """Create a pipeline that fails by itself at once."""
        name = self.name("pipeline")
        self.sagemaker.create_pipeline(
            PipelineName=name,
            PipelineDefinition=definition(message),
            RoleArn=self.role,
            ClientRequestToken=uuid.uuid4().hex,
        )
        return name

    def group(self) -> str:
        """Create a model package group."""
        name = self.name("group")
        self.sagemaker.create_model_package_group(ModelPackageGroupName=name)
        return name

    def package(self, group: str, **members: Any) -> str:
        """Create a version of a group."""
        specification = {
            "Containers": [{"Image": self.image}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        }
        return str(
            self.sagemaker.create_model_package(
                ModelPackageGroupName=group, InferenceSpecification=specification, **members
            )["ModelPackageArn"]
        )

    def clean(self) -> None:
        """Remove everything that was made, also what only half came to be."""
        for kind, name in self.made:
            remove(self.sagemaker, kind, name)


def definition(message: str) -> str:
    """Return a pipeline of one Fail step."""
    step = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": message}}
    parameters = [{"Name": "Word", "Type": "String", "DefaultValue": "none"}]
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": [step]})


def remove(sagemaker: Any, kind: str, name: str) -> None:
    """Delete a pipeline, or a group with its packages; what is not there is left alone."""
    try:
        if kind == "pipeline":
            wait_until_idle(sagemaker, name)
            sagemaker.delete_pipeline(PipelineName=name, ClientRequestToken=uuid.uuid4().hex)
            return
        pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=name)
        for arn in [each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]]:
            sagemaker.delete_model_package(ModelPackageName=arn)
        sagemaker.delete_model_package_group(ModelPackageGroupName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"ResourceNotFound", "ValidationException"}:
            raise


def sweep(sagemaker: Any, older_than_seconds: float) -> list[str]:
    """Remove what former runs left behind (one that was killed); return the names."""
    limit = time.time() - older_than_seconds
    start = PREFIX.rstrip("-")
    listed = [
        ("pipeline", "PipelineName", _all(sagemaker, "list_pipelines", PipelineNamePrefix=start)),
        ("group", "ModelPackageGroupName", _all(sagemaker, "list_model_package_groups", NameContains=start)),
    ]
    found = [
        (kind, each[member])
        for kind, member, summaries in listed
        for each in summaries
        if each["CreationTime"].timestamp() < limit
    ]
    for kind, name in found:
        remove(sagemaker, kind, name)
    return [name for _, name in found]


def _all(sagemaker: Any, operation: str, **members: Any) -> list[dict[str, Any]]:
    paginator = sagemaker.get_paginator(operation)
    return [each for page in paginator.paginate(**members) for each in page[paginator.result_keys[0].expression]]


def wait_until_idle(sagemaker: Any, pipeline: str) -> None:
    """Wait until no execution of a pipeline runs."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        executions = sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]
        if all(each["PipelineExecutionStatus"] in FINAL for each in executions):
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"{pipeline} still runs after {DEADLINE_SECONDS:.0f} s")
        time.sleep(0.2)


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """Return code and message of the error that a call must raise."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("the call was not refused")


def a_pipeline_is_described_by_name_and_arn(account: Account) -> None:
    """Both give the same; the definition comes back as it was sent."""
    name = account.pipeline()
    described = account.sagemaker.describe_pipeline(PipelineName=name)
    assert json.loads(described["PipelineDefinition"]) == json.loads(definition("the end"))
    assert described["PipelineStatus"] == "Active"
    by_arn = account.sagemaker.describe_pipeline(PipelineName=described["PipelineArn"])
    assert by_arn["PipelineArn"] == described["PipelineArn"]


def a_pipeline_that_is_not_there_is_resource_not_found(account: Account) -> None:
    """Describe, update, start, delete."""
    client, name = account.sagemaker, f"{PREFIX}nobody"
    for call in (
        lambda: client.describe_pipeline(PipelineName=name),
        lambda: client.update_pipeline(PipelineName=name, PipelineDescription="x"),
        lambda: client.start_pipeline_execution(PipelineName=name, ClientRequestToken=uuid.uuid4().hex),
        lambda: client.delete_pipeline(PipelineName=name, ClientRequestToken=uuid.uuid4().hex),
    ):
        assert refused(call)[0] == "ResourceNotFound"


def a_pipeline_of_a_taken_name_and_a_wrong_definition_are_refused(account: Account) -> None:
    """ValidationException, and the message stands once."""
    name = account.pipeline()
    role = {"RoleArn": account.role, "ClientRequestToken": uuid.uuid4().hex}
    for pipeline, text in ((name, definition("other")), (account.name("pipeline"), "{no json")):
        code, message = refused(
            lambda pipeline=pipeline, text=text: account.sagemaker.create_pipeline(
                PipelineName=pipeline, PipelineDefinition=text, **role
            )
        )
        assert code == "ValidationException"
        assert "An error occurred" not in message


def one_token_starts_one_execution(account: Account) -> None:
    """The second call answers with the first one's ARN; an undeclared parameter is refused."""
    name, token = account.pipeline(), uuid.uuid4().hex
    start = account.sagemaker.start_pipeline_execution
    arns = {start(PipelineName=name, ClientRequestToken=token)["PipelineExecutionArn"] for _ in range(2)}
    assert len(arns) == 1
    unknown = [{"Name": "Nothing", "Value": "x"}]
    code, _ = refused(lambda: start(PipelineName=name, PipelineParameters=unknown, ClientRequestToken=uuid.uuid4().hex))
    assert code == "ValidationException"


def an_execution_fails_by_its_fail_step_and_stays_after_its_pipeline(account: Account) -> None:
    """Its step carries the message, its parameters are listed, and it is described when the pipeline is gone."""
    client, name = account.sagemaker, account.pipeline("as planned")
    arn = client.start_pipeline_execution(
        PipelineName=name,
        PipelineParameters=[{"Name": "Word", "Value": "given"}],
        ClientRequestToken=uuid.uuid4().hex,
    )["PipelineExecutionArn"]
    wait_until_idle(client, name)
    assert client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Failed"
    step = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"][0]
    assert (step["StepName"], step["StepStatus"]) == ("End", "Failed")
    assert step["Metadata"]["Fail"]["ErrorMessage"] == "as planned"
    parameters = client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert parameters == [{"Name": "Word", "Value": "given"}]
    client.delete_pipeline(PipelineName=name, ClientRequestToken=uuid.uuid4().hex)
    assert client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Failed"


def executions_are_listed_newest_first_in_pages(account: Account) -> None:
    """One of two at a time, and oldest first when asked."""
    client, name = account.sagemaker, account.pipeline()
    arns = []
    for _ in range(2):
        arns.append(
            client.start_pipeline_execution(PipelineName=name, ClientRequestToken=uuid.uuid4().hex)[
                "PipelineExecutionArn"
            ]
        )
        wait_until_idle(client, name)

    def listed(**members: Any) -> list[str]:
        pages = client.get_paginator("list_pipeline_executions").paginate(
            PipelineName=name, PaginationConfig={"PageSize": 1}, **members
        )
        return [each["PipelineExecutionArn"] for page in pages for each in page["PipelineExecutionSummaries"]]

    assert listed() == arns[::-1]
    assert listed(SortOrder="Ascending") == arns


def a_group_is_made_once(account: Account) -> None:
    """The second time is a ValidationException in the words that Airflow's hook looks for."""
    name = account.group()
    code, message = refused(lambda: account.sagemaker.create_model_package_group(ModelPackageGroupName=name))
    assert code == "ValidationException"
    assert message.startswith("Model Package Group already exists")


def a_group_that_is_not_there_is_an_error(account: Account) -> None:
    """Its packages are no empty list."""
    code, _ = refused(lambda: account.sagemaker.list_model_packages(ModelPackageGroupName=f"{PREFIX}nobody"))
    assert code == "ValidationException"


def a_package_waits_for_approval_and_its_number_never_comes_back(account: Account) -> None:
    """1, 2, and 3 after 2 was deleted."""
    client, group = account.sagemaker, account.group()
    first, second = account.package(group), account.package(group)
    described = client.describe_model_package(ModelPackageName=first)
    assert (described["ModelPackageVersion"], described["ModelApprovalStatus"]) == (1, "PendingManualApproval")
    client.delete_model_package(ModelPackageName=second)
    third = account.package(group)
    assert client.describe_model_package(ModelPackageName=third)["ModelPackageVersion"] == 3


def an_update_of_a_package_keeps_what_it_does_not_name(account: Account) -> None:
    """Metadata leave the approval alone, and the approval the metadata."""
    client, group = account.sagemaker, account.group()
    arn = account.package(group, CustomerMetadataProperties={"a": "1"})
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"b": "2"})
    described = client.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == "good"
    assert described["CustomerMetadataProperties"] == {"a": "1", "b": "2"}
    client.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["a"])
    assert client.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"] == {"b": "2"}
    client.update_model_package(ModelPackageArn=arn, ModelLifeCycle={"Stage": "Production", "StageStatus": "Approved"})
    assert client.describe_model_package(ModelPackageName=arn)["ModelLifeCycle"]["Stage"] == "Production"


def one_client_token_makes_one_version(account: Account) -> None:
    """The second call answers with the first one's ARN."""
    group, token = account.group(), uuid.uuid4().hex
    assert account.package(group, ClientToken=token) == account.package(group, ClientToken=token)


def packages_are_filtered_by_approval_and_paged(account: Account) -> None:
    """Ascending by default; the newest approved one with one call."""
    client, group = account.sagemaker, account.group()
    arns = [account.package(group) for _ in range(3)]
    for arn in arns[:2]:
        client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    newest = client.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]
    assert [each["ModelPackageArn"] for each in newest] == [arns[1]]
    pages = client.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, PaginationConfig={"PageSize": 2}
    )
    assert [each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]] == arns


def a_tag_of_the_same_key_is_replaced(account: Account) -> None:
    """Two additions of one key leave one tag; an unknown resource is an error."""
    client, group = account.sagemaker, account.group()
    arn = client.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    for value in ("one", "two"):
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "k", "Value": value}])
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "two"}]
    client.delete_tags(ResourceArn=arn, TagKeys=["k"])
    assert client.list_tags(ResourceArn=arn)["Tags"] == []


def a_group_with_packages_is_not_deleted(account: Account) -> None:
    """ConflictException until its last package is gone."""
    client, group = account.sagemaker, account.group()
    arn = account.package(group)
    code, _ = refused(lambda: client.delete_model_package_group(ModelPackageGroupName=group))
    assert code == "ConflictException"
    client.delete_model_package(ModelPackageName=arn)
    client.delete_model_package_group(ModelPackageGroupName=group)


CHECKS: tuple[Callable[[Account], None], ...] = (
    a_pipeline_is_described_by_name_and_arn,
    a_pipeline_that_is_not_there_is_resource_not_found,
    a_pipeline_of_a_taken_name_and_a_wrong_definition_are_refused,
    one_token_starts_one_execution,
    an_execution_fails_by_its_fail_step_and_stays_after_its_pipeline,
    executions_are_listed_newest_first_in_pages,
    a_group_is_made_once,
    a_group_that_is_not_there_is_an_error,
    a_package_waits_for_approval_and_its_number_never_comes_back,
    an_update_of_a_package_keeps_what_it_does_not_name,
    one_client_token_makes_one_version,
    packages_are_filtered_by_approval_and_paged,
    a_tag_of_the_same_key_is_replaced,
    a_group_with_packages_is_not_deleted,
)
