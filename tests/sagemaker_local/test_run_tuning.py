"""Tuning jobs that run: what is chosen, how many at a time, which is best, and what a kill leaves of them."""

from __future__ import annotations

import math
import signal
import statistics
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest

from sagemaker_local.jobs.search_space import RangeError, Space, dimensions
from tests.sagemaker_local.conftest import ROLE, LocalAws, wait_for
from tests.sagemaker_local.run_support import BUCKET, definition, get, put, start
from tests.sagemaker_local.test_events import queue_for, received

RUNTIMES = Path(__file__).with_name("runtimes_tuning.yaml")
X = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]}
FINAL = ("Completed", "Failed", "Stopped")
PAGES = "jobs/hyper-parameter-tuning-job"


def arguments(image: str = "parabola", ranges: dict | None = None, **config: Any) -> dict[str, Any]:
    """Return a request without its name."""
    limits = {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2, **config.pop("limits", {})}
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "RandomSeed": 7,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {key: value for key, value in limits.items() if value is not None},
            "ParameterRanges": ranges or X,
            **config,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"fixed": "1"},
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tuned"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    }


class Tuning:
    """One tuning job, as boto3 shows it."""

    def __init__(self, aws: LocalAws, **request: Any) -> None:
        put(aws, "anything", "")
        self.sagemaker = aws.client("sagemaker")
        self.name = f"tune-{uuid.uuid4().hex[:8]}"
        request = request or arguments()
        self.sagemaker.create_hyper_parameter_tuning_job(HyperParameterTuningJobName=self.name, **request)

    def describe(self) -> dict[str, Any]:
        return self.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=self.name)

    def trainings(self, **members: Any) -> list[dict[str, Any]]:
        pages = self.sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=self.name, **members
        )
        return [each for page in pages for each in page["TrainingJobSummaries"]]

    def wait(self, status: str = "Completed") -> dict[str, Any]:
        wait_for(
            lambda: self.describe()["HyperParameterTuningJobStatus"] in FINAL,
            60,
            lambda: f"{self.describe()}\n{self.trainings()}",
        )
        described = self.describe()
        assert described["HyperParameterTuningJobStatus"] == status, (described, self.trainings())
        return described


def test_the_best_of_all_training_jobs_is_told(local_aws):
    """As many as the limit, two at a time, each with its draw beside what is static; the best by its final metric."""
    url, _ = queue_for(local_aws, "SageMaker HyperParameter Tuning Job State Change")
    tuning = Tuning(local_aws)
    described = tuning.wait()
    told = [event["detail"] for event in received(local_aws, url, 2)]
    assert [detail["HyperParameterTuningJobStatus"] for detail in told] == ["InProgress", "Completed"]
    assert told[1]["TrainingJobStatusCounters"]["Completed"] == 4
    found = tuning.trainings(SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    values = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in found]
    assert values == sorted(values, reverse=True)
    for each, value in zip(found, values, strict=True):
        assert math.isclose(value, -((float(each["TunedHyperParameters"]["x"]) - 0.7) ** 2), rel_tol=1e-5, abs_tol=1e-9)
    assert described["BestTrainingJob"] == found[0]
    assert described["TrainingJobStatusCounters"]["Completed"] == 4
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    jobs = [tuning.sagemaker.describe_training_job(TrainingJobName=each["TrainingJobName"]) for each in found]
    assert {job["TuningJobArn"] for job in jobs} == {described["HyperParameterTuningJobArn"]}
    assert jobs[0]["HyperParameters"] == {
        "fixed": "1",
        "_tuning_objective_metric": "score",
        **found[0]["TunedHyperParameters"],
    }
    assert len({job["HyperParameters"]["x"] for job in jobs}) == 4
    with urllib.request.urlopen(f"{local_aws.endpoint_url}/_local/console/{PAGES}/{tuning.name}") as page:  # noqa: S310
        shown = page.read().decode()
    assert all(each["TrainingJobName"] in shown and each["TunedHyperParameters"]["x"] in shown for each in found)
    begins = sorted(job["CreationTime"] for job in jobs)
    assert max(sum(job["CreationTime"] <= at < job["TrainingEndTime"] for job in jobs) for at in begins) <= 2


def test_grid_takes_each_combination_once(local_aws):
    """The limit follows from the categories; a minimum is the best when that is asked for."""
    ranges = {
        "CategoricalParameterRanges": [
            {"Name": "x", "Values": ["0.2", "0.7"]},
            {"Name": "side", "Values": ["left", "right"]},
        ]
    }
    limits = {"MaxNumberOfTrainingJobs": None, "MaxParallelTrainingJobs": 4}
    objective = {"Type": "Minimize", "MetricName": "score"}
    request = arguments(ranges=ranges, limits=limits, Strategy="Grid", HyperParameterTuningJobObjective=objective)
    tuning = Tuning(local_aws, **request)
    best = tuning.wait()["BestTrainingJob"]
    pairs = sorted(
        (each["TunedHyperParameters"]["x"], each["TunedHyperParameters"]["side"]) for each in tuning.trainings()
    )
    assert pairs == [("0.2", "left"), ("0.2", "right"), ("0.7", "left"), ("0.7", "right")]
    assert best["TunedHyperParameters"] == {"x": "0.2", "side": "left"}


def test_a_reached_target_ends_the_search(local_aws):
    """No training job is begun after the one that reached the objective asked for."""
    criteria = {"TargetObjectiveMetricValue": -100.0}
    limits = {"MaxNumberOfTrainingJobs": 50, "MaxParallelTrainingJobs": 1}
    tuning = Tuning(local_aws, **arguments(limits=limits, TuningJobCompletionCriteria=criteria))
    tuning.wait()
    assert len(tuning.trainings()) == 1


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("failing", "No training job completed successfully. The first: AlgorithmError"),
        ("silent", "No objective metrics found after running 4 training jobs. Please ensure that the custom algorithm"),
        ("lacking", "No module named 'polars'. What stands for the image 'lacking' needs it. Type: "),
        ("nothing-stands-for-it", "No runtime stands for the image"),
    ],
)
def test_a_search_without_any_objective_fails_with_the_reason(local_aws, image, said):
    """Whether the jobs failed or said no number."""
    tuning = Tuning(local_aws, **arguments(image))
    assert said in tuning.wait("Failed")["FailureReason"]
    assert {each["ObjectiveStatus"] for each in tuning.trainings()} == {"Failed"}


def test_stopping_stops_what_runs_and_begins_nothing(local_aws):
    """The training jobs that run are Stopped, and no further one is there."""
    tuning = Tuning(local_aws, **arguments("waiting"))
    wait_for(lambda: len(tuning.trainings(StatusEquals="InProgress")) == 2, 30, lambda: str(tuning.trainings()))
    tuning.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning.name)
    described = tuning.wait("Stopped")
    assert described["TrainingJobStatusCounters"]["Stopped"] == len(tuning.trainings()) == 2


def test_a_step_hands_on_its_best_models(local_aws):
    """Later steps name the training jobs, the best first, as the SDK's get_top_model_s3_uri does."""
    place = {
        "Std:Join": {
            "On": "/",
            "Values": [
                "s3:/",
                BUCKET,
                "tuned",
                get("Steps.Tune.TrainingJobSummaries[1].TrainingJobName"),
                "output/model.tar.gz",
            ],
        }
    }
    tune = {"Name": "Tune", "Type": "Tuning", "Arguments": arguments()}
    best = get("Steps.Tune.BestTrainingJob.TrainingJobName")
    model = {
        "Name": "CreateModel",
        "Type": "Model",
        "Arguments": {
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"Image": "image", "ModelDataUrl": place, "Environment": {"BEST": best}},
        },
    }
    run = start(local_aws, definition(tune, model))
    steps = run.wait()
    name = steps["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    assert len(name) <= 32
    request = {"HyperParameterTuningJobName": name, "SortBy": "FinalObjectiveMetricValue", "SortOrder": "Descending"}
    found = run.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**request)["TrainingJobSummaries"]
    made = run.sagemaker.describe_model(ModelName=steps["CreateModel"]["Metadata"]["Model"]["Arn"].rpartition("/")[2])
    second = run.sagemaker.describe_training_job(TrainingJobName=found[1]["TrainingJobName"])
    assert made["PrimaryContainer"]["ModelDataUrl"] == second["ModelArtifacts"]["S3ModelArtifacts"]
    assert made["PrimaryContainer"]["Environment"] == {"BEST": found[0]["TrainingJobName"]}


def test_a_killed_server_goes_on_with_the_search(make_local_aws):
    """What was cut off counts as failed, what had not begun begins once, and the limit holds."""
    aws = make_local_aws("tuned", "--runtimes", str(RUNTIMES)).start()
    limits = {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2}
    tuning = Tuning(aws, **arguments(limits=limits))
    wait_for(
        lambda: tuning.describe()["TrainingJobStatusCounters"]["Completed"] > 1, 30, lambda: str(tuning.describe())
    )
    aws.stop(signal.SIGKILL)
    aws.start()
    counters = tuning.wait()["TrainingJobStatusCounters"]
    assert counters["Completed"] + counters["RetryableError"] == 10
    assert counters["RetryableError"] <= 2
    assert len(tuning.sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]) == 10


def parabola(values: dict[str, str]) -> float:
    return (
        -((float(values["x"]) - 0.62) ** 2) - (math.log10(float(values["rate"])) + 2.5) ** 2 - (values["kind"] == "a")
    )


RANGES = {
    "ContinuousParameterRanges": [
        {"Name": "x", "MinValue": "0", "MaxValue": "1"},
        {"Name": "rate", "MinValue": "0.0001", "MaxValue": "1", "ScalingType": "Logarithmic"},
    ],
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
}


def best(strategy: str, seed: int, count: int = 15) -> float:
    space = Space(strategy, dimensions(RANGES), seed)
    known: list[tuple[dict[str, str], float]] = []
    for index in range(count):
        values = space.choose(index, known)
        known.append((values, parabola(values)))
    return max(value for _, value in known)


def test_bayesian_search_comes_closer_than_random():
    """Over several seeds, after fifteen jobs, far closer to the optimum of three hyperparameters."""
    random, bayesian = ([best(strategy, seed) for seed in range(3)] for strategy in ("Random", "Bayesian"))
    assert statistics.median(bayesian) > statistics.median(random) / 5
    assert best("Bayesian", 3) == best("Bayesian", 3)


def test_draws_stay_in_range_and_follow_the_scale():
    """Whole numbers reach both ends alike; a logarithmic scale gives each power of ten its share."""
    found = dimensions(
        {
            "IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "3"}],
            "ContinuousParameterRanges": [
                {"Name": "log", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Logarithmic"},
                {"Name": "back", "MinValue": "0.9", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
            ],
        }
    )
    space = Space("Random", found, 1)
    draws = [space.choose(index, []) for index in range(3000)]
    for number in "123":
        assert 850 < sum(draw["n"] == number for draw in draws) < 1150
    assert 850 < sum(float(draw["log"]) < 0.01 for draw in draws) < 1150
    assert 1350 < sum(float(draw["back"]) > 0.99 for draw in draws) < 1650
    assert all(0.001 <= float(draw["log"]) <= 1 and 0.9 <= float(draw["back"]) <= 0.999 for draw in draws)


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ({}, "There is no hyperparameter to tune"),
        (
            {"IntegerParameterRanges": [{"Name": "n", "MinValue": "1.5", "MaxValue": "3"}]},
            "n: MinValue and MaxValue must",
        ),
        (
            {"IntegerParameterRanges": [{"Name": "n", "MinValue": "4", "MaxValue": "3"}]},
            "n: MinValue 4 is greater than",
        ),
        (
            {
                "ContinuousParameterRanges": [
                    {"Name": "n", "MinValue": "0", "MaxValue": "3", "ScalingType": "Logarithmic"}
                ]
            },
            "Logarithmic scaling works for ranges that have only values greater than 0",
        ),
        (
            {
                "ContinuousParameterRanges": [
                    {"Name": "n", "MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"}
                ]
            },
            "within 0 <= x < 1.0",
        ),
        ({"CategoricalParameterRanges": [{"Name": "n", "Values": ["1"]}] * 2}, "more than one range"),
    ],
)
def test_ranges_that_cannot_be_searched_are_named(ranges, said):
    """With their name and what is wrong."""
    with pytest.raises(RangeError, match=said):
        dimensions(ranges)
