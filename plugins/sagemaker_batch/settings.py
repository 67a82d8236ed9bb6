"""Where Airflow runs: section [sagemaker_batch] of Airflow's own configuration.

MWAA's configuration options, Astro's variables and plain Airflow all set it the same way, for example
`AIRFLOW__SAGEMAKER_BATCH__BUCKET`. Read when a task runs, never when a DAG file is parsed, except for the folder of
use cases and the registry's queue.
"""

from dataclasses import dataclass

from sagemaker_batch.errors import BatchError

SECTION = "sagemaker_batch"


@dataclass(frozen=True)
class Settings:
    """What differs between environments. Texts are empty where the option is not set."""

    environment: str
    bucket: str
    region: str
    aws_conn_id: str | None
    console_url: str


def settings() -> Settings:
    """Read the section.

    Options: `environment` (required), `bucket` (required), `region` (default: the connection's or the process's),
    `aws_conn_id` (default: none, so that boto3 finds the role of MWAA or the variables of a laptop), `console_url`
    (a page of an execution; `{region}`, `{pipeline}` and `{execution}` are filled in), `poll_seconds` (30) and
    `first_poll_seconds` (10: an event that fires within moments of a deferral can meet a task that the scheduler does
    not yet know as deferred, so shorten it only where pipelines are as fast as in tests), `pool` (sagemaker_executions)
    and `max_executions` (see `sagemaker_batch.pool`), `job_url` (a page of a job, for failure messages; `{region}`,
    `{kind}` and `{name}` are filled in).

    Raises:
        BatchError: a required option is absent; the message names the variable to set.
    """
    return Settings(
        environment=_required("environment"),
        bucket=_required("bucket"),
        region=option("region"),
        aws_conn_id=option("aws_conn_id") or None,
        console_url=option("console_url"),
    )


def where_to_ask(aws_conn_id: str | None, region: str | None) -> tuple[str | None, str]:
    """Fill in connection and region from the section where an operator was given none."""
    return aws_conn_id or option("aws_conn_id") or None, region or option("region")


def polling() -> tuple[float, float]:
    """Return the seconds between polls, and before the first one."""
    return float(option("poll_seconds") or 30), float(option("first_poll_seconds") or 10)


def pool_name() -> str:
    """Return the pool of starts."""
    return option("pool") or "sagemaker_executions"


def console_url() -> str:
    """Return the template of an execution's page; empty when none is configured."""
    return option("console_url")


def job_url() -> str:
    """Return the template of a job's page; empty when none is configured."""
    return option("job_url")


def runbook_url() -> str:
    """Return the page of the runbook that alerts link to; empty when none is configured."""
    return option("runbook_url")


def registry_queue() -> str:
    """Return the URL of the queue that hears of approvals; empty when none is configured. Read when DAGs are parsed."""
    return option("registry_queue")


def use_cases_folder(default: str) -> str:
    """Return the folder of the use-case files."""
    return option("use_cases_folder") or default


def option(name: str) -> str:
    """Return an option of the section; empty where it is not set."""
    from airflow.sdk.configuration import conf

    return (conf.get(SECTION, name, fallback="") or "").strip()


def _required(name: str) -> str:
    value = option(name)
    if not value:
        raise BatchError(
            f"Airflow's configuration has no [{SECTION}] {name}. "
            f"Set AIRFLOW__{SECTION.upper()}__{name.upper()} (on MWAA: the configuration option {SECTION}.{name}) "
            "and restart the workers. All options: docs/reference.md."
        )
    return value
