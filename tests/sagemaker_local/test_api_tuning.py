"""Tuning jobs as resources: what is checked, listed, filtered and deleted; what they run is another file's affair."""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from sagemaker_local.store import Store
from tests.sagemaker_local.test_api_persistence import tuning

API_ONLY = True


def a_name() -> str:
    return f"n{uuid.uuid4().hex[:12]}"


def put(local_aws, kind, key, body):
    store = Store(local_aws.state_dir / "sagemaker.sqlite")
    with store.transaction() as tx:
        tx.put(kind, key, {**(tx.get(kind, key) or {}), **body})
    store.close()


@pytest.fixture(scope="module")
def searched(local_aws, sagemaker):
    """A search with three training jobs: two with an objective, one that failed."""
    name = a_name()
    sagemaker.create_hyper_parameter_tuning_job(**tuning(name))
    trials = [{"name": f"{name}-{number:03d}", "tuned": {"x": str(number)}} for number in range(3)]
    put(local_aws, "tuning_job", name, {"_local": {"trials": trials}})
    for number, trial in enumerate(trials):
        status = "Failed" if number == 2 else "Completed"
        put(
            local_aws,
            "training_job",
            trial["name"],
            {
                "TrainingJobName": trial["name"],
                "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{trial['name']}",
                "TrainingJobStatus": status,
                "CreationTime": 1000.0 + number,
                **({"FailureReason": "AlgorithmError: no"} if status == "Failed" else {}),
                "FinalMetricDataList": [{"MetricName": "score", "Value": 5.0 - number, "Timestamp": 1.0}],
            },
        )
    return name


def test_a_search_is_described_as_it_was_asked_for(sagemaker):
    """Name, ARN, status, and everything of the request."""
    request = tuning(a_name())
    arn = sagemaker.create_hyper_parameter_tuning_job(**request)["HyperParameterTuningJobArn"]
    assert arn.endswith(f":hyper-parameter-tuning-job/{request['HyperParameterTuningJobName']}")
    described = sagemaker.describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=request["HyperParameterTuningJobName"]
    )
    assert request.items() <= described.items()
    assert described["HyperParameterTuningJobStatus"] == "InProgress"
    assert "BestTrainingJob" not in described
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_hyper_parameter_tuning_job(**request)


def test_its_training_jobs_are_sorted_filtered_and_paged(sagemaker, searched):
    """By name, time, status or objective; those without an objective are left out where it decides."""
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")

    def listed(**members):
        found = pages.paginate(HyperParameterTuningJobName=searched, PaginationConfig={"PageSize": 1}, **members)
        return [int(job["TunedHyperParameters"]["x"]) for page in found for job in page["TrainingJobSummaries"]]

    assert listed() == [0, 1, 2]
    assert listed(SortBy="CreationTime", SortOrder="Descending") == [2, 1, 0]
    assert listed(SortBy="FinalObjectiveMetricValue") == [1, 0]
    assert listed(SortBy="Status", SortOrder="Descending") == [2, 1, 0]
    assert listed(StatusEquals="Failed") == [2]
    described = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=searched)
    assert described["BestTrainingJob"]["TunedHyperParameters"] == {"x": "0"}
    counters = {"Completed": 2, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 1, "Stopped": 0}
    assert described["TrainingJobStatusCounters"] == counters
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 2, "Pending": 0, "Failed": 1}
    summary = sagemaker.list_hyper_parameter_tuning_jobs(NameContains=searched)["HyperParameterTuningJobSummaries"][0]
    assert (summary["Strategy"], summary["TrainingJobStatusCounters"]) == ("Random", counters)
    with pytest.raises(ClientError, match="Invalid NextToken"):
        sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=searched, NextToken="x")


def test_bounds_in_time_names_and_status_choose_searches(local_aws, sagemaker):
    """Each filter of the list, with pages."""
    prefix = a_name()
    for number in range(3):
        sagemaker.create_hyper_parameter_tuning_job(**tuning(f"{prefix}-{number}"))
        times = {"CreationTime": 1000.0 + number, "LastModifiedTime": 2000.0 + number}
        status = {"HyperParameterTuningJobStatus": "Completed"} if number else {}
        put(local_aws, "tuning_job", f"{prefix}-{number}", {**times, **status})

    def listed(**members):
        pages = sagemaker.get_paginator("list_hyper_parameter_tuning_jobs").paginate(
            NameContains=prefix, PaginationConfig={"PageSize": 1}, **members
        )
        return [
            int(job["HyperParameterTuningJobName"][-1])
            for page in pages
            for job in page["HyperParameterTuningJobSummaries"]
        ]

    def at(second):
        return datetime.fromtimestamp(second, UTC)

    assert listed() == [0, 1, 2]
    assert listed(SortBy="Name", SortOrder="Descending") == [2, 1, 0]
    assert listed(StatusEquals="Completed") == [1, 2]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        sagemaker.list_hyper_parameter_tuning_jobs(NextToken="x")
    assert listed(CreationTimeAfter=at(1000), CreationTimeBefore=at(1002)) == [1]
    assert listed(LastModifiedTimeAfter=at(2000), LastModifiedTimeBefore=at(2002)) == [1]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "HyperParameterTuningJobConfig.Strategy",
            "Hyperband",
            "NotImplementedException.*Hyperband.*use Bayesian, Random",
        ),
        (
            "HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType",
            "Auto",
            "NotImplementedException.*EarlyStopping",
        ),
        ("WarmStartConfig", {"ParentHyperParameterTuningJobs": [{}], "WarmStartType": "TransferLearning"}, "WarmStart"),
        (
            "TrainingJobDefinition.AlgorithmSpecification",
            {"AlgorithmName": "mine", "TrainingInputMode": "File"},
            "NotImplementedException.*TrainingJobDefinition.AlgorithmSpecification.AlgorithmName",
        ),
        ("HyperParameterTuningJobConfig.HyperParameterTuningJobObjective", None, "needs a HyperParameterTuningJobObj"),
        ("HyperParameterTuningJobConfig.ResourceLimits", {"MaxParallelTrainingJobs": 1}, "needs MaxNumberOfTraining"),
        ("HyperParameterTuningJobConfig.ParameterRanges", {}, "no hyperparameter to tune"),
        ("HyperParameterTuningJobConfig.Strategy", "Grid", "Strategy Grid takes categorical ranges only, not x"),
        ("TrainingJobDefinition.StaticHyperParameters", {"x": "1"}, "both static and tuned: x"),
        ("TrainingJobDefinition.ResourceConfig", None, "needs ResourceConfig"),
        ("TrainingJobDefinition", None, "needs a TrainingJobDefinition"),
    ],
)
def test_what_cannot_be_searched_is_refused(sagemaker, path, value, said):
    """Before anything is on record, and by name."""
    request = copy.deepcopy(tuning(a_name()))
    *parents, last = path.split(".")
    place = request
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    with pytest.raises(ClientError, match=said):
        sagemaker.create_hyper_parameter_tuning_job(**request)


def test_a_grid_has_as_many_jobs_as_combinations(sagemaker):
    """Another limit is refused with the right number."""
    request = tuning(a_name())
    config = request["HyperParameterTuningJobConfig"]
    config["Strategy"] = "Grid"
    config["ParameterRanges"] = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2", "3"]}]}
    with pytest.raises(ClientError, match="number of distinct categorical combinations, 3"):
        sagemaker.create_hyper_parameter_tuning_job(**request)


def test_what_is_not_there_is_told(sagemaker):
    """ResourceNotFound where AWS models it."""
    missing = {"HyperParameterTuningJobName": "nobody"}
    for operation in ("describe", "stop"):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound):
            getattr(sagemaker, f"{operation}_hyper_parameter_tuning_job")(**missing)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**missing)
    with pytest.raises(ClientError, match="Could not find requested job"):
        sagemaker.delete_hyper_parameter_tuning_job(**missing)


def test_a_search_that_runs_is_not_deleted(local_aws, sagemaker):
    """Stopped or ended, it is; its training jobs stay."""
    name = a_name()
    sagemaker.create_hyper_parameter_tuning_job(**tuning(name))
    with pytest.raises(ClientError, match="ResourceInUse"):
        sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    put(local_aws, "tuning_job", name, {"HyperParameterTuningJobStatus": "Stopped"})
    sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
