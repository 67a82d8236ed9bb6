"""Whatever a client sends, the answer is an answer or a fault of the request, never one of ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagemaker_local import model
from sagemaker_local.api import Api
from sagemaker_local.errors import ApiError
from sagemaker_local.operations import HANDLERS, load
from sagemaker_local.store import Store

load()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
# Names that exist, nearly exist or are of the right form: random text hardly gets past the patterns.
NAMES = st.sampled_from(["a", "b", "a/1", "a/2", "x" * 63, "x" * 64, "-", "", "execution", "\u00e9", "1"])
ARNS = st.builds(
    "arn:aws:sagemaker:{}:{}:{}/{}".format,
    st.sampled_from(["us-east-1", "eu-west-1"]),
    st.sampled_from(["000000000000", "123456789012"]),
    st.sampled_from(["pipeline", "model", "model-package", "model-package-group", "training-job", "nothing"]),
    st.sampled_from(["a", "a/1", "a/execution/abcdefghijkl", "/", ""]),
)


def values(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values that mostly have the form that a shape asks for."""
    kind = shape.type_name
    if kind == "structure":
        members = {
            name: values(member, depth + 1)
            for name, member in shape.members.items()
            if name in shape.required_members or depth < 3
        }
        required = {name: members.pop(name) for name in shape.required_members}
        good = st.fixed_dictionaries(required, optional=members)
    elif kind == "list":
        good = st.lists(values(shape.member, depth + 1), max_size=3) if depth < 4 else st.just([])
    elif kind == "map":
        good = st.dictionaries(NAMES, values(shape.value, depth + 1), max_size=3)
    elif kind == "string":
        listed = getattr(shape, "enum", None)
        good = st.sampled_from(listed) if listed else NAMES | ARNS | st.text(max_size=10)
    elif kind == "boolean":
        good = st.booleans()
    elif kind in {"integer", "long"}:
        good = st.integers(-2, 120) | st.integers()
    else:
        good = st.floats() | st.integers()
    return good if depth == 0 else st.one_of(good, good, good, good, good, JSON)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("fuzz") / "sagemaker.sqlite")
    api = Api(store)
    api.call("CreateModelPackageGroup", {"ModelPackageGroupName": "a"})
    for _ in range(2):
        api.call("CreateModelPackage", {"ModelPackageGroupName": "a"})
    api.call("CreateModel", {"ModelName": "a", "PrimaryContainer": {"Image": "image"}})
    api.call(
        "CreateTrainingJob",
        {
            "TrainingJobName": "a",
            "RoleArn": "arn:aws:iam::000000000000:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    )
    yield api
    store.close()


@pytest.mark.parametrize("operation", sorted(HANDLERS))
def test_no_request_is_answered_with_a_fault_of_ours(api, operation):
    """Every operation, with requests made from its own shape."""
    shape = model.operation(operation).input_shape
    # What lies in S3 is read over the network, which other tests do.
    strategy = values(shape).map(
        lambda request: {name: value for name, value in request.items() if name != "PipelineDefinitionS3Location"}
    )

    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy | JSON)
    def check(request):
        try:
            assert isinstance(api.call(operation, request), dict)
        except ApiError as error:
            assert error.status in {400, 501}, error  # noqa: PT017 - the status of either outcome is the fact

    check()
