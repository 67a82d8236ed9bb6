"""Metrics of a judged day: what is sent, under which names, and what is left out."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import Stats

from sagemaker_batch import metrics

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
    """The counter of the verdict and the four gauges, each with the use case in name and tags."""
    metrics.day_judged(RECORD, STARTED)
    assert sent["sagemaker_batch.verdict.held.churn"] == ("incr", 1, {"use_case": "churn", "verdict": "held"})
    gauges = {name: value for name, (kind, value, _) in sent.items() if kind == "gauge"}
    assert gauges == {
        "sagemaker_batch.violations.churn": 3,
        "sagemaker_batch.violated_share.churn": 0.25,
        "sagemaker_batch.rows_in.churn": 700,
        "sagemaker_batch.start_latency_seconds.churn": 150.0,
    }


def test_what_is_not_known_is_not_sent_as_nought(sent):
    """A day that could not be judged has no violations to tell of, and zero would look clean."""
    metrics.day_judged({**RECORD, "verdict": "failed", "monitored_features": 0, "rows_in": None}, None)
    assert set(sent) == {"sagemaker_batch.verdict.failed.churn"}


def test_the_log_line_names_run_execution_and_day():
    """One line of JSON that a log search can read."""
    found = json.loads(metrics.line(RECORD))
    assert (found["run_id"], found["execution_arn"], found["batch_day"]) == ("scheduled__1", "arn:e", "2026-03-03")
    assert found["violations"] == 3


def test_every_metric_is_documented(sent):
    """docs/observability.md has a row for each name that is sent."""
    metrics.day_judged(RECORD, STARTED)
    page = (Path(__file__).parents[3] / "docs" / "observability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(sagemaker_batch\.[^`]+)`", page, re.MULTILINE)
    patterns = [row.replace(".", r"\.").replace("<verdict>", r"\w+").replace("<use case>", r"\w+") for row in rows]
    assert all(any(re.fullmatch(pattern, name) for pattern in patterns) for name in sent)
    assert len(rows) == len(sent)
