"""QualityCheck steps: an analyzer's job between the baseline that is and the one that it calculates.

=====  ========  ===============  ==================  =============================
Skip   Register  drift check      CalculatedBaseline  BaselineUsedForDriftCheck
=====  ========  ===============  ==================  =============================
false  false     vs the former    new                 the former
false  true      vs the former    new                 new
true   false     none             new                 the former, if there is one
true   true      none             new                 new
=====  ========  ===============  ==================  =============================

The former baseline is what the step supplies, else DriftCheckBaselines of the latest approved package of its group.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_local.engine.context import ExecutionContext
from sagemaker_local.engine.errors import StepFailedError
from sagemaker_local.engine.jobs import call, run_job
from sagemaker_local.jobs.errors import JobFailedError
from sagemaker_local.jobs.objects import exists, read_json

Document = dict[str, Any]

_METRICS = {"DATA_QUALITY": "ModelDataQuality", "MODEL_QUALITY": "ModelQuality"}
_BASELINES = {"baseline_statistics": "Statistics", "baseline_constraints": "Constraints"}
_DIRECTORY = "/opt/ml/processing/baseline"
_SHOWN = 5


def run_quality_check(context: ExecutionContext, step_name: str, job: str, given: Document) -> None:
    """Run the step; its Metadata tells what was calculated, used and violated.

    Args:
        context: the execution.
        step_name: of the step.
        job: name of its job, on record.
        given: the step's body with all expressions resolved.

    Raises:
        StepFailedError: there is nothing to check against, the job failed, or it found violations and the step says
            that these fail it.
    """
    skip, register = bool(given.get("SkipCheck")), bool(given.get("RegisterNewBaseline"))
    former = _former_baseline(context, given)
    if not skip and len(former) < len(_BASELINES):
        raise StepFailedError(_nothing_to_check_against(given, former))
    request = given["Arguments"] if skip else _with_baselines(given["Arguments"], former)
    described = run_job(context, step_name, "processing_job", job, request)
    output = _output_uri(described)
    calculated = {member: f"{output}/{member.lower()}.json" for member in _BASELINES.values()}
    used = calculated if register else former
    metadata: Document = {
        "CheckType": given["CheckType"],
        "CheckJobArn": described["ProcessingJobArn"],
        "SkipCheck": skip,
        "RegisterNewBaseline": register,
        **{f"CalculatedBaseline{member}": uri for member, uri in calculated.items()},
        **{f"BaselineUsedForDriftCheck{member}": uri for member, uri in used.items()},
    }
    if given.get("ModelPackageGroupName"):
        metadata["ModelPackageGroupName"] = given["ModelPackageGroupName"]
    report = f"{output}/constraint_violations.json"
    violations = [] if skip else _violations(context, report)
    if violations is not None and not skip:
        metadata["ViolationReport"] = report
    # The job's own Metadata is replaced: AWS shows a QualityCheck step as such.
    context.update_step(step_name, Metadata=None)
    context.update_step(step_name, Metadata={"QualityCheck": metadata})
    if violations and given.get("FailOnViolation", True) is not False:
        raise StepFailedError(_violated(violations, report))


def _former_baseline(context: ExecutionContext, given: Document) -> Document:
    """Return the S3 URIs of the former baseline, those that there are, as ``{"Statistics", "Constraints"}``."""
    registered: Document = {}
    group = given.get("ModelPackageGroupName")
    if group:
        registered = _registered(context, group, _METRICS[given["CheckType"]])
    found = {member: given.get(f"SuppliedBaseline{member}") or registered.get(member) for member in _BASELINES.values()}
    return {member: uri for member, uri in found.items() if uri}


def _registered(context: ExecutionContext, group: str, metrics: str) -> Document:
    with context.api.store.read() as tx:
        name = group.rpartition("/")[2]
        known = tx.get("model_package_group", name) is not None
    if not known:
        return {}
    request = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }
    summaries = call(context, "ListModelPackages", request)["ModelPackageSummaryList"]
    if not summaries:
        return {}
    package = call(context, "DescribeModelPackage", {"ModelPackageName": summaries[0]["ModelPackageArn"]})
    baselines = package.get("DriftCheckBaselines", {}).get(metrics, {})
    return {member: baselines[member]["S3Uri"] for member in _BASELINES.values() if member in baselines}


def _with_baselines(request: Document, former: Document) -> Document:
    """Hand the former baseline to the analyzer: as inputs of the job, named by its environment."""
    inputs = list(request.get("ProcessingInputs") or [])
    environment = dict(request.get("Environment") or {})
    for variable, member in _BASELINES.items():
        directory = f"{_DIRECTORY}/{member.lower()}"
        uri = former[member]
        inputs.append(
            {
                "InputName": variable,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": directory,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        )
        environment[variable] = f"{directory}/{uri.rpartition('/')[2]}"
    return {**request, "ProcessingInputs": inputs, "Environment": environment}


def _output_uri(described: Document) -> str:
    outputs = described.get("ProcessingOutputConfig", {}).get("Outputs", [])
    if not outputs:
        raise StepFailedError("ClientError: A QualityCheck step needs one output, for statistics and constraints.")
    return str(outputs[0]["S3Output"]["S3Uri"]).rstrip("/")


def _violations(context: ExecutionContext, report: str) -> list[Document] | None:
    """Return the violations that a report lists, None when there is no report: the analyzer writes none without any."""
    s3 = context.clients.get("s3", context.role)
    try:
        if not exists(s3, report):
            return None
        document = read_json(s3, report)
    except (JobFailedError, ClientError, BotoCoreError) as error:
        raise StepFailedError(f"ClientError: The violation report {report} cannot be read: {error}") from error
    violations = document.get("violations") if isinstance(document, dict) else None
    if not isinstance(violations, list):
        raise StepFailedError(f"ClientError: {report} is no violation report: it has no list `violations`.")
    return violations


def _violated(violations: list[Document], report: str) -> str:
    shown = [f"{each.get('feature_name')}: {each.get('constraint_check_type')}" for each in violations[:_SHOWN]]
    more = len(violations) - len(shown)
    rest = f" and {more} more" if more > 0 else ""
    return (
        f"ClientError: The check found {len(violations)} violations and FailOnViolation is true "
        f"({', '.join(shown)}{rest}). Report: {report}"
    )


def _nothing_to_check_against(given: Document, former: Document) -> str:
    group = given.get("ModelPackageGroupName")
    missing = " and ".join(member.lower() for member in _BASELINES.values() if member not in former)
    where = (
        f"the latest approved model package of {group} has none in its DriftCheckBaselines"
        if group
        else "the step names no ModelPackageGroupName"
    )
    return (
        f"ClientError: There is no baseline ({missing}) to check against: none is supplied and {where}. "
        "Supply one, register a model with DriftCheckBaselines and approve it, or set SkipCheck to true."
    )
