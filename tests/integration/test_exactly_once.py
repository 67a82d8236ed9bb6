"""What a day costs in calls, and that a published day comes back byte for byte."""

from collections import Counter
from datetime import date

import pytest

from sagemaker_batch import names
from sagemaker_local.control import Control
from tests.integration.conftest import Laptop

pytestmark = pytest.mark.timeout(900)
# Looking whether the execution has ended, and at its steps: as often as it takes.
POLLING = {"DescribePipelineExecution", "ListPipelineExecutionSteps"}
CALLS = 12


def control(house: Laptop) -> Control:
    return Control(house.house.aws.url)


def predictions(house: Laptop, day: date) -> tuple[str, bytes]:
    """Return the execution whose predictions the day's manifest names, and their bytes."""
    manifest = house.cloud.manifest(day)
    assert manifest is not None
    (found,) = manifest["predictions"]
    bucket, key = names.split_s3_uri(found["uri"])
    body = house.cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return manifest["execution_arn"], body


def test_a_day_makes_few_calls_and_published_reproduces_it_byte_for_byte(house: Laptop) -> None:
    """At most twelve calls to SageMaker besides polling, the Lambda function's included; then the same day again."""
    day = house.new_day()
    house.put(day, "clean")
    control(house).reset_calls()
    run = house.finish(house.trigger(day))
    counted = Counter({name: count for name, count in control(house).calls()["operations"].items() if ":" not in name})
    assert run["state"] == "success"
    # The sensor's own look is no polling: one Describe, and one listing of the steps.
    calls = sum(count for name, count in counted.items() if name not in POLLING) + len(POLLING)
    assert counted["StartPipelineExecution"] == 1
    assert calls <= CALLS, counted

    first, before = predictions(house, day)
    again = house.finish(house.trigger(day, model_policy="published"))
    assert again["state"] == "success", house.states(again)
    second, after = predictions(house, day)
    assert second != first
    assert after == before
    assert len(after) > 0
