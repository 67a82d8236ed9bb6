"""What all lists have in common: pages, bounds in time, filters, and tokens that are not theirs."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from sagemaker_local import model
from sagemaker_local.control import Control
from sagemaker_local.operations import HANDLERS, load
from sagemaker_local.store import Store
from tests.sagemaker_local.test_api_persistence import (
    SPECIFICATION,
    definition,
    processing,
    training,
    transform,
    tuning,
)

API_ONLY = True
ROLE = "arn:aws:iam::000000000000:role/role"
load()
LISTS = sorted(set(HANDLERS) & set(model.paginators()))


@pytest.fixture(scope="module")
def made(local_aws, sagemaker):
    """Three of each resource, created at 1000, 1001 and 1002 s and changed at 2000, 2001 and 2002 s."""
    sagemaker.create_model(ModelName="model", PrimaryContainer={"Image": "image"})
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    sagemaker.create_hyper_parameter_tuning_job(**tuning("search"))
    names = [f"x{number}" for number in range(3)]
    for name in names:
        sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition("end"), RoleArn=ROLE)
        sagemaker.create_processing_job(**processing(name))
        sagemaker.create_training_job(**training(name))
        sagemaker.create_transform_job(**transform(name))
        sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": "image"})
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
        sagemaker.create_model_package(ModelPackageGroupName="group", InferenceSpecification=SPECIFICATION)
        sagemaker.update_pipeline(PipelineName="x0", PipelineDefinition=definition(name))
        sagemaker.start_pipeline_execution(PipelineName="x0")
    store = Store(local_aws.state_dir / "sagemaker.sqlite")
    with store.transaction() as tx:
        for kind in ("processing_job", "training_job", "transform_job", "model", "model_package", "pipeline"):
            _set_times(tx, kind)
        _set_times(tx, "model_package_group")
        _set_times(tx, "pipeline_version")
        _set_times(tx, "pipeline_execution")
    store.close()
    return names


KEYS = {
    "processing_job": "ProcessingJobName",
    "training_job": "TrainingJobName",
    "transform_job": "TransformJobName",
    "model": "ModelName",
    "model_package": "ModelPackageArn",
    "model_package_group": "ModelPackageGroupName",
    "pipeline": "PipelineName",
    "pipeline_execution": "PipelineExecutionArn",
}


def _set_times(tx, kind):
    documents = [each for each in tx.list(kind) if each.get(KEYS.get(kind, "")) not in {"model", "group"}]
    if kind == "pipeline_version":
        documents = [each for each in documents if each["PipelineArn"].endswith("/x0")][1:]
    for number, document in enumerate(documents):
        key = document.get(KEYS.get(kind, "")) or f"{document['PipelineArn']}/{document['PipelineVersionId']}"
        times = {"CreationTime": 1000.0 + number, "LastModifiedTime": 2000.0 + number}
        if kind == "transform_job":  # it shows no LastModifiedTime; its end is the last change
            times["TransformEndTime"] = times["LastModifiedTime"]
            del times["LastModifiedTime"]
        tx.put(kind, key, {**document, **times})


MINE = {
    "ListPipelineExecutions": {"PipelineName": "x0"},
    "ListPipelineVersions": {"PipelineName": "x0"},
    "ListModelPackages": {"ModelPackageGroupName": "group"},
    "ListTrials": {},
}
TIMED = [
    "ListProcessingJobs",
    "ListTrainingJobs",
    "ListTransformJobs",
    "ListModels",
    "ListModelPackages",
    "ListModelPackageGroups",
    "ListPipelines",
    "ListPipelineVersions",
    "ListPipelineExecutions",
]


def listed(sagemaker, operation, **members):
    """Return all items over pages of two, in ascending order of their creation."""
    client_name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation)[1:]
    result = model.paginators()[operation]["result_key"]
    members = {**MINE.get(operation, {}), "SortOrder": "Ascending", **members}
    pages = sagemaker.get_paginator(client_name).paginate(PaginationConfig={"PageSize": 2}, **members)
    return [item for page in pages for item in page[result]]


@pytest.mark.parametrize("operation", TIMED)
def test_bounds_in_time_leave_out_what_lies_outside(sagemaker, made, operation):
    """After and before, of creation and of the last change, together with pages."""
    shape = model.operation(operation).input_shape
    early, late = (datetime.fromtimestamp(second, UTC) for second in (999.5, 1500))
    created = [name for name in shape.members if name.startswith("Crea") and name.endswith(("After", "Before"))]
    assert len(created) == 2
    after, before = sorted(created)
    everything = listed(sagemaker, operation, **{after: early, before: late})
    assert len(everything) == 3
    second = datetime.fromtimestamp(1001, UTC)
    assert listed(sagemaker, operation, **{after: second, before: late}) == everything[2:]
    assert listed(sagemaker, operation, **{after: early, before: second}) == everything[:1]
    if "LastModifiedTimeAfter" in shape.members:
        second, late = (datetime.fromtimestamp(second, UTC) for second in (2001, 2500))
        assert listed(sagemaker, operation, LastModifiedTimeAfter=second, LastModifiedTimeBefore=late) == everything[2:]
        found = listed(sagemaker, operation, LastModifiedTimeBefore=second)
        assert [item for item in found if item in everything] == everything[:1]


@pytest.mark.parametrize("operation", LISTS)
def test_a_token_that_is_none_of_its_own_is_refused(sagemaker, made, operation):
    """ValidationException, whatever it holds."""
    shape = model.operation(operation).input_shape
    fixed = {
        "PipelineName": "x0",
        "ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:model/model",
        "Resource": "Pipeline",
        "PipelineExecutionArn": None,
        "HyperParameterTuningJobName": "search",
    }
    members = {name: value for name, value in fixed.items() if name in shape.members}
    if "PipelineExecutionArn" in members:
        started = sagemaker.list_pipeline_executions(PipelineName="x0")["PipelineExecutionSummaries"]
        members["PipelineExecutionArn"] = started[0]["PipelineExecutionArn"]
    client_name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation)[1:]
    for token in ("no-token", "WyJ4IiwgWzEsICJhIl1d"):
        with pytest.raises(ClientError, match=r"ValidationException.*Invalid NextToken"):
            getattr(sagemaker, client_name)(**members, NextToken=token)


def test_nothing_is_shared_across_accounts(sagemaker, made):
    """There is one account here: asked for those of others, the answer is none."""
    groups = "ListModelPackageGroups"
    assert len(listed(sagemaker, groups, CrossAccountFilterOption="SameAccount")) == 4
    assert listed(sagemaker, groups, CrossAccountFilterOption="CrossAccount") == []
    for option, hits in (("SameAccount", 3), ("CrossAccount", 0)):
        answer = sagemaker.search(Resource="Pipeline", CrossAccountFilterOption=option)
        assert answer["TotalHits"]["Value"] == hits


def test_training_jobs_are_filtered_by_what_they_ran_on(sagemaker, made):
    """By training plan; none has a warm pool here."""
    plan = "arn:aws:sagemaker:us-east-1:000000000000:training-plan/plan"
    name = f"planned-{uuid.uuid4().hex[:6]}"
    job = training(name)
    job["ResourceConfig"] = {**job["ResourceConfig"], "TrainingPlanArn": plan}
    sagemaker.create_training_job(**job)
    found = listed(sagemaker, "ListTrainingJobs", TrainingPlanArnEquals=plan)
    assert [each["TrainingJobName"] for each in found] == [name]
    assert listed(sagemaker, "ListTrainingJobs", WarmPoolStatusEquals="Available") == []


def test_components_are_found_by_their_source(local_aws, sagemaker):
    """A job in an experiment makes a component, which shows the job's state and carries its ARN."""
    sagemaker.create_experiment(ExperimentName="of-jobs")
    sagemaker.create_trial(TrialName="of-jobs-trial", ExperimentName="of-jobs")
    config = {"ExperimentName": "of-jobs", "TrialName": "of-jobs-trial", "TrialComponentDisplayName": "shown"}
    job = {**training("in-an-experiment"), "HyperParameters": {"num_round": "5"}, "ExperimentConfig": config}
    source = sagemaker.create_training_job(**job)["TrainingJobArn"]
    name = "in-an-experiment-aws-training-job"
    found = listed(sagemaker, "ListTrialComponents", SourceArn=source)
    assert [each["TrialComponentName"] for each in found] == [name]
    assert found[0]["TrialComponentSource"] == {"SourceArn": source, "SourceType": "SageMakerTrainingJob"}
    of_trial = listed(sagemaker, "ListTrialComponents", TrialName="of-jobs-trial")
    assert [each["TrialComponentName"] for each in of_trial] == [name]
    described = sagemaker.describe_trial_component(TrialComponentName=name)
    assert (described["DisplayName"], described["Status"]) == ("shown", {"PrimaryStatus": "InProgress"})
    assert described["Parameters"] == {"num_round": {"StringValue": "5"}}
    store = Store(local_aws.state_dir / "sagemaker.sqlite")
    with store.transaction() as tx:
        ended = {"TrainingJobStatus": "Failed", "FailureReason": "why", "TrainingEndTime": 5.0}
        tx.put("training_job", "in-an-experiment", {**tx.get("training_job", "in-an-experiment"), **ended})
    store.close()
    described = sagemaker.describe_trial_component(TrialComponentName=name)
    assert described["Status"] == {"PrimaryStatus": "Failed", "Message": "why"}
    assert described["EndTime"].timestamp() == 5.0
    for wrong in ({"TrialName": "no-such-trial"}, {"ExperimentName": "no-such-experiment"}):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound):
            sagemaker.create_training_job(**{**training("refused"), "ExperimentConfig": wrong})
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName="refused")


def test_tags_and_search_results_come_in_pages(local_aws, sagemaker, made):
    """50 of 60 tags at a time, the fewest that AWS allows; one of three pipelines at a time."""
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model/model"
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(60)]
    Control(local_aws.endpoint_url).set_quotas(tags_per_resource=None)
    for part in (tags[:30], tags[30:]):
        sagemaker.add_tags(ResourceArn=arn, Tags=part)
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn, PaginationConfig={"PageSize": 50})
    assert [tag for page in pages for tag in page["Tags"]] == tags
    pages = sagemaker.get_paginator("search").paginate(Resource="Pipeline", PaginationConfig={"PageSize": 1})
    names = [record["Pipeline"]["PipelineName"] for page in pages for record in page["Results"]]
    assert sorted(names) == made


UNKNOWN = "arn:aws:sagemaker:us-east-1:000000000000:model/nobody"


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda client: client.add_tags(ResourceArn=UNKNOWN, Tags=[{"Key": "a", "Value": "b"}]), "ValidationException"),
        (lambda client: client.delete_tags(ResourceArn=UNKNOWN, TagKeys=["a"]), "ValidationException"),
        (lambda client: client.delete_model_package(ModelPackageName="nobody"), "ValidationException"),
        (
            lambda client: client.delete_model_package_group_policy(ModelPackageGroupName="nobody"),
            "ValidationException",
        ),
        (
            lambda client: client.put_model_package_group_policy(ModelPackageGroupName="nobody", ResourcePolicy="{}"),
            "ValidationException",
        ),
        (
            lambda client: client.update_pipeline_version(
                PipelineArn="arn:aws:sagemaker:us-east-1:000000000000:pipeline/x0", PipelineVersionId=99
            ),
            "ResourceNotFound",
        ),
        (
            lambda client: client.batch_describe_model_package(ModelPackageArnList=["no arn"]),
            "ValidationException",
        ),
        (
            lambda client: client.get_search_suggestions(
                Resource="Pipeline", SuggestionQuery={"PropertyNameQuery": {"PropertyNameHint": "x" * 101}}
            ),
            "ValidationException",
        ),
    ],
)
def test_what_is_not_there_is_told(sagemaker, made, ask, code):
    """The error that AWS models, or its ValidationException."""
    with pytest.raises(ClientError) as caught:
        ask(sagemaker)
    assert caught.value.response["Error"]["Code"] == code
