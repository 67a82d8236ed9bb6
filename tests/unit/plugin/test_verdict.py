"""From a report to a verdict."""

import pytest

from sagemaker_batch.assess import discreet
from sagemaker_batch.errors import MonitorError
from sagemaker_batch.verdict import Evidence, decide
from sagemaker_batch.violations import Violation, parse, share, top_features

CLEAN = "Completed: Job completed successfully with no violations."
DIRTY = "CompletedWithViolations: Job completed successfully with 1 violations."


def violation(feature="Day Mins", check="baseline_drift_check"):
    return Violation(feature, check, f"{check} of {feature}")


def evidence(**changes):
    given = {
        "execution_status": "Succeeded",
        "execution_reason": "",
        "monitoring_status": "Succeeded",
        "exit_message": DIRTY if changes.get("violations") else CLEAN,
        "violations": None,
        "monitored": 10,
        "scorable": True,
        "transform_status": "Succeeded",
        **changes,
    }
    return Evidence(**given)


def judged(**changes):
    found = decide(evidence(**changes), critical_share=0.3)
    return found.verdict, found.severity, found.action


@pytest.mark.parametrize("violations", [None, []])
def test_no_violation_is_clean(violations):
    """AWS may write no report at all when nothing is violated."""
    assert judged(violations=violations) == ("clean", "none", "publish")


@pytest.mark.parametrize("check", ["baseline_drift_check", "completeness_check", "categorical_values_check"])
def test_a_few_features_warn(check):
    """Below the share the day is published and someone is told."""
    assert judged(violations=[violation(check=check)]) == ("warned", "warning", "publish")


def test_many_features_hold():
    """At the share itself the day is held."""
    violations = [violation(feature) for feature in "abc"]
    assert judged(violations=violations) == ("held", "critical", "hold")
    assert judged(violations=violations[:2]) == ("warned", "warning", "publish")


def test_a_feature_counts_once():
    """Two violations of one feature are not two features."""
    twice = [violation("a"), violation("a", "completeness_check"), violation("b")]
    assert judged(violations=twice)[0] == "warned"


@pytest.mark.parametrize("check", ["missing_column_check", "extra_column_check", "data_type_check"])
@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
def test_a_broken_schema_is_held_whether_or_not_it_was_scored(check, status):
    """One such violation is enough; an execution that withheld the transform input ends Failed."""
    scored = status == "Succeeded"
    found = judged(
        violations=[violation(check=check)],
        execution_status=status,
        scorable=scored,
        transform_status="Succeeded" if scored else "Failed",
    )
    assert found == ("held", "critical", "hold")


@pytest.mark.parametrize(
    "changes",
    [
        {"execution_status": "Failed"},
        {"execution_status": "Stopped"},
        {"execution_status": "CompletedWithFailures"},
        {"monitoring_status": "Failed"},
        {"monitoring_status": ""},
        {"exit_message": ""},
        {"exit_message": "Error: out of memory"},
        {"exit_message": DIRTY},
        {"exit_message": CLEAN, "violations": [violation()]},
        {"transform_status": "Failed"},
        {"transform_status": ""},
        {"scorable": False},
        {"monitored": 0, "violations": [violation()]},
    ],
)
def test_whatever_does_not_fit_together_is_an_error(changes):
    """No gap in the evidence is ever clean."""
    try:
        found = judged(**changes)
    except MonitorError:
        found = ("failed", "error", "fail")
    assert found == ("failed", "error", "fail")


def test_a_failed_execution_needs_both_signs_to_be_held():
    """A killed transform on a day with a broken schema is an error as long as the batch was scorable."""
    broken = [violation(check="data_type_check")]
    assert judged(execution_status="Failed", violations=broken, scorable=True)[0] == "failed"
    assert judged(execution_status="Failed", violations=broken, scorable=None)[0] == "failed"
    assert judged(execution_status="Failed", violations=[violation()], scorable=False)[0] == "failed"


def test_a_failed_verdict_names_the_steps():
    """Whoever is woken reads each step's own reason."""
    found = decide(
        evidence(execution_status="Failed", failed_steps=[{"name": "PrepareBatch", "reason": "the file is empty"}]), 0.3
    )
    assert "Step PrepareBatch: the file is empty" in found.reasons


def test_an_unknown_check_is_refused():
    """A kind of violation that we do not know could be a broken schema."""
    with pytest.raises(MonitorError, match="update the package"):
        parse({"violations": [{"feature_name": "a", "constraint_check_type": "new_check", "description": ""}]}, "x")


@pytest.mark.parametrize("report", [[], {}, {"violations": [{}]}, None])
def test_what_is_no_report_is_refused(report):
    """A cut or foreign file is not an empty report."""
    with pytest.raises(MonitorError, match="is no violations report"):
        parse(report, "s3://b/r.json")


def test_a_share_of_nothing_is_refused():
    """Statistics without features mean that nothing was monitored."""
    with pytest.raises(MonitorError, match="nothing was monitored"):
        share([], 0)


def statistics(mean):
    return {
        "features": [
            {
                "name": "Day Mins",
                "inferred_type": "Fractional",
                "numerical_statistics": {"common": {"num_present": 9, "num_missing": 1}, "mean": mean, "std_dev": 1.0},
            }
        ]
    }


def test_top_features_show_both_figures():
    """A person sees what it was and what it is."""
    (top,) = top_features([violation()], statistics(5.0), statistics(9.0))
    assert (top.baseline, top.today) == ("mean 5, standard deviation 1", "mean 9, standard deviation 1")
    (top,) = top_features([violation(check="completeness_check")], None, statistics(9.0))
    assert (top.baseline, top.today) == ("no such column", "90.0% present")


def test_a_sensitive_feature_keeps_its_name_only():
    """Neither figures nor the description, which may quote values, leave the report."""
    (top,) = top_features([violation()], statistics(5.0), statistics(9.0), sensitive=["Day Mins"])
    assert (top.feature, top.baseline, top.today) == ("Day Mins", "withheld: sensitive", "withheld: sensitive")
    assert "drift" not in top.description


def test_reasons_quote_nothing_of_a_sensitive_column():
    """Whoever wrote the reason may have quoted a cell; other columns' reasons stay as they are."""
    reasons = ["Broken schema: Phone: '555-1234' is no number", "Day Mins drifted", "Telephone is new"]
    assert discreet(reasons, ["Phone"]) == ["Phone: withheld: sensitive", "Day Mins drifted", "Telephone is new"]
