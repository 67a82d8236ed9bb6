"""Processing, training and transform jobs and models as resources; what they run is the running half's affair."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from sagemaker_local.store import Store

API_ONLY = True
ROLE = "arn:aws:iam::000000000000:role/sagemaker-batch-execution-local"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1}


def a_name() -> str:
    return f"n{uuid.uuid4().hex[:12]}"


def processing(sagemaker, name, **members):
    return sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=ROLE,
        AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["true"]},
        ProcessingResources={"ClusterConfig": {**CLUSTER, "VolumeSizeInGB": 1}},
        **members,
    )


def training(sagemaker, name, **members):
    return sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://bucket/out/"},
        ResourceConfig={**CLUSTER, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        **members,
    )


def model(sagemaker, name):
    return sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"},
    )


def transform(sagemaker, name, **members):
    if "ModelName" not in members:
        members["ModelName"] = a_name()
        model(sagemaker, members["ModelName"])
    return sagemaker.create_transform_job(
        TransformJobName=name,
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
        TransformOutput={"S3OutputPath": "s3://bucket/out"},
        TransformResources=CLUSTER,
        **members,
    )


KINDS = [
    pytest.param(processing, "Processing", "processing", id="processing"),
    pytest.param(training, "Training", "training", id="training"),
    pytest.param(transform, "Transform", "transform", id="transform"),
]


def ask(sagemaker, verb, title, name):
    operation = getattr(sagemaker, f"{verb}_{title.lower()}_job")
    return operation(**{f"{title}JobName": name})


def change(local_aws, title, name, **members):
    """Change a job as the running half does."""
    store = Store(local_aws.state_dir / "sagemaker.sqlite")
    with store.transaction() as tx:
        tx.put(f"{title.lower()}_job", name, {**tx.get(f"{title.lower()}_job", name), **members})
    store.close()


def finish(local_aws, title, name, status="Completed"):
    change(local_aws, title, name, **{f"{title}JobStatus": status})


@pytest.mark.parametrize(("create", "title", "kind"), KINDS)
def test_a_job_is_described_as_it_was_asked_for(sagemaker, create, title, kind):
    """A new job is InProgress and has its ARN and creation time."""
    name = a_name()
    arn = create(sagemaker, name)[f"{title}JobArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:000000000000:{kind}-job/{name}"
    described = ask(sagemaker, "describe", title, name)
    assert described[f"{title}JobArn"] == arn
    assert described[f"{title}JobStatus"] == "InProgress"
    assert described["CreationTime"].tzinfo is not None


def test_a_training_job_tells_where_its_model_will_be(sagemaker):
    """ModelArtifacts, SecondaryStatus and its transitions are there from the beginning."""
    name = a_name()
    training(sagemaker, name, HyperParameters={"num_round": "5"})
    described = sagemaker.describe_training_job(TrainingJobName=name)
    assert described["ModelArtifacts"] == {"S3ModelArtifacts": f"s3://bucket/out/{name}/output/model.tar.gz"}
    assert described["SecondaryStatus"] == "Starting"
    assert [transition["Status"] for transition in described["SecondaryStatusTransitions"]] == ["Starting"]
    assert described["HyperParameters"] == {"num_round": "5"}


@pytest.mark.parametrize(("create", "title", "kind"), KINDS)
def test_a_name_is_taken_once(sagemaker, create, title, kind):
    """The second job of a name is ResourceInUse, and the first stays."""
    name = a_name()
    create(sagemaker, name)
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="already exists"):
        create(sagemaker, name)


@pytest.mark.parametrize("verb", ["describe", "stop"])
@pytest.mark.parametrize(("create", "title", "kind"), KINDS)
def test_a_missing_job_is_the_error_that_airflow_takes_for_no_such_job(sagemaker, create, title, kind, verb):
    """ValidationException, as AWS answers (and not as it models): the operators look for it."""
    with pytest.raises(ClientError) as caught:
        ask(sagemaker, verb, title, "nobody")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    said = "Requested resource not found." if title == "Training" else "Could not find"
    assert said in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(("create", "title", "kind"), KINDS)
def test_a_job_is_stopped_once(local_aws, sagemaker, create, title, kind):
    """Stopping, and again Stopping; what has ended cannot be stopped."""
    name = a_name()
    create(sagemaker, name)
    for _ in range(2):
        ask(sagemaker, "stop", title, name)
        assert ask(sagemaker, "describe", title, name)[f"{title}JobStatus"] == "Stopping"
    finish(local_aws, title, name, "Stopped")
    with pytest.raises(ClientError, match="is in status Stopped"):
        ask(sagemaker, "stop", title, name)


@pytest.mark.parametrize(("create", "title", "kind"), KINDS)
def test_jobs_are_filtered_sorted_and_paged(local_aws, sagemaker, create, title, kind):
    """By part of the name, status, time and order, over more pages than one."""
    mark = a_name()
    names = [f"{mark}-{number}" for number in range(5)]
    for second, name in enumerate(names):
        create(sagemaker, name)
        change(local_aws, title, name, CreationTime=1000.0 + second)
    finish(local_aws, title, names[1])

    def listed(**members):
        pages = sagemaker.get_paginator(f"list_{title.lower()}_jobs").paginate(NameContains=mark, **members)
        return [job[f"{title}JobName"] for page in pages for job in page[f"{title}JobSummaries"]]

    assert listed() == (names if title != "Transform" else names[::-1])
    assert listed(SortOrder="Ascending", PaginationConfig={"PageSize": 2}) == names
    assert listed(SortBy="Name", SortOrder="Descending", PaginationConfig={"PageSize": 2}) == names[::-1]
    assert listed(StatusEquals="Completed") == [names[1]]
    third = datetime.fromtimestamp(1002, UTC)
    assert listed(CreationTimeAfter=third, SortOrder="Ascending") == names[3:]
    assert listed(CreationTimeBefore=third, SortOrder="Ascending") == names[:2]


@pytest.mark.parametrize(("create", "title", "kind"), KINDS[:2])
def test_only_a_job_that_has_ended_is_deleted(local_aws, sagemaker, create, title, kind):
    """ResourceInUse while it runs; afterwards its name is free."""
    name = a_name()
    create(sagemaker, name)
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="InProgress"):
        ask(sagemaker, "delete", title, name)
    finish(local_aws, title, name)
    ask(sagemaker, "delete", title, name)
    create(sagemaker, name)


def test_tags_of_a_job_are_kept(sagemaker):
    """What is given at creation is listed."""
    tags = [{"Key": "team", "Value": "blue"}]
    arn = processing(sagemaker, a_name(), Tags=tags)["ProcessingJobArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags


def test_a_transform_needs_a_model(sagemaker):
    """A model that is not there is a ValidationException that names it."""
    with pytest.raises(ClientError, match=r'ValidationException.*Could not find model ".*:model/nobody"'):
        transform(sagemaker, a_name(), ModelName="nobody")


def test_training_jobs_are_found_by_their_hyperparameters(sagemaker):
    """Hyperparameters are text and compare as numbers."""
    mark = a_name()
    for rounds in ("9", "10"):
        training(sagemaker, f"{mark}-{rounds}", HyperParameters={"num_round": rounds})
    filters = [
        {"Name": "TrainingJobName", "Operator": "Contains", "Value": mark},
        {"Name": "HyperParameters.num_round", "Operator": "GreaterThan", "Value": "9"},
    ]
    found = sagemaker.search(Resource="TrainingJob", SearchExpression={"Filters": filters})["Results"]
    assert [record["TrainingJob"]["TrainingJobName"] for record in found] == [f"{mark}-10"]


def test_models_are_created_listed_and_deleted(sagemaker):
    """A second creation is a ValidationException; after the deletion it is gone."""
    name = a_name()
    arn = model(sagemaker, name)["ModelArn"]
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        model(sagemaker, name)
    assert sagemaker.describe_model(ModelName=name)["ModelArn"] == arn
    assert [item["ModelName"] for item in sagemaker.list_models(NameContains=name)["Models"]] == [name]
    sagemaker.delete_model(ModelName=name)
    for operation in (sagemaker.describe_model, sagemaker.delete_model):
        with pytest.raises(ClientError, match="ValidationException.*Could not find model"):  # noqa: RUF043
            operation(ModelName=name)


def test_a_model_of_a_package_needs_its_approval(sagemaker):
    """Only an Approved version becomes a model."""
    group, name = a_name(), a_name()
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    package = sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    with pytest.raises(ClientError, match="PendingManualApproval"):
        sagemaker.create_model(ModelName=name, PrimaryContainer={"ModelPackageName": package})
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    sagemaker.create_model(ModelName=name, PrimaryContainer={"ModelPackageName": package})
    assert sagemaker.describe_model(ModelName=name)["PrimaryContainer"] == {"ModelPackageName": package}


@pytest.mark.parametrize(
    ("create", "members", "path"),
    [
        (
            processing,
            {"ProcessingInputs": [{"InputName": "a", "DatasetDefinition": {"LocalPath": "/opt/ml/processing/a"}}]},
            "ProcessingInputs.DatasetDefinition",
        ),
        (
            training,
            {
                "InputDataConfig": [
                    {
                        "ChannelName": "train",
                        "DataSource": {
                            "FileSystemDataSource": {
                                "FileSystemId": "fs-0123456789a",
                                "FileSystemAccessMode": "ro",
                                "FileSystemType": "EFS",
                                "DirectoryPath": "/a",
                            }
                        },
                    }
                ]
            },
            "InputDataConfig.DataSource.FileSystemDataSource",
        ),
    ],
)
def test_data_that_would_not_come_is_refused(sagemaker, create, members, path):
    """501 with the member's path, and no job: ignoring it would run the job without its data."""
    name = a_name()
    with pytest.raises(ClientError, match=f"NotImplementedException.*{path}"):
        create(sagemaker, name, **members)
    title = "Processing" if create is processing else "Training"
    with pytest.raises(ClientError, match=r"not found|not find"):
        ask(sagemaker, "describe", title, name)
