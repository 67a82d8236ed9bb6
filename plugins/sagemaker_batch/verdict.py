"""The verdict on a day: one table of rules, no I/O.

| condition | severity | verdict | action |
|---|---|---|---|
| no violation | none | clean | publish |
| drift, completeness, values outside the domains, below the configured share of features | warning | warned | publish |
| the same at or above that share | critical | held | hold |
| broken schema (missing or extra column, wrong type) | critical | held | hold |
| the monitor or the transform could not run | error | failed | fail |
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from sagemaker_batch.errors import MonitorError
from sagemaker_batch.status import Meaning, meaning
from sagemaker_batch.violations import TopFeature, Violation, share

CLEAN_MESSAGE = "Completed:"
VIOLATIONS_MESSAGE = "CompletedWithViolations:"


@dataclass(frozen=True)
class Evidence:
    """Everything that a verdict rests on; `drift` is what drift_report.json flags, None when it does not decide.

    `violations` is None when there is no report; `exit_message` is the monitoring job's; `monitored` counts the
    features in the day's statistics; `scorable` is None when PrepareBatch left no report.
    """

    execution_status: str
    execution_reason: str
    monitoring_status: str
    exit_message: str
    violations: list[Violation] | None
    monitored: int
    scorable: bool | None
    prepare_reasons: list[str] = field(default_factory=list)
    transform_status: str = ""
    failed_steps: list[dict[str, Any]] = field(default_factory=list)
    drift: list[Violation] | None = None


@dataclass(frozen=True)
class Verdict:
    """What is decided, and why. `share` is that of the violated among the monitored features (0-1)."""

    verdict: str
    severity: str
    action: str
    reasons: list[str]
    share: float = 0.0
    top_features: list[TopFeature] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as records carry it."""
        return asdict(self)


def decide(evidence: Evidence, critical_share: float) -> Verdict:  # noqa: PLR0911 - one answer a row of the table
    """Apply the table. Whatever does not fit together is an error and never clean."""
    try:
        violations = _trusted_violations(evidence)
    except MonitorError as error:
        return _failed(str(error), evidence)
    violations = deciding(violations, evidence.drift)
    broken = [item for item in violations if item.breaks_schema]
    if meaning(evidence.execution_status) is Meaning.SUCCEEDED:
        if evidence.scorable is False:
            return _failed("The execution succeeded although the batch was not scorable; its parts disagree.", evidence)
        if evidence.transform_status != "Succeeded":
            return _failed(f"The transform is {evidence.transform_status or 'absent'}, not Succeeded.", evidence)
    elif not (broken and evidence.scorable is False):
        return _failed("The pipeline execution did not succeed.", evidence)
    part = share(violations, evidence.monitored) if violations else 0.0
    if not violations:
        nothing = "No constraint is violated." if evidence.drift is None else "drift_report.json flags no feature."
        return Verdict("clean", "none", "publish", [nothing])
    if broken:
        reasons = [f"Broken schema: {item.feature}: {item.description}" for item in broken]
        reasons += evidence.prepare_reasons
        return Verdict("held", "critical", "hold", reasons, part)
    features = len({item.feature for item in violations})
    said = f"{features} of {evidence.monitored} monitored features ({part:.1%}) "
    said += "violate their constraints" if evidence.drift is None else "are flagged by drift_report.json"
    if part >= critical_share:
        return Verdict("held", "critical", "hold", [f"{said}; critical from {critical_share:.0%}."], part)
    return Verdict("warned", "warning", "publish", [f"{said}; below {critical_share:.0%}."], part)


def deciding(violations: list[Violation], drift: list[Violation] | None) -> list[Violation]:
    """Return what decides: the violations, or a broken schema among them and what drift_report.json flags."""
    if drift is None:
        return violations
    return [item for item in violations if item.breaks_schema] + drift


def _trusted_violations(evidence: Evidence) -> list[Violation]:
    """Return the violations if monitoring step, exit message and report agree.

    Raises:
        MonitorError: they do not, so nobody knows what the day is like.
    """
    if evidence.monitoring_status != "Succeeded":
        raise MonitorError(f"The monitoring step is {evidence.monitoring_status or 'absent'}, not Succeeded.")
    said, found = evidence.exit_message.strip(), evidence.violations
    if said.startswith(VIOLATIONS_MESSAGE):
        if not found:
            raise MonitorError(f"The monitor says {said!r}, and its report names no violation.")
        return found
    if said.startswith(CLEAN_MESSAGE):
        if found:
            raise MonitorError(f"The monitor says {said!r}, and its report names {len(found)} violation(s).")
        return []
    raise MonitorError(
        f"The monitoring job left the exit message {said!r}; a finished check says {CLEAN_MESSAGE!r} or "
        f"{VIOLATIONS_MESSAGE!r}."
    )


def _failed(what: str, evidence: Evidence) -> Verdict:
    reasons = [what]
    if evidence.execution_reason:
        reasons.append(f"SageMaker says: {evidence.execution_reason}")
    reasons += [f"Step {item['name']}: {item['reason'] or 'no reason given'}" for item in evidence.failed_steps]
    return Verdict("failed", "error", "fail", reasons)
