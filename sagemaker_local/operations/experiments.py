"""Experiments, their trials, and the trial components that are associated with trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagemaker_local import arns, listing
from sagemaker_local.errors import ResourceNotFoundError, ValidationError
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.operations.tags import drop_tags, put_tags

Document = dict[str, Any]

_PAGE = 10


@dataclass(frozen=True)
class _Kind:
    """One of the three kinds."""

    kind: str  # in the store
    title: str  # in AWS's members: TrialComponentName
    arn_kind: str
    words: str

    @property
    def name(self) -> str:
        return f"{self.title}Name"

    @property
    def arn(self) -> str:
        return f"{self.title}Arn"


_EXPERIMENT = _Kind("experiment", "Experiment", "experiment", "Experiment")
_TRIAL = _Kind("trial", "Trial", "experiment-trial", "Trial")
_COMPONENT = _Kind("trial_component", "TrialComponent", "experiment-trial-component", "Trial component")


def _create(call: Call, kind: _Kind, parent: str | None = None) -> Document:
    request, name = call.request, call.request[kind.name]
    arn = str(arns.Arn(call.api.region, call.api.account, kind.arn_kind, name))
    if call.tx.get(kind.kind, name) is not None:
        raise ValidationError(
            f"{kind.words} names must be unique within an AWS account and region. "
            f"{kind.words} with name ({name}) already exists."
        )
    document = {
        "DisplayName": name,
        **{member: value for member, value in request.items() if member != "Tags"},
        kind.arn: arn,
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        "CreatedBy": {},
        "LastModifiedBy": {},
    }
    call.tx.insert(kind.kind, name, document, parent=parent)
    put_tags(call, arn, request.get("Tags", []))
    return {kind.arn: arn}


# Kind in a job's ARN -> (kind in the store, title in AWS's members).
_JOBS = {
    "processing-job": ("processing_job", "ProcessingJob"),
    "training-job": ("training_job", "TrainingJob"),
    "transform-job": ("transform_job", "TransformJob"),
}


def component_of_job(call: Call, job_arn: str, config: Document) -> None:
    """Make the trial component of a job with an ExperimentConfig, named as SageMaker names it.

    Raises:
        ResourceNotFoundError: the experiment or the trial is not there.
        ValidationError: the trial belongs to another experiment.
    """
    experiment = _find(call, _EXPERIMENT, config["ExperimentName"]) if "ExperimentName" in config else None
    trial = _find(call, _TRIAL, config["TrialName"]) if "TrialName" in config else None
    if experiment and trial and trial["ExperimentName"] != experiment["ExperimentName"]:
        raise ValidationError(
            f"Trial {trial['TrialName']} belongs to experiment {trial['ExperimentName']}, "
            f"not to {experiment['ExperimentName']}."
        )
    kind, job_name = job_arn.split(":", 5)[5].split("/", 1)
    name = f"{job_name}-aws-{kind}"
    document = {
        "TrialComponentName": name,
        "TrialComponentArn": str(arns.Arn(call.api.region, call.api.account, _COMPONENT.arn_kind, name)),
        "DisplayName": config.get("TrialComponentDisplayName", name),
        "Source": {"SourceArn": job_arn, "SourceType": f"SageMaker{_JOBS[kind][1]}"},
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        "CreatedBy": {},
        "LastModifiedBy": {},
    }
    call.tx.put(_COMPONENT.kind, name, document)  # one is left over when a job of that name was deleted
    if trial is not None:
        link = {"TrialComponentName": name, "TrialName": trial["TrialName"]}
        call.tx.put("trial_link", "\n".join(link.values()), link)


def _with_job(call: Call, component: Document) -> Document:
    """Return a component with the state of its job, wherever it has no other of its own."""
    source = arns.parse(component.get("Source", {}).get("SourceArn", ""))
    if source is None or source.kind not in _JOBS:
        return component
    kind, title = _JOBS[source.kind]
    job = call.tx.get(kind, source.name)
    if job is None:
        return component
    prefix = title.removesuffix("Job")
    reason = {"Message": job["FailureReason"]} if "FailureReason" in job else {}
    shown: Document = {"Status": {"PrimaryStatus": job[f"{title}Status"], **reason}}
    for member in ("StartTime", "EndTime"):
        if f"{prefix}{member}" in job:
            shown[member] = job[f"{prefix}{member}"]
    if "HyperParameters" in job:
        shown["Parameters"] = {name: {"StringValue": value} for name, value in job["HyperParameters"].items()}
    return {**shown, **component}


def ensure_trial(call: Call, experiment: str, trial: str | None) -> None:
    """Make an experiment and a trial in it unless they are there, as an execution of a pipeline does."""
    for kind, name, parent in ((_EXPERIMENT, experiment, None), (_TRIAL, trial, experiment)):
        if name is None or call.tx.get(kind.kind, name) is not None:
            continue
        arn = str(arns.Arn(call.api.region, call.api.account, kind.arn_kind, name))
        document = {kind.name: name, "DisplayName": name, kind.arn: arn, "CreationTime": call.now}
        document |= {"LastModifiedTime": call.now, "CreatedBy": {}, "LastModifiedBy": {}}
        if parent is not None:
            document["ExperimentName"] = parent
        call.tx.insert(kind.kind, name, document, parent=parent)


def _find(call: Call, kind: _Kind, name: str | None = None) -> Document:
    wanted = call.request[kind.name] if name is None else name
    document = call.tx.get(kind.kind, wanted)
    if document is None:
        raise ResourceNotFoundError(f"{kind.words} with name ({wanted}) does not exist.")
    return document


def _save(call: Call, kind: _Kind, document: Document) -> Document:
    document["LastModifiedTime"] = call.now
    call.tx.put(kind.kind, document[kind.name], document)
    return {kind.arn: document[kind.arn]}


def _delete(call: Call, kind: _Kind, held: str, count: int) -> Document:
    document = _find(call, kind)
    if count:
        raise ValidationError(f"{kind.words} {document[kind.name]} cannot be deleted: {count} {held}.")
    drop_tags(call, document[kind.arn])
    call.tx.delete(kind.kind, document[kind.name])
    return {kind.arn: document[kind.arn]}


def _summary(kind: _Kind, *members: str) -> Any:
    shown = (kind.name, kind.arn, "DisplayName", "CreationTime", "LastModifiedTime", *members)
    return listing.pick(*shown, **{f"{kind.title}Source": "Source"})


def _list(call: Call, kind: _Kind, documents: list[Document], summary: Any) -> Document:
    """Return a page of documents chosen by a handler, sorted by time or name."""
    member = {"CreationTime": "CreationTime", "Name": kind.name}[call.request.get("SortBy", "CreationTime")]
    after, before = call.request.get("CreatedAfter"), call.request.get("CreatedBefore")
    chosen = [
        document
        for document in documents
        if (after is None or document["CreationTime"] > after) and (before is None or document["CreationTime"] < before)
    ]
    keyed: list[tuple[list[Any], Document]] = [([each[member], each[kind.name]], each) for each in chosen]
    keyed.sort(key=lambda pair: pair[0], reverse=listing.descending(call, "Descending"))
    return listing.page(call, keyed, summary, default="Descending", size=_PAGE)


@operation("CreateExperiment")
def create_experiment(call: Call) -> Document:
    return _create(call, _EXPERIMENT)


@operation("DescribeExperiment")
def describe_experiment(call: Call) -> Document:
    return _find(call, _EXPERIMENT)


@operation("UpdateExperiment")
def update_experiment(call: Call) -> Document:
    experiment = _find(call, _EXPERIMENT)
    experiment.update(call.request)
    return _save(call, _EXPERIMENT, experiment)


@operation("DeleteExperiment")
def delete_experiment(call: Call) -> Document:
    trials = call.tx.count("trial", call.request["ExperimentName"])
    return _delete(call, _EXPERIMENT, "trials belong to it; delete them with DeleteTrial first", trials)


@operation("ListExperiments")
def list_experiments(call: Call) -> Document:
    return _list(call, _EXPERIMENT, call.tx.list("experiment"), _summary(_EXPERIMENT))


@operation("CreateTrial")
def create_trial(call: Call) -> Document:
    experiment = _find(call, _EXPERIMENT)
    return _create(call, _TRIAL, parent=experiment["ExperimentName"])


@operation("DescribeTrial")
def describe_trial(call: Call) -> Document:
    return _find(call, _TRIAL)


@operation("UpdateTrial")
def update_trial(call: Call) -> Document:
    trial = _find(call, _TRIAL)
    trial.update(call.request)
    return _save(call, _TRIAL, trial)


@operation("DeleteTrial")
def delete_trial(call: Call) -> Document:
    links = len(_links(call, "TrialName", call.request["TrialName"]))
    held = "components are associated with it; take them off with DisassociateTrialComponent first"
    return _delete(call, _TRIAL, held, links)


@operation("ListTrials")
def list_trials(call: Call) -> Document:
    experiment, component = call.request.get("ExperimentName"), call.request.get("TrialComponentName")
    if experiment is not None:
        _find(call, _EXPERIMENT)
    trials = call.tx.list("trial", experiment)
    if component is not None:
        _find(call, _COMPONENT)
        linked = {link["TrialName"] for link in _links(call, "TrialComponentName", component)}
        trials = [trial for trial in trials if trial["TrialName"] in linked]
    return _list(call, _TRIAL, trials, _summary(_TRIAL))


@operation("CreateTrialComponent")
def create_trial_component(call: Call) -> Document:
    return _create(call, _COMPONENT)


@operation("DescribeTrialComponent")
def describe_trial_component(call: Call) -> Document:
    return _with_job(call, _find(call, _COMPONENT, arns.name_of(call.request["TrialComponentName"])))


@operation("UpdateTrialComponent")
def update_trial_component(call: Call) -> Document:
    component, request = _find(call, _COMPONENT), call.request
    for member in ("DisplayName", "Status", "StartTime", "EndTime"):
        if member in request:
            component[member] = request[member]
    for member in ("Parameters", "InputArtifacts", "OutputArtifacts"):
        removed = request.get(f"{member}ToRemove", [])
        kept = {name: value for name, value in component.get(member, {}).items() if name not in removed}
        merged = {**kept, **request.get(member, {})}
        if merged or member in component:
            component[member] = merged
    return _save(call, _COMPONENT, component)


@operation("DeleteTrialComponent")
def delete_trial_component(call: Call) -> Document:
    links = len(_links(call, "TrialComponentName", call.request["TrialComponentName"]))
    held = "trials are associated with it; take it off with DisassociateTrialComponent first"
    return _delete(call, _COMPONENT, held, links)


@operation("ListTrialComponents")
def list_trial_components(call: Call) -> Document:
    request = call.request
    if "ExperimentName" in request and "TrialName" in request:
        raise ValidationError("Give at most one of ExperimentName and TrialName.")
    components = [_with_job(call, each) for each in call.tx.list("trial_component")]
    if "SourceArn" in request:
        components = [each for each in components if each.get("Source", {}).get("SourceArn") == request["SourceArn"]]
    if "TrialName" in request or "ExperimentName" in request:
        linked = _linked_components(call)
        components = [each for each in components if each["TrialComponentName"] in linked]
    summary = _summary(_COMPONENT, "Status", "StartTime", "EndTime", "CreatedBy", "LastModifiedBy")
    return _list(call, _COMPONENT, components, summary)


def _linked_components(call: Call) -> set[str]:
    if "TrialName" in call.request:
        trials = [_find(call, _TRIAL)]
    else:
        trials = call.tx.list("trial", _find(call, _EXPERIMENT)["ExperimentName"])
    return {link["TrialComponentName"] for trial in trials for link in _links(call, "TrialName", trial["TrialName"])}


def _links(call: Call, member: str, name: str) -> list[Document]:
    return call.tx.find("trial_link", member, name)


@operation("AssociateTrialComponent")
def associate_trial_component(call: Call) -> Document:
    component, trial = _find(call, _COMPONENT), _find(call, _TRIAL)
    link = {"TrialComponentName": component["TrialComponentName"], "TrialName": trial["TrialName"]}
    call.tx.put("trial_link", "\n".join(link.values()), link)
    return {"TrialComponentArn": component["TrialComponentArn"], "TrialArn": trial["TrialArn"]}


@operation("DisassociateTrialComponent")
def disassociate_trial_component(call: Call) -> Document:
    component, trial = _find(call, _COMPONENT), _find(call, _TRIAL)
    key = f"{component['TrialComponentName']}\n{trial['TrialName']}"
    if not call.tx.delete("trial_link", key):
        raise ResourceNotFoundError(
            f"Trial component {component['TrialComponentName']} is not associated with trial {trial['TrialName']}."
        )
    return {"TrialComponentArn": component["TrialComponentArn"], "TrialArn": trial["TrialArn"]}
