"""What a pipeline definition may get wrong, and how it is told."""

from __future__ import annotations

import json

import pytest

from sagemaker_local import parameters
from sagemaker_local.definition import problems
from sagemaker_local.engine import conditions
from sagemaker_local.engine.expressions import ExpressionError, look_up, parse_path
from sagemaker_local.engine.retries import Retries
from tests.sagemaker_local.run_support import definition, get, outputs, processing


def step(name: str = "A", **keys: object) -> dict:
    return processing(name, "print(1)", step=keys)


def fail(message: object, name: str = "Fail", **keys: object) -> dict:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **keys}


def test_a_sound_definition_has_no_problems():
    """Expressions stand where values stand, in numbers too, and nulls are absent members."""
    body = step()
    body["Arguments"]["ProcessingResources"] = {
        "ClusterConfig": {
            "InstanceType": get("Parameters.Type"),
            "InstanceCount": get("Parameters.Count"),
            "VolumeSizeInGB": 30,
            "VolumeKmsKeyId": None,
        }
    }
    parameters = [
        {"Name": "Type", "Type": "String", "DefaultValue": "ml.m5.large"},
        {"Name": "Count", "Type": "Integer", "DefaultValue": 1},
    ]
    assert problems(definition(body, parameters=parameters)) == []


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([step(), step()], "Step name [A] is used more than once"),
        ([step(DependsOn=["B"])], "DependsOn names the step [B], which is not there"),
        ([fail(get("Steps.B.X"))], "Steps.B.X refers to a step that is not there"),
        ([fail(get("Parameters.P"))], "Parameters.P refers to a parameter that is not declared"),
        ([fail(get("Execution.Id"))], "Execution.Id is no execution variable"),
        ([fail(get("Nonsense.P"))], "'Nonsense.P' is no reference"),
        ([fail({"Std:Join": {"On": "/"}})], "Std:Join needs On and a list Values"),
        ([fail({"Std:Upper": "x"})], "Std:Upper is no function"),
        ([fail({"Std:JsonGet": {"Path": "a"}})], "exactly one of PropertyFile and S3Uri"),
        (
            [step(), fail({"Std:JsonGet": {"PropertyFile": get("Steps.A.PropertyFiles.P"), "Path": "a"}})],
            "refers to a property file that the step does not declare",
        ),
        ([step(DependsOn=["B"]), step("B", DependsOn=["A"])], "in a circle: A -> B -> A"),
        ([fail("x", DependsOn=["A"]), step(), fail(get("Steps.Fail.x"), "Two")], "refers to a Fail step"),
        ([{"Name": "A", "Type": "EMR", "Arguments": {}}], "does not run steps of Type EMR"),
        ([{"Name": "A", "Type": "ClarifyCheck", "Arguments": {}}], "does not run steps of Type ClarifyCheck"),
        ([{"Name": "A", "Type": "Callback", "Arguments": {}}], "SqsQueueUrl is missing"),
        ([{"Name": "A", "Type": "Nonsense", "Arguments": {}}], "Type 'Nonsense' is unknown"),
        ([{"Name": "A", "Type": "Processing", "Arguments": {}}], 'Missing required parameter in input: "RoleArn"'),
        ([{"Name": "A", "Type": "Processing"}], "Arguments are missing"),
        ([{"Name": "a_b", "Type": "Fail", "Arguments": {}}], "A step needs a Name"),
        ([{"Name": "A", "Type": "Condition", "Arguments": {"Conditions": []}}], "at least one condition"),
        (
            [{"Name": "A", "Type": "Condition", "Arguments": {"Conditions": [{"Type": "Equals", "LeftValue": 1}]}}],
            "a Equals condition needs RightValue",
        ),
        ([step(RetryPolicies=[{"ExceptionType": ["Step.NOTHING"], "MaxAttempts": 1}])], "not ['Step.NOTHING']"),
        ([step(RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"]}])], "exactly one of MaxAttempts and ExpireAfter"),
    ],
)
def test_each_mistake_is_named(steps, said):
    """A mistake is told with the step that it is in."""
    found = problems(definition(*steps))
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "no JSON"), ("[]", "no JSON object"), ('{"Version": "1", "Steps": []}', 'Version must be "2020-12-01"')],
)
def test_what_is_no_definition(text, said):
    """Broken JSON, another type and another version are told apart."""
    assert any(said in problem for problem in problems(text))


def test_references_outside_of_arguments_count():
    """A supplied baseline of a QualityCheck is a reference like any other."""
    check = step()
    check.update(Type="QualityCheck", CheckType="DATA_QUALITY", SuppliedBaselineStatistics=get("Steps.Missing.X"))
    assert any("Steps.Missing.X refers to a step" in problem for problem in problems(definition(check)))


PARAMETERS = {
    "Parameters": [
        {"Name": "Text", "Type": "String"},
        {"Name": "Count", "Type": "Integer", "DefaultValue": 2},
        {"Name": "Share", "Type": "Float", "DefaultValue": 0.5},
        {"Name": "Flag", "Type": "Boolean", "DefaultValue": False},
        {"Name": "Kind", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
    ]
}


def test_parameters_are_typed():
    """Text becomes the declared type; defaults fill what is not given; an empty text is a value."""
    values = parameters.check(PARAMETERS, {"Text": "", "Count": "3", "Flag": "true"})
    assert values == {"Text": "", "Count": 3, "Share": 0.5, "Flag": True, "Kind": "a"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, r"Parameters \[Text\] are undefined"),
        ({"Text": "x", "Typo": "1"}, r"Parameters \[Typo\] are not declared"),
        ({"Text": "x", "Count": "many"}, r"Cannot assign property \[Count\] with value \[many\] to type \[Integer\]"),
        ({"Text": "x", "Share": "nan"}, r"property \[Share\]"),
        ({"Text": "x", "Flag": "yes"}, r"property \[Flag\]"),
        ({"Text": "x", "Kind": "c"}, r"Value \[c\] of parameter \[Kind\] is none of \['a', 'b'\]"),
    ],
)
def test_wrong_parameters_are_refused(given, said):
    """Undeclared, missing, of another type or none of the allowed: each is told."""
    with pytest.raises(ValueError, match=said):
        parameters.check(PARAMETERS, given)


def test_paths_lead_through_maps_and_lists():
    """Dots, quoted keys, places and names of list elements."""
    document = {"Config": {"Outputs": [{"OutputName": "a.b", "Uri": "x"}, {"OutputName": "c", "Uri": "y"}]}}
    assert look_up(document, ".Config.Outputs['a.b'].Uri", "S") == "x"
    assert look_up(document, '.Config.Outputs["c"].Uri', "S") == "y"
    assert look_up(document, ".Config.Outputs[1]['Uri']", "S") == "y"
    assert parse_path("a.b[0]['c d']") == ["a", "b", 0, "c d"]
    with pytest.raises(ExpressionError, match="there is no 'Missing'; there are 'Config'"):
        look_up(document, ".Missing", "Steps.S")


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({"Type": "Equals", "LeftValue": "a", "RightValue": "a"}, True),
        ({"Type": "GreaterThan", "LeftValue": 2, "RightValue": 1}, True),
        ({"Type": "GreaterThanOrEqualTo", "LeftValue": 0.8, "RightValue": "0.8"}, True),
        ({"Type": "LessThan", "LeftValue": 2, "RightValue": 1}, False),
        ({"Type": "LessThanOrEqualTo", "LeftValue": 1, "RightValue": 1}, True),
        ({"Type": "In", "QueryValue": "a", "Values": ["a", "b"]}, True),
        ({"Type": "Not", "Condition": {"Type": "In", "QueryValue": "c", "Values": ["a"]}}, True),
        (
            {
                "Type": "Or",
                "Conditions": [
                    {"Type": "Equals", "LeftValue": 1, "RightValue": 2},
                    {"Type": "Equals", "LeftValue": 1, "RightValue": 1},
                ],
            },
            True,
        ),
    ],
)
def test_each_condition(condition, outcome):
    """Every type of condition holds when it should."""
    assert conditions.problems(condition) == []
    assert conditions.holds(condition) is outcome


def test_values_that_cannot_be_compared_are_an_error():
    """A number is not greater than a text that is none."""
    with pytest.raises(ExpressionError, match="cannot compare"):
        conditions.holds({"Type": "GreaterThan", "LeftValue": 1, "RightValue": "much"})


def test_retry_policies_wait_longer_each_time():
    """Waits grow by BackoffRate; MaxAttempts and ExpireAfterMin end them; other failures are not repeated."""
    policy = {"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 2}
    retries = Retries([policy], began=0)
    assert retries.delay("Step.SERVICE_FAULT", 0) is None
    assert retries.delay(None, 0) is None
    assert [retries.delay("Step.THROTTLING", 0) for _ in range(3)] == [2, 6, None]
    expiring = Retries(
        [{"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 30, "BackoffRate": 1, "ExpireAfterMin": 1}], began=0
    )
    assert [expiring.delay("Step.THROTTLING", now) for now in (0, 40)] == [30, None]


def test_a_property_file_names_an_output():
    """A property file of an output that the job does not have is refused."""
    body = processing("A", "print(1)", ProcessingOutputConfig=outputs(out="s3://bucket/out"))
    body["PropertyFiles"] = [{"PropertyFileName": "P", "OutputName": "other", "FilePath": "x.json"}]
    assert any("names output [other]" in problem for problem in problems(definition(body)))
    assert json.loads(definition(body))["Version"] == "2020-12-01"
