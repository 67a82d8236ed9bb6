"""What a run cost: seconds of machines, and their price where it is known."""

import pytest

from sagemaker_batch import cost

DEPLOYED = {
    "machines": {
        "batch_monitor": {
            "PrepareBatch": {"type": "ml.m5.large", "count": 1},
            "MonitorBatchTransform-shards": {"type": "ml.m5.large", "count": 2},
            "MonitorBatchTransform-transform": {"type": "ml.m5.xlarge", "count": 3},
        }
    },
    "prices_usd_per_hour": {"ml.m5.large": 0.12, "ml.m5.xlarge": 0.24},
}


def step(name, seconds):
    return {"name": name, "seconds": seconds}


def test_every_machine_of_every_step_is_paid_for():
    """Seconds count once for each machine; steps without machines (Lambda, Condition) cost nothing."""
    steps = [
        step("GetLatestModel", 2.0),
        step("PrepareBatch", 120.0),
        step("MonitorBatchTransform-shards", 180.0),
        step("MonitorBatchTransform-transform", 300.0),
    ]
    found = cost.of_run(steps, DEPLOYED, "batch_monitor")
    assert found.instance_seconds == 120 + 2 * 180 + 3 * 300
    assert found.usd == pytest.approx((120 + 360) / 3600 * 0.12 + 900 / 3600 * 0.24)
    assert cost.words(found.as_dict()) == "about 0.08 USD"


def test_a_step_that_never_ran_costs_nothing():
    """Of a day that was held before its transform only what ran is counted."""
    found = cost.of_run(
        [step("PrepareBatch", 60.0), step("MonitorBatchTransform-transform", None)], DEPLOYED, "batch_monitor"
    )
    assert found.instance_seconds == 60
    assert cost.words(found.as_dict()) == "less than 0.01 USD"


def test_a_machine_without_a_price_is_named():
    """There is no sum then: a part of it would be taken for the whole."""
    found = cost.of_run([step("PrepareBatch", 60.0)], {**DEPLOYED, "prices_usd_per_hour": {}}, "batch_monitor")
    assert (found.usd, found.unpriced) == (None, ["ml.m5.large"])
    said = "no price for ml.m5.large: add it to prices.yaml, then make deploy ACTION=apply"
    assert cost.words(found.as_dict()) == said


def test_a_deployment_of_former_days_has_no_cost():
    """Before machines were recorded nothing can be said, and nothing is."""
    assert cost.of_run([step("PrepareBatch", 60.0)], {}, "batch_monitor") is None
    assert cost.of_run([step("GetLatestModel", 2.0)], DEPLOYED, "batch_monitor") is None
