"""What a start asks for."""

import json
import re

import pytest

from sagemaker_batch import request
from sagemaker_batch.errors import ExecutionError

DEFINITION = json.dumps(
    {
        "Parameters": [
            {"Name": "InputDataUri", "Type": "String"},
            {"Name": "AccuracyThreshold", "Type": "Float", "DefaultValue": 0.6},
            {"Name": "TrainingInstanceCount", "Type": "Integer", "DefaultValue": 1},
            {"Name": "FailOnViolation", "Type": "Boolean", "DefaultValue": False},
            {"Name": "Mode", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
        ]
    }
)
LEGAL = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,81}")


@pytest.mark.parametrize(
    "parts",
    [
        ("churn_batch_monitor", "2026-03-03", "manual__2026-11-24T04:45:00.123456+00:00_xyz"),
        ("__", "--", ""),
        ("ü" * 100,),
        ("a" * 200, "b"),
        ("x" + "-" * 90, "y"),
    ],
)
def test_a_display_name_is_always_legal(parts):
    """SageMaker takes at most 82 letters, digits and hyphens, and no hyphen at either end."""
    assert LEGAL.fullmatch(request.display_name(*parts))


def test_long_names_that_differ_stay_different():
    """Two runs of one DAG do not share a display name because of the limit."""
    assert request.display_name("a" * 100, "same") != request.display_name("b" * 100, "same")


def test_a_token_is_legal_and_depends_on_every_part():
    """Each part of the identity tells attempts apart."""
    token = request.token("dag", "run", "task", -1, 0, 2, "start", 0)
    assert 32 <= len(token) <= 128
    assert token == request.token("dag", "run", "task", -1, 0, 2, "start", 0)
    assert token != request.token("dag", "run", "task", -1, 1, 2, "start", 0)
    assert request.token("a", "b") != request.token("a,b")


def test_what_the_definition_declares_passes():
    """Text, numbers and booleans in their legal spellings are accepted."""
    request.check(
        "p", DEFINITION, {"InputDataUri": "s3://b/p/", "AccuracyThreshold": 0.7, "FailOnViolation": False, "Mode": "b"}
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "InputDataUri is missing"),
        ({"InputDataUri": "x", "InputUri": "y"}, "InputUri is not declared"),
        (
            {"InputDataUri": "x", "AccuracyThreshold": "high"},
            "AccuracyThreshold is 'high', and the pipeline declares Float",
        ),
        ({"InputDataUri": "x", "TrainingInstanceCount": "1.5"}, "declares Integer"),
        ({"InputDataUri": "x", "FailOnViolation": "yes"}, "declares Boolean"),
        ({"InputDataUri": "x", "Mode": "c"}, "allowed: a, b"),
        ({"InputDataUri": "x" * 1025}, "1025 characters"),
    ],
)
def test_what_cannot_work_is_refused_before_any_cost(parameters, message):
    """The refusal names the parameter, and what to type next."""
    with pytest.raises(ExecutionError, match=message) as caught:
        request.check("p", DEFINITION, parameters)
    assert "was not started" in str(caught.value)
    assert "make deploy" in str(caught.value)


def test_values_travel_as_text_and_in_one_order():
    """The same parameters make the same request, so that a retry resends it word by word."""
    one = request.build("p", {"b": True, "a": 1.5}, "name", "line\nline", "t" * 32)
    assert one["PipelineParameters"] == [{"Name": "a", "Value": "1.5"}, {"Name": "b", "Value": "true"}]
    assert "\n" not in one["PipelineExecutionDescription"]
