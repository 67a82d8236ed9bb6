"""Hyperparameter tuning jobs as resources: what may be asked for, and what their training jobs have come to."""

from __future__ import annotations

import math
from typing import Any

from sagemaker_local import listing
from sagemaker_local.errors import NotImplementedHereError, ResourceNotFoundError, ValidationError
from sagemaker_local.jobs.search_space import CATEGORICAL, Dimension, RangeError, dimensions
from sagemaker_local.jobs.tuning import KIND, TRAINING, objective_of, objective_value, ranges_of
from sagemaker_local.operations.jobs import TRAINING as TRAINING_JOB
from sagemaker_local.operations.jobs import JobKind, create_job, delete_job, list_jobs, stop_job
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.store import Transaction

Document = dict[str, Any]

STRATEGIES = ("Bayesian", "Random", "Grid")
_SUMMARY = (
    "HyperParameterTuningJobName",
    "HyperParameterTuningJobArn",
    "HyperParameterTuningJobStatus",
    "CreationTime",
    "HyperParameterTuningEndTime",
)
TUNING = JobKind(
    KIND,
    "HyperParameterTuningJob",
    "hyper-parameter-tuning-job",
    lambda call: {"LastModifiedTime": call.now},
    _SUMMARY,
    refused=(
        "TrainingJobDefinitions",
        "WarmStartConfig",
        "Autotune",
        "HyperParameterTuningJobConfig.StrategyConfig",
        "HyperParameterTuningJobConfig.ResourceLimits.MaxRuntimeInSeconds",
        "HyperParameterTuningJobConfig.ParameterRanges.AutoParameters",
        "HyperParameterTuningJobConfig.TuningJobCompletionCriteria.ConvergenceDetected",
        "TrainingJobDefinition.HyperParameterRanges.AutoParameters",
        "TrainingJobDefinition.HyperParameterTuningResourceConfig",
        # What its training jobs would be refused for.
        *(f"TrainingJobDefinition.{path}" for path in TRAINING_JOB.refused if "." in path),
    ),
)


@operation("CreateHyperParameterTuningJob")
def create_tuning_job(call: Call) -> Document:
    request = call.request
    config = request["HyperParameterTuningJobConfig"]
    if config["Strategy"] not in STRATEGIES:
        raise NotImplementedHereError(
            f"CreateHyperParameterTuningJob with Strategy {config['Strategy']} (use {', '.join(STRATEGIES)} here)"
        )
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise NotImplementedHereError("CreateHyperParameterTuningJob with TrainingJobEarlyStoppingType Auto")
    if "TrainingJobDefinition" not in request and not any(name in request for name in TUNING.refused):
        raise ValidationError("A tuning job needs a TrainingJobDefinition.")
    if "TrainingJobDefinition" in request:
        _check(config, request["TrainingJobDefinition"], request)
    return create_job(call, TUNING)


def _check(config: Document, definition: Document, request: Document) -> None:
    """Check what the service model does not.

    Raises:
        ValidationError: something is missing, or two things do not go together.
    """
    if "HyperParameterTuningJobObjective" not in config and "TuningObjective" not in definition:
        raise ValidationError("A tuning job needs a HyperParameterTuningJobObjective.")
    missing = [name for name in ("ResourceConfig",) if name not in definition]
    if missing and "HyperParameterTuningResourceConfig" not in definition:
        raise ValidationError(f"A TrainingJobDefinition needs {', '.join(missing)}.")
    ranges = ranges_of(request)
    if ranges.get("AutoParameters"):
        return  # refused by name
    try:
        searched = dimensions(ranges)
    except RangeError as error:
        raise ValidationError(str(error)) from error
    both = sorted({each.name for each in searched} & set(definition.get("StaticHyperParameters") or {}))
    if both:
        raise ValidationError(f"Hyperparameters are both static and tuned: {', '.join(both)}.")
    _check_count(config, searched)


def _check_count(config: Document, searched: list[Dimension]) -> None:
    limit = config["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    if config["Strategy"] != "Grid":
        if limit is None:
            raise ValidationError(f"ResourceLimits needs MaxNumberOfTrainingJobs with Strategy {config['Strategy']}.")
        return
    numeric = [each.name for each in searched if each.kind != CATEGORICAL]
    if numeric:
        raise ValidationError(f"Strategy Grid takes categorical ranges only, not {', '.join(numeric)}.")
    size = math.prod(len(each.values) for each in searched)
    if limit is not None and limit != size:
        raise ValidationError(
            f"MaxNumberOfTrainingJobs must equal the number of distinct categorical combinations, {size}, or be left "
            f"out with Strategy Grid; it is {limit}."
        )


@operation("DescribeHyperParameterTuningJob")
def describe_tuning_job(call: Call) -> Document:
    document = _find(call)
    return {**document, **progress(call.tx, document)}


@operation("ListHyperParameterTuningJobs")
def list_tuning_jobs(call: Call) -> Document:
    def more(document: Document) -> Document:
        config = document["HyperParameterTuningJobConfig"]
        counters = _counters(summaries(call.tx, document))
        return {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"], **counters}

    return list_jobs(call, TUNING, default="Ascending", more=more)


@operation("StopHyperParameterTuningJob")
def stop_tuning_job(call: Call) -> None:
    _find(call)
    stop_job(call, TUNING)


@operation("DeleteHyperParameterTuningJob")
def delete_tuning_job(call: Call) -> None:
    delete_job(call, TUNING)


@operation("ListTrainingJobsForHyperParameterTuningJob")
def list_training_jobs_for_tuning_job(call: Call) -> Document:
    document = _find(call)
    found = summaries(call.tx, document)
    if "StatusEquals" in call.request:
        found = [each for each in found if each["TrainingJobStatus"] == call.request["StatusEquals"]]
    sort = call.request.get("SortBy", "Name")
    falling = listing.descending(call, "Ascending")
    if sort == "FinalObjectiveMetricValue":
        # Jobs without a value are left out, as AWS documents.
        found = [each for each in found if "FinalHyperParameterTuningJobObjectiveMetric" in each]
    keys = {
        "Name": lambda each: each["TrainingJobName"],
        "Status": lambda each: each["TrainingJobStatus"],
        "CreationTime": lambda each: each["CreationTime"],
        "FinalObjectiveMetricValue": lambda each: each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
    }
    keyed = sorted(([keys[sort](each), each["TrainingJobName"]], each) for each in found)
    if falling:
        keyed.reverse()
    return listing.page(call, keyed, lambda each: each, default="Ascending", size=10)


def progress(tx: Transaction, document: Document) -> Document:
    """Return how far a tuning job has come: counters, and its best training job once there is one."""
    trials = summaries(tx, document)
    best = _by_objective(document, trials)[:1]
    return {**_counters(trials), "BestTrainingJob": best[0]} if best else _counters(trials)


def summaries(tx: Transaction, document: Document) -> list[Document]:
    """Return what AWS shows of each training job of a tuning job, in the order in which they were begun."""
    objective = objective_of(document)
    found: list[Document] = []
    for trial in document["_local"].get("trials", []):
        training = tx.get(TRAINING, trial["name"])
        if training is None:
            continue
        value = objective_value(training, objective["MetricName"])
        ended = training["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"}
        shown = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime")
        summary = {member: training[member] for member in (*shown, "TrainingJobStatus") if member in training}
        if "FailureReason" in training:
            summary["FailureReason"] = training["FailureReason"]
        if "DefinitionName" in document["TrainingJobDefinition"]:
            summary["TrainingJobDefinitionName"] = document["TrainingJobDefinition"]["DefinitionName"]
        summary["TunedHyperParameters"] = trial["tuned"]
        summary["ObjectiveStatus"] = "Pending" if not ended else "Failed" if value is None else "Succeeded"
        if value is not None:
            summary["FinalHyperParameterTuningJobObjectiveMetric"] = {
                "MetricName": objective["MetricName"],
                "Value": value,
            }
        found.append(summary)
    return found


def _by_objective(document: Document, trials: list[Document]) -> list[Document]:
    """Return the training jobs that have an objective, the best first."""
    found = [each for each in trials if "FinalHyperParameterTuningJobObjectiveMetric" in each]
    sign = -1 if objective_of(document)["Type"] == "Maximize" else 1
    return sorted(found, key=lambda each: sign * each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


def _counters(trials: list[Document]) -> Document:
    statuses = [each["TrainingJobStatus"] for each in trials]
    # Only an error of the service itself can be tried again.
    internal = sum(
        each["TrainingJobStatus"] == "Failed" and each.get("FailureReason", "").startswith("InternalServerError")
        for each in trials
    )
    objectives = [each["ObjectiveStatus"] for each in trials]
    return {
        "TrainingJobStatusCounters": {
            "Completed": statuses.count("Completed"),
            "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
            "RetryableError": internal,
            "NonRetryableError": statuses.count("Failed") - internal,
            "Stopped": statuses.count("Stopped"),
        },
        "ObjectiveStatusCounters": {state: objectives.count(state) for state in ("Succeeded", "Pending", "Failed")},
    }


def _find(call: Call) -> Document:
    name = call.request["HyperParameterTuningJobName"]
    document = call.tx.get(KIND, name)
    if document is None:
        raise ResourceNotFoundError(f"Hyper parameter tuning job {name} does not exist.")
    return document
