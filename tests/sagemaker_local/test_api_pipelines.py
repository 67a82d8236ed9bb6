"""Pipelines and their executions as resources: nothing runs here."""

from __future__ import annotations

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from sagemaker_local.store import Store

API_ONLY = True
ROLE = "arn:aws:iam::000000000000:role/sagemaker-batch-execution-local"

DEFINITION = {
    "Version": "2020-12-01",
    "Metadata": {},
    "Parameters": [
        {"Name": "InputDataUri", "Type": "String"},
        {"Name": "Threshold", "Type": "Float", "DefaultValue": 0.8},
        {"Name": "Rounds", "Type": "Integer", "DefaultValue": 5},
        {"Name": "Strict", "Type": "Boolean", "DefaultValue": False},
        {"Name": "Mode", "Type": "String", "DefaultValue": "fast", "EnumValues": ["fast", "slow"]},
    ],
    "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "the end"}}],
}
GIVEN = [{"Name": "InputDataUri", "Value": "s3://bucket/in"}]


def a_name() -> str:
    return f"n{uuid.uuid4().hex[:12]}"


def create(sagemaker, name, definition=DEFINITION, **members):
    return sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE, **members
    )["PipelineArn"]


def start(sagemaker, name, **members):
    members.setdefault("PipelineParameters", GIVEN)
    return sagemaker.start_pipeline_execution(PipelineName=name, **members)["PipelineExecutionArn"]


@pytest.fixture
def pipeline(local_aws, sagemaker):
    """A pipeline whose executions are ended with the test, for the quota counts all of them."""
    name = a_name()
    create(sagemaker, name)
    yield name
    with store(local_aws) as tx:
        for execution in tx.list("pipeline_execution"):
            execution["PipelineExecutionStatus"] = "Stopped"
            tx.put("pipeline_execution", execution["PipelineExecutionArn"], execution)


class store:  # noqa: N801 - reads as the transaction that it is
    """A transaction in the server's own file, as its running half makes them."""

    def __init__(self, local_aws):
        self._store = Store(local_aws.state_dir / "sagemaker.sqlite")

    def __enter__(self):
        self._transaction = self._store.transaction()
        return self._transaction.__enter__()

    def __exit__(self, *error):
        self._transaction.__exit__(*error)
        self._store.close()


def change(local_aws, arn, **members):
    with store(local_aws) as tx:
        tx.put("pipeline_execution", arn, {**tx.get("pipeline_execution", arn), **members})


def refused(caught, code="ValidationException"):
    assert caught.value.response["Error"]["Code"] == code
    message = caught.value.response["Error"]["Message"]
    assert "An error occurred" not in message
    return message


def test_a_pipeline_is_described_by_name_and_by_arn(sagemaker, pipeline):
    """What was given comes back, with the times and the status."""
    by_name = sagemaker.describe_pipeline(PipelineName=pipeline)
    assert by_name["PipelineArn"] == f"arn:aws:sagemaker:us-east-1:000000000000:pipeline/{pipeline}"
    by_arn = sagemaker.describe_pipeline(PipelineName=by_name["PipelineArn"])
    for described in (by_name, by_arn):
        described.pop("ResponseMetadata")
    assert by_name == by_arn
    assert json.loads(by_name["PipelineDefinition"]) == DEFINITION
    assert (by_name["PipelineStatus"], by_name["RoleArn"]) == ("Active", ROLE)
    assert by_name["CreationTime"] == by_name["LastModifiedTime"]


def test_a_pipeline_that_exists_is_refused_in_the_words_that_the_sdk_looks_for(sagemaker, pipeline):
    """The SDK's upsert() updates when it reads a ValidationException with "already exists"."""
    with pytest.raises(ClientError) as caught:
        create(sagemaker, pipeline)
    assert "already exists" in refused(caught)


@pytest.mark.parametrize(
    ("definition", "part"),
    [
        ("no json", "JSON"),
        (json.dumps({**DEFINITION, "Steps": [{"Name": "A", "Type": "Nonsense", "Arguments": {}}]}), "Nonsense"),
        (json.dumps({**DEFINITION, "Steps": []}), "Steps"),
    ],
)
def test_an_invalid_definition_is_refused(sagemaker, pipeline, definition, part):
    """By Create and by Update, with what is wrong in the message."""
    with pytest.raises(ClientError) as caught:
        sagemaker.create_pipeline(PipelineName=a_name(), PipelineDefinition=definition, RoleArn=ROLE)
    assert part in refused(caught)
    with pytest.raises(ClientError) as caught:
        sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=definition)
    assert part in refused(caught)


def test_a_pipeline_needs_a_definition_and_a_good_name(local_aws):
    """Both are told before anything is kept."""
    client = local_aws.client("sagemaker", parameter_validation=False)
    with pytest.raises(ClientError, match="PipelineDefinition"):
        client.create_pipeline(PipelineName=a_name(), RoleArn=ROLE)
    with pytest.raises(ClientError) as caught:
        create(client, "p_bad!")
    assert "Value 'p_bad!' at 'pipelineName' failed to satisfy constraint" in refused(caught)


def test_a_definition_may_lie_in_s3(sagemaker, s3):
    """It is read when the pipeline is created; one that is not there is told with its place."""
    s3.create_bucket(Bucket="definitions")
    s3.put_object(Bucket="definitions", Key="p.json", Body=json.dumps(DEFINITION).encode())
    name = a_name()
    location = {"Bucket": "definitions", "ObjectKey": "p.json"}
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinitionS3Location=location, RoleArn=ROLE)
    assert json.loads(sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"]) == DEFINITION
    with pytest.raises(ClientError) as caught:
        sagemaker.update_pipeline(
            PipelineName=name, PipelineDefinitionS3Location={"Bucket": "definitions", "ObjectKey": "missing"}
        )
    assert "s3://definitions/missing" in refused(caught)


def test_an_update_makes_a_version_and_keeps_the_rest(sagemaker, pipeline):
    """Each definition is a version; all stay readable and can be started."""
    other = {**DEFINITION, "Parameters": []}
    answer = sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=json.dumps(other))
    assert answer["PipelineVersionId"] == 2
    sagemaker.update_pipeline(PipelineName=pipeline, PipelineDescription="words")
    described = sagemaker.describe_pipeline(PipelineName=pipeline)
    assert (described["RoleArn"], described["PipelineDescription"]) == (ROLE, "words")
    assert json.loads(described["PipelineDefinition"]) == other
    first = sagemaker.describe_pipeline(PipelineName=pipeline, PipelineVersionId=1)
    assert json.loads(first["PipelineDefinition"]) == DEFINITION
    pages = sagemaker.get_paginator("list_pipeline_versions").paginate(
        PipelineName=pipeline, PaginationConfig={"PageSize": 1}
    )
    listed = [version["PipelineVersionId"] for page in pages for version in page["PipelineVersionSummaries"]]
    assert listed == [2, 1]
    old = start(sagemaker, pipeline, PipelineVersionId=1)
    definition = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=old)
    assert json.loads(definition["PipelineDefinition"]) == DEFINITION
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        start(sagemaker, pipeline, PipelineVersionId=3)


def test_a_version_has_a_name_of_its_own(sagemaker, pipeline):
    """UpdatePipelineVersion names it, DescribePipeline shows it."""
    arn = sagemaker.describe_pipeline(PipelineName=pipeline)["PipelineArn"]
    sagemaker.update_pipeline_version(PipelineArn=arn, PipelineVersionId=1, PipelineVersionDisplayName="first")
    described = sagemaker.describe_pipeline(PipelineName=pipeline, PipelineVersionId=1)
    assert described["PipelineVersionDisplayName"] == "first"


def test_pipelines_are_listed_by_prefix_and_page(sagemaker):
    """Newest first unless asked otherwise."""
    mark = a_name()
    names = [f"{mark}-{number}" for number in range(3)]
    for name in names:
        create(sagemaker, name)
    pages = sagemaker.get_paginator("list_pipelines").paginate(
        PipelineNamePrefix=mark, SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )
    assert [item["PipelineName"] for page in pages for item in page["PipelineSummaries"]] == names
    newest = sagemaker.list_pipelines(PipelineNamePrefix=mark, MaxResults=1)["PipelineSummaries"]
    assert [item["PipelineName"] for item in newest] == [names[-1]]


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.describe_pipeline(PipelineName="nobody"),
        lambda client: client.update_pipeline(PipelineName="nobody"),
        lambda client: client.delete_pipeline(PipelineName="nobody"),
        lambda client: client.start_pipeline_execution(PipelineName="nobody"),
        lambda client: client.list_pipeline_executions(PipelineName="nobody"),
        lambda client: client.list_pipeline_versions(PipelineName="nobody"),
    ],
)
def test_a_missing_pipeline_is_resource_not_found(sagemaker, ask):
    """As modelled, for every operation on a pipeline."""
    with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="nobody"):
        ask(sagemaker)


@pytest.mark.parametrize(
    "operation",
    [
        "describe_pipeline_execution",
        "list_pipeline_execution_steps",
        "stop_pipeline_execution",
        "retry_pipeline_execution",
        "update_pipeline_execution",
        "describe_pipeline_definition_for_execution",
        "list_pipeline_parameters_for_execution",
    ],
)
def test_a_missing_execution_is_resource_not_found(sagemaker, operation):
    """As modelled, for every operation on an execution."""
    arn = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
    with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="abcdefghijkl"):
        getattr(sagemaker, operation)(PipelineExecutionArn=arn)


def test_an_execution_is_started_with_all_its_parameters(sagemaker, pipeline):
    """Defaults are filled in; the ARN ends with twelve lower-case letters and digits."""
    arn = start(sagemaker, pipeline, PipelineExecutionDisplayName="today", PipelineExecutionDescription="why")
    assert re.fullmatch(rf"arn:aws:sagemaker:us-east-1:000000000000:pipeline/{pipeline}/execution/[a-z0-9]{{12}}", arn)
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Executing"
    assert described["PipelineExecutionDisplayName"] == "today"
    assert described["PipelineExecutionDescription"] == "why"
    assert "FailureReason" not in described
    pages = sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
        PipelineExecutionArn=arn, PaginationConfig={"PageSize": 2}
    )
    parameters = {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}
    assert parameters == {
        "InputDataUri": "s3://bucket/in",
        "Threshold": "0.8",
        "Rounds": "5",
        "Strict": "false",
        "Mode": "fast",
    }
    assert sagemaker.describe_pipeline(PipelineName=pipeline)["LastRunTime"] == described["CreationTime"]


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ([], "InputDataUri"),
        ([*GIVEN, {"Name": "Unknown", "Value": "x"}], "Unknown"),
        ([*GIVEN, {"Name": "Rounds", "Value": "many"}], "Rounds"),
        ([*GIVEN, {"Name": "Threshold", "Value": "high"}], "Threshold"),
        ([*GIVEN, {"Name": "Strict", "Value": "perhaps"}], "Strict"),
        ([*GIVEN, {"Name": "Mode", "Value": "medium"}], "Mode"),
        ([*GIVEN, *GIVEN], "InputDataUri"),
    ],
)
def test_wrong_parameters_are_refused_by_name(sagemaker, pipeline, parameters, part):
    """Missing, undeclared, of a wrong type, outside the enumeration, given twice: no execution is made."""
    with pytest.raises(ClientError) as caught:
        start(sagemaker, pipeline, PipelineParameters=parameters)
    assert part in refused(caught)
    assert sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"] == []


def test_one_token_starts_one_execution(sagemaker, pipeline):
    """20 racing starts with one token give one ARN; the token with other parameters is refused."""
    token = uuid.uuid4().hex
    with ThreadPoolExecutor(20) as pool:
        arns = set(pool.map(lambda _: start(sagemaker, pipeline, ClientRequestToken=token), range(20)))
    assert len(arns) == 1
    assert len(sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]) == 1
    with pytest.raises(sagemaker.exceptions.ConflictException, match=token):
        start(
            sagemaker,
            pipeline,
            ClientRequestToken=token,
            PipelineParameters=[*GIVEN, {"Name": "Rounds", "Value": "6"}],
        )


def test_a_token_whose_start_failed_may_be_used_again(sagemaker, pipeline):
    """Only an answer is remembered, not an error."""
    token = uuid.uuid4().hex
    with pytest.raises(ClientError):
        start(sagemaker, pipeline, ClientRequestToken=token, PipelineParameters=[])
    assert start(sagemaker, pipeline, ClientRequestToken=token)


def test_executions_are_listed_newest_first_with_filters_and_pages(local_aws, sagemaker, pipeline):
    """The reason of a failure is in the list of executions; one that has none has no such member."""
    arns = [start(sagemaker, pipeline) for _ in range(4)]
    for second, arn in enumerate(arns):
        change(local_aws, arn, CreationTime=1000.0 + second)
    change(local_aws, arns[0], PipelineExecutionStatus="Failed", FailureReason="why")

    def listed(**members):
        pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline, **members)
        return [item for page in pages for item in page["PipelineExecutionSummaries"]]

    items = listed(PaginationConfig={"PageSize": 3})
    assert [item["PipelineExecutionArn"] for item in items] == arns[::-1]
    assert items[-1]["PipelineExecutionFailureReason"] == "why"
    assert "PipelineExecutionFailureReason" not in items[0]
    assert items[-1]["StartTime"] == datetime.fromtimestamp(1000, UTC)
    after = listed(CreatedAfter=datetime.fromtimestamp(1001, UTC), SortOrder="Ascending")
    assert [item["PipelineExecutionArn"] for item in after] == arns[2:]
    first = sagemaker.list_pipeline_executions(PipelineName=pipeline, MaxResults=1)
    assert len(first["PipelineExecutionSummaries"]) == 1


def test_an_execution_that_runs_can_be_stopped_and_no_other(local_aws, sagemaker, pipeline):
    """Airflow's hook looks for the words of the refusal."""
    arn = start(sagemaker, pipeline)
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Stopping"
    for status in ("Stopping", "Stopped", "Succeeded", "Failed"):
        change(local_aws, arn, PipelineExecutionStatus=status)
        with pytest.raises(ClientError) as caught:
            sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
        assert "Only pipelines with 'Executing' status can be stopped" in refused(caught)


def test_only_an_execution_that_failed_or_was_stopped_is_retried(local_aws, sagemaker, pipeline):
    """It is Executing again, without its reason."""
    arn = start(sagemaker, pipeline)
    with pytest.raises(ClientError, match="Executing"):
        sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    change(local_aws, arn, PipelineExecutionStatus="Failed", FailureReason="why")
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Executing"
    assert "FailureReason" not in described


def test_an_execution_keeps_what_an_update_does_not_name(sagemaker, pipeline):
    """UpdatePipelineExecution changes the description alone."""
    arn = start(sagemaker, pipeline, PipelineExecutionDisplayName="today")
    sagemaker.update_pipeline_execution(PipelineExecutionArn=arn, PipelineExecutionDescription="new")
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionDescription"] == "new"
    assert described["PipelineExecutionDisplayName"] == "today"


def test_steps_are_listed_latest_first_over_pages(local_aws, sagemaker, pipeline):
    """Steps of equal start keep the order in which they were made."""
    arn = start(sagemaker, pipeline)
    with store(local_aws) as tx:
        for number, second in enumerate((10.0, 20.0, 20.0)):
            step = {"StepName": f"s{number}", "StepStatus": "Executing", "StartTime": second, "_local": {"pid": 1}}
            tx.insert("step", f"{arn}/s{number}", step, parent=arn)

    def listed(**members):
        pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, PaginationConfig={"PageSize": 2}, **members
        )
        return [step["StepName"] for page in pages for step in page["PipelineExecutionSteps"]]

    assert listed() == ["s2", "s1", "s0"]
    assert listed(SortOrder="Ascending") == ["s0", "s1", "s2"]


def test_the_quota_of_concurrent_executions_is_that_of_aws(sagemaker, pipeline):
    """The 21st execution is refused with ResourceLimitExceeded, which is no fault of the request."""
    for _ in range(20):
        start(sagemaker, pipeline)
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded, match="20"):
        start(sagemaker, pipeline)


def test_a_pipeline_that_runs_is_not_deleted(local_aws, sagemaker, pipeline):
    """Afterwards it is gone, its executions can still be described, and a new one of its name lists none of them."""
    arn = start(sagemaker, pipeline)
    with pytest.raises(sagemaker.exceptions.ConflictException, match="StopPipelineExecution"):
        sagemaker.delete_pipeline(PipelineName=pipeline)
    change(local_aws, arn, PipelineExecutionStatus="Succeeded")
    sagemaker.delete_pipeline(PipelineName=pipeline)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_pipeline(PipelineName=pipeline)
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Succeeded"
    create(sagemaker, pipeline)
    assert sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"] == []
    assert start(sagemaker, pipeline)


def test_a_selective_execution_names_steps_of_the_pipeline(sagemaker, pipeline):
    """What is selected must be there, and the execution shows it."""
    with pytest.raises(ClientError, match="which the pipeline does not have"):
        start(sagemaker, pipeline, SelectiveExecutionConfig={"SelectedSteps": [{"StepName": "Nobody"}]})
    selected = {"SelectedSteps": [{"StepName": "End"}]}
    arn = start(sagemaker, pipeline, SelectiveExecutionConfig=selected)
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["SelectiveExecutionConfig"] == selected


def test_pipelines_and_executions_are_found_by_search(sagemaker, pipeline):
    """By tags, names and parameters."""
    name = a_name()
    create(sagemaker, name, Tags=[{"Key": "team", "Value": name}])
    found = sagemaker.search(
        Resource="Pipeline", SearchExpression={"Filters": [{"Name": "Tags.team", "Operator": "Equals", "Value": name}]}
    )["Results"]
    assert [record["Pipeline"]["PipelineName"] for record in found] == [name]
    arns = [
        start(sagemaker, pipeline, PipelineParameters=[{"Name": "InputDataUri", "Value": f"s3://{pipeline}/{n}"}])
        for n in range(3)
    ]
    expression = {
        "NestedFilters": [
            {
                "NestedPropertyName": "PipelineParameters",
                "Filters": [
                    {"Name": "PipelineParameters.Name", "Operator": "Equals", "Value": "InputDataUri"},
                    {"Name": "PipelineParameters.Value", "Operator": "Equals", "Value": f"s3://{pipeline}/1"},
                ],
            }
        ]
    }
    found = sagemaker.search(Resource="PipelineExecution", SearchExpression=expression)
    assert [record["PipelineExecution"]["PipelineExecutionArn"] for record in found["Results"]] == [arns[1]]
    assert found["TotalHits"] == {"Value": 1, "Relation": "EqualTo"}


@pytest.mark.parametrize("kind", ["ClarifyCheck", "EMR", "AutoML"])
def test_a_step_that_only_aws_runs_is_refused_as_such(sagemaker, kind):
    """501 and not ValidationException: the definition is right, also when the step stands in a branch."""
    condition = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    branch = [{"Name": "Deep", "Type": kind, "Arguments": {}}]
    steps = [{"Name": "If", "Type": "Condition", "Arguments": {"Conditions": [condition], "IfSteps": branch}}]
    with pytest.raises(ClientError, match=rf"NotImplementedException.*steps of Type {kind}") as caught:
        create(sagemaker, a_name(), {**DEFINITION, "Steps": steps})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_search_that_only_aws_makes_is_refused_as_such(sagemaker):
    """501 when the pipeline is created: the other strategies run."""
    config = {"HyperParameterTuningJobConfig": {"Strategy": "Hyperband"}}
    steps = [{"Name": "Tune", "Type": "Tuning", "Arguments": config}]
    with pytest.raises(ClientError, match=r"NotImplementedException.*Tuning with Strategy Hyperband"):
        create(sagemaker, a_name(), {**DEFINITION, "Steps": steps})
