"""Metrics of a judged day, through Airflow's own Stats (StatsD, Datadog or OpenTelemetry, as Airflow is configured).

Names carry the use case, because plain StatsD knows no tags; tags are given as well. docs/observability.md lists them.
A metric that cannot be sent never fails a task: Airflow's clients log it and go on.
"""

import json
from datetime import datetime
from typing import Any

PREFIX = "sagemaker_batch"


def day_judged(record: dict[str, Any], started: datetime | None) -> None:
    """Tell of a verdict record: its verdict, its violations, how many rows, and how long the start took.

    `started` is when the DAG run began; the wait for a complete day is part of the start latency.
    """
    from airflow.providers.common.compat.sdk import Stats

    name, tags = record["use_case"], {"use_case": record["use_case"]}
    Stats.incr(f"{PREFIX}.verdict.{record['verdict']}.{name}", tags={**tags, "verdict": record["verdict"]})
    for what, value in figures(record, started).items():
        Stats.gauge(f"{PREFIX}.{what}.{name}", value, tags=tags)


def figures(record: dict[str, Any], started: datetime | None) -> dict[str, float]:
    """Return the gauges of a day by name; what is not known of it is absent, never zero."""
    found: dict[str, float] = {}
    if record["verdict"] != "failed":
        found["violations"] = len(record["violations"])
    if record["monitored_features"]:
        found["violated_share"] = len(record["violated_features"]) / record["monitored_features"]
    if record["rows_in"] is not None:
        found["rows_in"] = record["rows_in"]
    created = record["execution"]["created"]
    if created and started is not None:
        found["start_latency_seconds"] = max(0.0, (datetime.fromisoformat(created) - started).total_seconds())
    return found


def line(record: dict[str, Any]) -> str:
    """Return one line of JSON for log searches: run, execution, batch day and what came of it."""
    keys = ("use_case", "batch_day", "verdict", "severity", "rows_in")
    return json.dumps(
        {
            "event": "sagemaker_batch.verdict",
            **{key: record[key] for key in keys},
            "violations": len(record["violations"]),
            "execution_arn": record["execution"]["arn"],
            "dag_id": record["run"]["dag_id"],
            "run_id": record["run"]["run_id"],
            "model_package_arn": record["model"].get("arn", ""),
        },
        sort_keys=True,
    )
