"""From a verdict record to a published day, or to a held one: the edge around the manifest."""

from datetime import UTC, date, datetime
from typing import Any

from sagemaker_batch import day_index, manifest, records
from sagemaker_batch.errors import PublishError
from sagemaker_batch.history import verdict_record
from sagemaker_batch.names import (
    batch_prefix,
    deployment_key,
    execution_id,
    history_key,
    manifest_key,
    s3_uri,
)
from sagemaker_batch.use_case import UseCase


def publish_day(s3: Any, bucket: str, use_case: UseCase, record_uri: str, run: dict[str, str]) -> dict[str, Any]:
    """Publish what the verdict record lets pass; returns a short account.

    Raises:
        MonitorError: the verdict record is gone.
        PublishError: it forbids publishing, rows disagree, or a newer execution has published the day.
    """
    record, content = prepare_day(s3, bucket, use_case, record_uri, run)
    return put_day(s3, bucket, record, content)


def prepare_day(  # noqa: PLR0917 - a boundary with many parts
    s3: Any,
    bucket: str,
    use_case: UseCase,
    record_uri: str,
    run: dict[str, str],
    release: dict[str, str] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the verdict record and the manifest that may be put: of a day that it lets pass, or a person (`release`).

    `release` says who, when and why.

    Raises:
        MonitorError: the record is gone.
        PublishError: the record forbids it, or rows disagree.
    """
    record = verdict_record(s3, record_uri)
    if record["action"] != ("hold" if release else "publish"):
        raise PublishError(f"{record_uri} says {record['verdict']}: {record['action']}. It is not to be published.")
    day, execution = date.fromisoformat(record["batch_day"]), record["execution"]
    prefix = f"{batch_prefix(use_case.name, day)}/{execution_id(execution['arn'])}/predictions/"
    predictions = _predictions(s3, bucket, prefix)
    content = manifest.build(
        use_case=use_case.name,
        batch_day=record["batch_day"],
        predictions=predictions,
        rows_in=record["rows_in"],
        rows_out=sum(item["rows"] for item in predictions),
        model=record["model"],
        execution=execution,
        verdict=record,
        inputs=record["inputs"],
        code=_code(s3, bucket, use_case.name, run),
        run=run,
        release=release,
        now=datetime.now(UTC),
    )
    return record, content


def put_day(s3: Any, bucket: str, record: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Make the manifest the day's by one conditional put; returns a short account.

    Raises:
        PublishError: a newer execution has published the day, or others change the manifest again and again.
    """
    use_case, day = content["use_case"], date.fromisoformat(record["batch_day"])
    key = manifest_key(use_case, day)
    history = history_key(use_case, day, "").removesuffix(".json")
    done = manifest.publish(s3, bucket, key, history, content)
    day_index.enter_published(s3, bucket, record)
    return {
        "how": done.how,
        "former_execution": done.former_execution,
        "batch_day": record["batch_day"],
        "manifest_uri": s3_uri(bucket, key),
        "rows_in": content["rows_in"],
        "rows_out": content["rows_out"],
        "model_package_arn": content["model_package_arn"],
        "model_package_version": content["model_package_version"],
        "verdict": content["verdict"],
        "execution_arn": content["execution_arn"],
        "inputs": [s3_uri(bucket, item["key"]) for item in content["inputs"]],
        "predictions": content["predictions"],
    }


def announced(done: dict[str, Any]) -> dict[str, Any]:
    """Return what the event of the asset of predictions says of a published day, from its account."""
    return {key: done[key] for key in ("batch_day", "manifest_uri", "model_package_arn", "model_package_version")}


def still_published(s3: Any, bucket: str, use_case: UseCase, verdict: dict[str, Any]) -> dict[str, Any]:
    """Say what consumers of a held day see: nothing, or what an earlier execution published."""
    key = manifest_key(use_case.name, date.fromisoformat(verdict["batch_day"]))
    stored = records.read(s3, bucket, key)
    return {
        "batch_day": verdict["batch_day"],
        "verdict_uri": verdict["uri"],
        "still_published": s3_uri(bucket, key) if stored else "",
        "published_execution": stored.content["execution_arn"] if stored else "",
    }


def _predictions(s3: Any, bucket: str, prefix: str) -> list[dict[str, Any]]:
    return [
        {"uri": s3_uri(bucket, key), "rows": manifest.count_rows(s3, bucket, key)}
        for key, _ in records.keys(s3, bucket, prefix)
        if key.endswith(".out")
    ]


def _code(s3: Any, bucket: str, use_case: str, run: dict[str, str]) -> dict[str, str]:
    """Say which code made this: the deployment's digest of the scripts, and Airflow's version of the DAG."""
    deployed = records.read(s3, bucket, deployment_key(use_case))
    return {
        "scripts_digest": str((deployed.content if deployed else {}).get("code_digest", "")),
        "dag_version": run["dag_version"],
    }
