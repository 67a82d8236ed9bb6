"""Machines and prices of the record of a deployment: from the definitions, and from the table that a person edits."""

import pytest

from include.infrastructure.deployment import deployment_record
from include.infrastructure.machines import PricesError, machines, prices
from sagemaker_batch import cost


def test_every_step_that_has_machines_is_named(compiled):
    """Those within conditions too; types and counts are the parameters' defaults, so nothing has to be asked of AWS."""
    found = machines(compiled.train_baseline)
    assert set(found) == {"PrepareData", "TrainModel", "EvaluateModel", "BaselineData", "BaselineModelQuality"}
    assert found["TrainModel"] == {"type": "ml.m5.large", "count": 1}
    batch = machines(compiled.batch_monitor)
    assert set(batch) == {"PrepareBatch", "MonitorBatchTransform-monitoring", "MonitorBatchTransform-transform"}


def test_what_is_deployed_prices_a_run(compiled, environment):
    """The record holds the prices of the machines in use and of no other; Airflow's estimate follows from it alone."""
    record = deployment_record(environment, compiled)
    assert record["prices_usd_per_hour"] == {"ml.m5.large": prices()["ml.m5.large"]}
    found = cost.of_run([{"name": "PrepareBatch", "seconds": 3600.0}], record, "batch_monitor")
    assert found.usd == prices()["ml.m5.large"]


@pytest.mark.parametrize("text", ["- 1", "ml.m5.large: cheap", "ml.m5.large: -1", "a: [", "ml.m5.large: true"])
def test_a_price_that_is_none_is_named(text, tmp_path):
    """The message says file and, where there is one, machine."""
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(PricesError, match=r"prices\.yaml"):
        prices(path)
