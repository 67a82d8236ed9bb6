"""Experiments, trials, their components, and endpoint configurations."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

API_ONLY = True
VARIANT = {
    "VariantName": "all",
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large",
}


def a_name():
    return f"n-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def experiment(sagemaker):
    name = a_name()
    sagemaker.create_experiment(ExperimentName=name, Description="first", Tags=[{"Key": "team", "Value": "blue"}])
    return name


@pytest.fixture
def trial(sagemaker, experiment):
    name = a_name()
    sagemaker.create_trial(TrialName=name, ExperimentName=experiment)
    return name


@pytest.fixture
def component(sagemaker):
    name = a_name()
    sagemaker.create_trial_component(
        TrialComponentName=name,
        Parameters={"rate": {"NumberValue": 0.1}, "booster": {"StringValue": "tree"}},
        InputArtifacts={"data": {"Value": "s3://bucket/data"}},
        Status={"PrimaryStatus": "InProgress"},
    )
    return name


def test_an_experiment_is_described_as_made_and_changed(sagemaker, experiment):
    """Its name is its display name until another is given; tags are kept; a second of the name is refused."""
    described = sagemaker.describe_experiment(ExperimentName=experiment)
    assert (described["DisplayName"], described["Description"]) == (experiment, "first")
    assert sagemaker.list_tags(ResourceArn=described["ExperimentArn"])["Tags"] == [{"Key": "team", "Value": "blue"}]
    sagemaker.update_experiment(ExperimentName=experiment, DisplayName="shown")
    changed = sagemaker.describe_experiment(ExperimentName=experiment)
    assert (changed["DisplayName"], changed["Description"]) == ("shown", "first")
    assert changed["LastModifiedTime"] >= described["LastModifiedTime"]
    with pytest.raises(ClientError, match="ValidationException.*already exists"):  # noqa: RUF043
        sagemaker.create_experiment(ExperimentName=experiment)


def test_an_experiment_with_trials_stays(sagemaker, experiment, trial):
    """It is deleted once its trials are."""
    with pytest.raises(ClientError, match="1 trials belong to it"):
        sagemaker.delete_experiment(ExperimentName=experiment)
    sagemaker.update_trial(TrialName=trial, DisplayName="shown")
    assert sagemaker.describe_trial(TrialName=trial)["ExperimentName"] == experiment
    assert sagemaker.describe_trial(TrialName=trial)["DisplayName"] == "shown"
    sagemaker.delete_trial(TrialName=trial)
    sagemaker.delete_experiment(ExperimentName=experiment)
    for ask in (
        lambda: sagemaker.describe_trial(TrialName=trial),
        lambda: sagemaker.describe_experiment(ExperimentName=experiment),
        lambda: sagemaker.create_trial(TrialName=trial, ExperimentName=experiment),
        lambda: sagemaker.list_trials(ExperimentName=experiment),
        lambda: sagemaker.update_experiment(ExperimentName=experiment),
        lambda: sagemaker.update_trial(TrialName=trial),
        lambda: sagemaker.delete_trial(TrialName=trial),
        lambda: sagemaker.delete_experiment(ExperimentName=experiment),
    ):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="does not exist"):
            ask()


def test_components_are_listed_by_what_they_are_associated_with(sagemaker, experiment, trial, component):
    """By trial and by experiment; an associated one cannot be deleted, nor its trial."""
    other = a_name()
    sagemaker.create_trial_component(TrialComponentName=other)

    def listed(**members):
        found = sagemaker.list_trial_components(**members)["TrialComponentSummaries"]
        return [each["TrialComponentName"] for each in found]

    assert listed(TrialName=trial) == []
    answer = sagemaker.associate_trial_component(TrialComponentName=component, TrialName=trial)
    assert answer["TrialArn"].endswith(f":experiment-trial/{trial}")
    assert listed(TrialName=trial) == listed(ExperimentName=experiment) == [component]
    trials = sagemaker.list_trials(TrialComponentName=component)["TrialSummaries"]
    assert [each["TrialName"] for each in trials] == [trial]
    with pytest.raises(ClientError, match="DisassociateTrialComponent first"):
        sagemaker.delete_trial_component(TrialComponentName=component)
    with pytest.raises(ClientError, match="DisassociateTrialComponent first"):
        sagemaker.delete_trial(TrialName=trial)
    sagemaker.disassociate_trial_component(TrialComponentName=component, TrialName=trial)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="not associated"):
        sagemaker.disassociate_trial_component(TrialComponentName=component, TrialName=trial)
    sagemaker.delete_trial_component(TrialComponentName=component)
    for ask in (
        lambda: sagemaker.describe_trial_component(TrialComponentName=component),
        lambda: sagemaker.update_trial_component(TrialComponentName=component),
        lambda: sagemaker.delete_trial_component(TrialComponentName=component),
        lambda: sagemaker.associate_trial_component(TrialComponentName=component, TrialName=trial),
        lambda: sagemaker.list_trial_components(TrialName="no-such-trial"),
    ):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound):
            ask()
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_trial_component(TrialComponentName=other)
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_trial(TrialName=trial, ExperimentName=experiment)


def test_a_component_is_changed_member_by_member(sagemaker, component):
    """Parameters and artifacts are added and removed by name; the rest stays."""
    sagemaker.update_trial_component(
        TrialComponentName=component,
        Parameters={"depth": {"NumberValue": 3}},
        ParametersToRemove=["rate"],
        OutputArtifacts={"model": {"Value": "s3://bucket/model"}},
        Status={"PrimaryStatus": "Completed"},
    )
    described = sagemaker.describe_trial_component(TrialComponentName=component)
    assert described["Parameters"] == {"booster": {"StringValue": "tree"}, "depth": {"NumberValue": 3.0}}
    assert described["InputArtifacts"] == {"data": {"Value": "s3://bucket/data"}}
    assert described["OutputArtifacts"] == {"model": {"Value": "s3://bucket/model"}}
    assert described["Status"] == {"PrimaryStatus": "Completed"}


@pytest.mark.parametrize(
    ("create", "result", "member"),
    [
        ("experiment", "ExperimentSummaries", "ExperimentName"),
        ("trial", "TrialSummaries", "TrialName"),
        ("trial_component", "TrialComponentSummaries", "TrialComponentName"),
        ("endpoint_config", "EndpointConfigs", "EndpointConfigName"),
    ],
)
def test_lists_are_sorted_filtered_and_paged(sagemaker, experiment, create, result, member):
    """By name in either order, two at a time, and by time of creation."""
    makers = {
        "experiment": lambda name: sagemaker.create_experiment(ExperimentName=name),
        "trial": lambda name: sagemaker.create_trial(TrialName=name, ExperimentName=experiment),
        "trial_component": lambda name: sagemaker.create_trial_component(TrialComponentName=name),
        "endpoint_config": lambda name: sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[VARIANT]
        ),
    }
    names = sorted(a_name() for _ in range(5))
    for name in names:
        makers[create](name)

    def listed(**members):
        pages = sagemaker.get_paginator(f"list_{create}s").paginate(PaginationConfig={"PageSize": 2}, **members)
        found = [each[member] for page in pages for each in page[result]]
        return [name for name in found if name in names]

    assert listed() == names[::-1]
    assert listed(SortOrder="Ascending") == names
    assert listed(SortBy="Name", SortOrder="Ascending") == names
    third = getattr(sagemaker, f"describe_{create}")(**{member: names[2]})
    bound = "CreationTimeAfter" if create == "endpoint_config" else "CreatedAfter"
    assert listed(**{bound: third["CreationTime"], "SortOrder": "Ascending"}) == names[3:]
    bound = bound.replace("After", "Before")
    assert listed(**{bound: third["CreationTime"], "SortOrder": "Ascending"}) == names[:2]


def test_experiments_are_searched(sagemaker, experiment, trial, component):
    """Each resource under its own member of a record."""
    for resource, name, member in (
        ("Experiment", experiment, "Experiment"),
        ("ExperimentTrial", trial, "Trial"),
        ("ExperimentTrialComponent", component, "TrialComponent"),
    ):
        filters = [{"Name": f"{member}Name", "Operator": "Equals", "Value": name}]
        found = sagemaker.search(Resource=resource, SearchExpression={"Filters": filters})["Results"]
        assert [record[member][f"{member}Name"] for record in found] == [name]


def test_an_execution_stands_in_the_experiment_that_its_pipeline_names(sagemaker):
    """Experiment and trial are made when they are not there; a wrong name is refused before anything starts."""
    name = a_name()
    steps = [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "end"}}]
    config = {"ExperimentName": {"Get": "Execution.PipelineName"}, "TrialName": {"Get": "Parameters.Trial"}}
    text = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Trial", "Type": "String", "DefaultValue": "first"}],
        "PipelineExperimentConfig": config,
        "Steps": steps,
    }
    role = "arn:aws:iam::000000000000:role/role"
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=json.dumps(text), RoleArn=role)
    trials = [a_name(), a_name()]
    for trial in trials:
        given = [{"Name": "Trial", "Value": trial}]
        arn = sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)["PipelineExecutionArn"]
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExperimentConfig"] == {"ExperimentName": name, "TrialName": trials[1]}
    listed = sagemaker.list_trials(ExperimentName=name, SortOrder="Ascending")["TrialSummaries"]
    assert [each["TrialName"] for each in listed] == trials
    wrong = [{"Name": "Trial", "Value": "no name"}]
    with pytest.raises(ClientError, match=r"TrialName of PipelineExperimentConfig is no name"):
        sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=wrong)
    assert len(sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]) == 2


def test_names_of_properties_are_suggested(sagemaker, experiment):
    """Those that hold the hint, tags of what there is included."""

    def suggested(resource, hint):
        query = {"PropertyNameQuery": {"PropertyNameHint": hint}}
        answer = sagemaker.get_search_suggestions(Resource=resource, SuggestionQuery=query)
        return [each["PropertyName"] for each in answer["PropertyNameSuggestions"]]

    assert "TrainingJobStatus" in suggested("TrainingJob", "trainingjobst")
    assert suggested("Experiment", "tags.team") == ["Tags.team"]
    assert suggested("Pipeline", "no such property") == []
    with pytest.raises(ClientError, match="NotImplementedException"):
        sagemaker.get_search_suggestions(Resource="FeatureGroup")


def test_an_endpoint_configuration_is_kept_as_given(sagemaker):
    """Its model must exist; a second of the name is refused; after the deletion it is gone."""
    name, model = a_name(), a_name()
    with pytest.raises(ClientError, match=r'Could not find model ".*:model/'):
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**VARIANT, "ModelName": "nobody"}]
        )
    sagemaker.create_model(ModelName=model, PrimaryContainer={"Image": "image"})
    given = {"EndpointConfigName": name, "ProductionVariants": [{**VARIANT, "ModelName": model}]}
    arn = sagemaker.create_endpoint_config(**given, Tags=[{"Key": "a", "Value": "b"}])["EndpointConfigArn"]
    described = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert described["ProductionVariants"] == given["ProductionVariants"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    with pytest.raises(ClientError, match="Cannot create already existing endpoint configuration"):
        sagemaker.create_endpoint_config(**given)
    small = {"VariantName": "all", "ServerlessConfig": {"MemorySizeInMB": 1111, "MaxConcurrency": 1}}
    with pytest.raises(ClientError, match=r"Value '1111'.*enum value set: \[1024, 2048"):
        sagemaker.create_endpoint_config(EndpointConfigName=a_name(), ProductionVariants=[small])
    with pytest.raises(ClientError, match="must be unique"):
        sagemaker.create_endpoint_config(EndpointConfigName=a_name(), ProductionVariants=[VARIANT, VARIANT])
    assert [
        each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs(NameContains=name)["EndpointConfigs"]
    ] == [name]
    sagemaker.delete_endpoint_config(EndpointConfigName=name)
    for ask in (sagemaker.describe_endpoint_config, sagemaker.delete_endpoint_config):
        with pytest.raises(ClientError, match="Could not find endpoint configuration"):
            ask(EndpointConfigName=name)


def test_all_of_it_survives_a_kill(make_local_aws):
    """What was answered is there after SIGKILL."""
    import signal

    aws = make_local_aws("aws", "--api-only").start()
    sagemaker = aws.client("sagemaker")
    sagemaker.create_experiment(ExperimentName="e")
    sagemaker.create_trial(TrialName="t", ExperimentName="e")
    sagemaker.create_trial_component(TrialComponentName="c")
    sagemaker.associate_trial_component(TrialComponentName="c", TrialName="t")
    sagemaker.create_endpoint_config(EndpointConfigName="p", ProductionVariants=[VARIANT])
    aws.stop(signal.SIGKILL)
    aws.start()
    assert sagemaker.list_experiments()["ExperimentSummaries"][0]["ExperimentName"] == "e"
    assert sagemaker.list_trials(ExperimentName="e")["TrialSummaries"][0]["TrialName"] == "t"
    found = sagemaker.list_trial_components(TrialName="t")["TrialComponentSummaries"]
    assert [each["TrialComponentName"] for each in found] == ["c"]
    assert sagemaker.describe_endpoint_config(EndpointConfigName="p")["EndpointConfigName"] == "p"
