"""Metrics of a judged day: what is sent, under which names, and what is left out."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import Stats

from sagemaker_batch import aws, metrics

STARTED = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
RECORD = {
    "use_case": "churn",
    "batch_day": "2026-03-03",
    "verdict": "held",
    "severity": "critical",
    "violations": [{}, {}, {}],
    "violated_features": ["Day Mins", "State"],
    "monitored_features": 8,
    "rows_in": 700,
    "execution": {"arn": "arn:e", "created": "2026-03-04T06:02:30+00:00"},
    "run": {"dag_id": "churn_batch_monitor", "run_id": "scheduled__1"},
    "model": {"arn": "arn:m"},
    "cost": {"instance_seconds": 540.0, "usd": 0.0288, "unpriced": []},
}


@pytest.fixture
def sent(monkeypatch):
    """Keep what would be sent."""
    found = {}
    for kind in ("incr", "gauge"):

        def keep(name, value=1, *, tags, kind=kind):
            found[name] = (kind, value, tags)

        monkeypatch.setattr(Stats, kind, staticmethod(keep))
    return found


def test_a_held_day_is_counted_and_measured(sent):
    """The counter of the verdict and the gauges, each with the use case in name and tags."""
    metrics.day_judged(RECORD, STARTED)
    assert sent["sagemaker_batch.verdict.held.churn"] == ("incr", 1, {"use_case": "churn", "verdict": "held"})
    gauges = {name: value for name, (kind, value, _) in sent.items() if kind == "gauge"}
    assert gauges == {
        "sagemaker_batch.violations.churn": 3,
        "sagemaker_batch.violated_share.churn": 0.25,
        "sagemaker_batch.rows_in.churn": 700,
        "sagemaker_batch.start_latency_seconds.churn": 150.0,
        "sagemaker_batch.instance_seconds.churn": 540.0,
        "sagemaker_batch.estimated_cost_usd.churn": 0.0288,
    }


def test_what_is_not_known_is_not_sent_as_nought(sent):
    """A day that could not be judged has no violations to tell of, and zero would look clean."""
    metrics.day_judged({**RECORD, "verdict": "failed", "monitored_features": 0, "rows_in": None, "cost": None}, None)
    assert set(sent) == {"sagemaker_batch.verdict.failed.churn"}


def test_the_log_line_names_run_execution_and_day():
    """One line of JSON that a log search can read."""
    found = json.loads(metrics.line(RECORD))
    assert (found["run_id"], found["execution_arn"], found["batch_day"]) == ("scheduled__1", "arn:e", "2026-03-03")
    assert found["violations"] == 3


def test_a_machine_without_a_price_has_seconds_and_no_cost(sent):
    """Half a sum would be taken for the whole."""
    unknown = {"instance_seconds": 60.0, "usd": None, "unpriced": ["ml.new.large"]}
    metrics.trained("churn", unknown)
    assert {name: value for name, (_, value, _) in sent.items()} == {
        "sagemaker_batch.training.registered.churn": 1,
        "sagemaker_batch.training.instance_seconds.churn": 60.0,
    }


def test_every_call_to_aws_is_counted(sent, s3, monkeypatch):
    """By service and operation, each attempt of it, through the clients that tasks use."""
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__ENVIRONMENT", "local")
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__BUCKET", "bucket")
    client = aws.client("s3", None, "us-east-1")
    client.list_buckets()
    client.list_buckets()
    counted = {"service": "s3", "operation": "ListBuckets"}
    assert sent == {"sagemaker_batch.api_calls.s3.ListBuckets": ("incr", 1, counted)}


def test_every_metric_is_documented(sent):
    """docs/observability.md has a row for each name that is sent."""
    metrics.day_judged(RECORD, STARTED)
    metrics.trained("churn", RECORD["cost"])
    metrics.api_call("s3", "GetObject")
    page = (Path(__file__).parents[3] / "docs" / "observability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(sagemaker_batch\.[^`]+)`", page, re.MULTILINE)
    patterns = [row.replace(".", r"\.").replace("<verdict>", r"\w+").replace("<use case>", r"\w+") for row in rows]
    patterns = [pattern.replace("<service>", r"\w+").replace("<operation>", r"\w+") for pattern in patterns]
    assert all(any(re.fullmatch(pattern, name) for pattern in patterns) for name in sent)
    assert len(rows) == len(sent)
