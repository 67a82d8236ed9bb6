from datetime import date

import pytest

from sagemaker_batch import names

DAY = date(2026, 3, 3)


def test_names_are_those_of_the_architecture_page():
    """Each name is exactly the one that docs/architecture.md promises."""
    assert names.train_pipeline("churn", "local") == "churn-train-baseline-local"
    assert names.batch_pipeline("late_payers", "local") == "late-payers-batch-monitor-local"
    assert names.model_package_group("churn", "local") == "churn-local"
    assert names.lambda_function("local") == "get-latest-model-local"
    assert names.alert_topic("local") == "sagemaker-batch-alerts-local"
    assert names.alert_inbox("local") == "sagemaker-batch-inbox-local"
    assert names.execution_role("local") == "sagemaker-batch-execution-local"
    assert (names.train_dag("churn"), names.batch_dag("churn")) == ("churn_train_baseline", "churn_batch_monitor")


def test_keys_are_those_of_the_architecture_page():
    """Each S3 key is exactly where docs/architecture.md says it lies."""
    assert names.deployment_key("churn") == "churn/deployment.json"
    assert names.input_prefix("churn", DAY) == "churn/input/dt=2026-03-03/"
    assert names.batch_prefix("churn", DAY) == "churn/batches/dt=2026-03-03"
    assert names.verdict_key("churn", DAY, "abc") == "churn/verdicts/dt=2026-03-03/abc.json"
    assert names.manifest_key("churn", DAY) == "churn/published/dt=2026-03-03.json"


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://b/a/b.csv", ("b", "a/b.csv")),
        ("s3://b", ("b", "")),
        ("s3://b/", ("b", "")),
        ("s3://b/a?b#c", ("b", "a?b#c")),
    ],
)
def test_an_s3_uri_is_split_without_losing_characters(uri, parts):
    """Question marks and hashes belong to the key."""
    assert names.split_s3_uri(uri) == parts


@pytest.mark.parametrize("uri", ["http://b/a", "s3:///a", "b/a", ""])
def test_what_is_no_s3_uri_is_refused(uri):
    """A path or a web address is not taken for a bucket."""
    with pytest.raises(ValueError, match="no S3 URI"):
        names.split_s3_uri(uri)
