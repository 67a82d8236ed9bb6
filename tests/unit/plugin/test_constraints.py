"""A use case's overrides are laid over what the baseline suggests, written once, and refused where they do not fit."""

import json

import pytest

from sagemaker_batch import constraints
from sagemaker_batch.errors import ConstraintsError
from sagemaker_batch.use_case import MonitorOverrides

URI = "s3://unit-bucket/churn/training/e1/baseline/data_quality/constraints.json"
SUGGESTED = {
    "version": 0.0,
    "features": [
        {"name": "Day Mins", "inferred_type": "Fractional", "completeness": 1.0},
        {
            "name": "State",
            "inferred_type": "String",
            "completeness": 1.0,
            "string_constraints": {"domains": ["KS", "OH"]},
        },
    ],
    "monitoring_config": {
        "evaluate_constraints": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": {"comparison_threshold": 0.1, "comparison_method": "Robust"},
    },
}


def overrides(**given):
    return MonitorOverrides.model_validate(given)


def test_each_setting_stands_where_model_monitor_reads_it():
    """Thresholds of distributions lie one level deeper, those of one feature in its own part."""
    given = overrides(
        comparison_threshold=0.2,
        datatype_check_threshold=0.99,
        features={
            "Day Mins": {"completeness": 0.9, "comparison_method": "Simple", "evaluate_constraints": "Disabled"},
            "State": {"domains_added": ["WY", "KS"]},
        },
    )
    merged = constraints.merge(SUGGESTED, given, URI)
    config, (minutes, state) = merged["monitoring_config"], merged["features"]
    assert config["distribution_constraints"] == {"comparison_threshold": 0.2, "comparison_method": "Robust"}
    assert config["datatype_check_threshold"] == 0.99
    assert minutes["completeness"] == 0.9
    assert minutes["monitoringConfigOverrides"] == {
        "evaluate_constraints": "Disabled",
        "distribution_constraints": {"comparison_method": "Simple"},
    }
    assert state["string_constraints"]["domains"] == ["KS", "OH", "WY"]
    assert SUGGESTED["features"][0]["completeness"] == 1.0


def test_changes_name_both_values_and_leave_out_what_only_repeats():
    """A person sees what was suggested beside what holds; an override that says the same is no change."""
    given = overrides(
        comparison_method="Robust",
        comparison_threshold=0.2,
        features={"State": {"domains": ["KS"], "completeness": 0.5, "comparison_threshold": 0.3}},
    )
    found = [
        (item.feature, item.key, item.suggested, item.overridden) for item in constraints.changes(SUGGESTED, given)
    ]
    assert found == [
        ("", "comparison_threshold", 0.1, 0.2),
        ("State", "comparison_threshold", 0.1, 0.3),
        ("State", "completeness", 1.0, 0.5),
        ("State", "domains", ["KS", "OH"], ["KS"]),
    ]
    assert constraints.changes(SUGGESTED, found and constraints.changes(SUGGESTED, given)[3].alone()) == [
        constraints.Change("State", "domains", ["KS", "OH"], ["KS"])
    ]


def test_what_does_not_fit_comes_in_one_error_that_helps():
    """An unknown feature is named with the one that was meant; domains of numbers are refused beside it."""
    given = overrides(features={"Day Minz": {"completeness": 0.9}, "Day Mins": {"domains": ["1"]}})
    with pytest.raises(ConstraintsError) as error:
        constraints.merge(SUGGESTED, given, URI)
    said = str(error.value)
    assert "monitor.overrides.features.Day Minz: the baseline has no such feature. Did you mean Day Mins?" in said
    assert "monitor.overrides.features.Day Mins: domains are for categories, and this feature is Fractional" in said
    assert URI in said


def test_without_overrides_the_models_own_hold(s3):
    """Nothing is read and nothing written."""
    assert constraints.settle(s3, URI, overrides()) == URI


def test_merged_constraints_lie_beside_the_models_own_once_for_each_content(s3):
    """The same overrides have the same place however often they are settled; others have one of their own."""
    key = URI.removeprefix("s3://unit-bucket/")
    s3.put_object(Bucket="unit-bucket", Key=key, Body=json.dumps(SUGGESTED).encode())
    first = constraints.settle(s3, URI, overrides(comparison_threshold=0.2))
    again = constraints.settle(s3, URI, overrides(comparison_threshold=0.2))
    other = constraints.settle(s3, URI, overrides(comparison_threshold=0.3))
    assert first == again != other
    assert first.startswith(URI.rpartition("/")[0] + "/overridden/")
    assert first.endswith("/constraints.json")
    stored = json.loads(s3.get_object(Bucket="unit-bucket", Key=first.removeprefix("s3://unit-bucket/"))["Body"].read())
    assert stored == constraints.merge(SUGGESTED, overrides(comparison_threshold=0.2), URI)


def test_constraints_that_are_gone_are_an_error(s3):
    """Overrides over nothing would check nothing."""
    with pytest.raises(ConstraintsError, match="are gone"):
        constraints.settle(s3, URI, overrides(comparison_threshold=0.2))
