"""boto3 clients through Airflow's connections: the one place that touches the amazon provider."""

from typing import Any

from sagemaker_batch import metrics
from sagemaker_batch.settings import Settings, settings


def client(
    service: str,
    aws_conn_id: str | None = None,
    region: str | None = None,
    verify: bool | str | None = None,  # noqa: FBT001 - boto3's own argument
    botocore_config: dict[str, Any] | None = None,
) -> Any:
    """Return a client of the service by an Airflow connection.

    Without a connection boto3 finds credentials as it does anywhere. Calls that fail by throttling, a 5xx or a lost
    connection are repeated by botocore itself (adaptive, up to 8 attempts) unless `botocore_config` says otherwise.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from botocore.config import Config

    merged = {"retries": {"mode": "adaptive", "max_attempts": 8}, **(botocore_config or {})}
    hook: Any = AwsBaseHook(
        aws_conn_id=aws_conn_id,
        client_type=service,
        region_name=region or None,
        verify=verify,
        config=Config(**merged),
    )
    made = hook.get_conn()
    made.meta.events.register("request-created", _count)
    return made


def _count(event_name: str, **_others: Any) -> None:
    # request-created.<service>.<operation>, once for each attempt.
    service, _, operation = event_name.partition(".")[2].partition(".")
    metrics.api_call(service, operation)


def default_client(service: str, here: Settings | None = None) -> Any:
    """Return a client by the connection and region of [sagemaker_batch]."""
    here = here or settings()
    return client(service, here.aws_conn_id, here.region)
