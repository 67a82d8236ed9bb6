"""Metrics through Airflow's own Stats (StatsD, Datadog or OpenTelemetry, as Airflow is configured).

Names carry the use case, because plain StatsD knows no tags; tags are given as well. docs/observability.md lists them.
A metric that cannot be sent never fails a task: Airflow's clients log it and go on.
"""

from datetime import datetime
from typing import Any

from sagemaker_batch.log_lines import line as log_line

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
    return {**found, **_cost(record.get("cost"))}


def _cost(cost: dict[str, Any] | None) -> dict[str, float]:
    if cost is None:
        return {}
    usd = {} if cost["usd"] is None else {"estimated_cost_usd": cost["usd"]}
    return {"instance_seconds": cost["instance_seconds"], **usd}


def trained(use_case: str, cost: dict[str, Any] | None) -> None:
    """Tell of a training that registered a version, and of what its machines cost."""
    from airflow.providers.common.compat.sdk import Stats

    tags = {"use_case": use_case}
    Stats.incr(f"{PREFIX}.training.registered.{use_case}", tags=tags)
    for what, value in _cost(cost).items():
        Stats.gauge(f"{PREFIX}.training.{what}.{use_case}", value, tags=tags)


def api_call(service: str, operation: str) -> None:
    """Count one request to AWS; a repeated one counts again, because AWS's limits count it too."""
    from airflow.providers.common.compat.sdk import Stats

    Stats.incr(f"{PREFIX}.api_calls.{service}.{operation}", tags={"service": service, "operation": operation})


def line(record: dict[str, Any]) -> str:
    """Return one line of JSON for log searches: run, execution, batch day and what came of it."""
    return log_line(
        "verdict",
        record["run"],
        execution_arn=record["execution"]["arn"],
        batch_day=record["batch_day"],
        **{key: record[key] for key in ("use_case", "verdict", "severity", "rows_in")},
        violations=len(record["violations"]),
        model_package_arn=record["model"].get("arn", ""),
        **_cost(record.get("cost")),
    )
