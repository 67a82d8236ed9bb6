"""The manifest of a day: the one pointer that consumers read, and how it becomes visible.

One conditional put, after everything that it names exists. Airflow-free; the S3 client is handed in.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.errors import PublishError
from sagemaker_batch.names import execution_id

VERSION = 1
ATTEMPTS = 10
CHUNK_BYTES = 1 << 20


class RowCountMismatch(PublishError):  # noqa: N818 - the field's word
    """Rows were lost or doubled between the batch and its predictions."""


class Superseded(PublishError):  # noqa: N818 - the field's word
    """A newer execution has published the day; the older one leaves it alone."""


class PublishConflict(PublishError):  # noqa: N818 - the field's word
    """Others changed the manifest again and again while we tried."""


@dataclass(frozen=True)
class Published:
    """What publishing did: `created`, `replaced` (a former one is in the history) or `unchanged` (ours was there)."""

    how: str
    former_execution: str = ""


def build(
    *,
    use_case: str,
    batch_day: str,
    predictions: list[dict[str, Any]],
    rows_in: int,
    rows_out: int,
    model: dict[str, Any],
    execution: dict[str, str],
    verdict: dict[str, Any],
    inputs: list[dict[str, Any]],
    code: dict[str, str],
    run: dict[str, str],
    now: datetime,
    release: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return the manifest (docs/contracts/manifest.schema.json).

    Raises:
        PublishError: there is no predictions object.
        RowCountMismatch: rows in and out differ.
    """
    if not predictions:
        raise PublishError(f"Execution {execution['arn']} succeeded and left no predictions; nothing is published.")
    if rows_in != rows_out:
        raise RowCountMismatch(
            f"Batch day {batch_day} of {use_case} has {rows_in} rows in and {rows_out} predictions; they must agree, "
            "so nothing is published. Rows were lost or doubled in the transform: compare prepared/ and predictions/ "
            f"of execution {execution['arn']}."
        )
    return {
        "version": VERSION,
        "use_case": use_case,
        "batch_day": batch_day,
        "predictions": predictions,
        "rows_in": rows_in,
        "rows_out": rows_out,
        "model_package_arn": model["arn"],
        "model_package_version": model["version"],
        "constraints_uri": model["constraints_uri"],
        "execution_arn": execution["arn"],
        "execution_created": execution["created"],
        "verdict": verdict["verdict"],
        "violations": {"count": len(verdict["violations"]), "features": verdict["violated_features"]},
        "verdict_uri": verdict["uri"],
        "inputs": inputs,
        "code": code,
        **({"released": release} if release else {}),
        "published_by": run,
        "published_at": now.astimezone(UTC).isoformat(timespec="seconds"),
    }


def count_rows(client: Any, bucket: str, key: str) -> int:
    """Count the records of a CSV object by streaming it, a chunk at a time.

    A newline within quotes belongs to its record (RFC 4180); a last record without a newline counts, a blank line not.

    Raises:
        PublishError: the object ends within quotes, as a truncated one does.
    """
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    rows, within, filled = 0, False, False
    for chunk in iter(lambda: body.read(CHUNK_BYTES), b""):
        for number, part in enumerate(chunk.split(b'"')):
            if number:  # a quote stood here; a doubled one opens and closes nothing
                within, filled = not within, True
            if within:
                continue
            *ended, rest = part.split(b"\n")
            for line in ended:
                rows += filled or bool(line.strip())
                filled = False
            filled = filled or bool(rest.strip())
    if within:
        raise PublishError(
            f"s3://{bucket}/{key} ends within quotes: it is truncated, or a cell holds a single quote. Nothing is "
            "published; compare it with prepared/ of the same execution, then run the day again."
        )
    return rows + filled


def publish(client: Any, bucket: str, key: str, history_prefix: str, manifest: dict[str, Any]) -> Published:
    """Make the manifest the day's: created if there is none, replaced only if it is of a newer execution.

    The first put carries If-None-Match, a replacement If-Match of what was read, and the former manifest is first
    copied to `<history prefix><execution id>.json`. A refused put is read back: our own execution in it means that an
    earlier put had won and only its answer was lost.

    Raises:
        Superseded: a manifest of a newer execution (by CreationTime) is there.
        PublishConflict: others win again and again.
    """
    ours = manifest["execution_arn"]
    lost = ""  # how the put whose answer we lost would be called
    former_execution = ""
    for _ in range(ATTEMPTS):
        stored = records.read(client, bucket, key)
        if stored is None:
            if records.create(client, bucket, key, manifest):
                return Published("created")
            lost = "created"
            continue
        former = stored.content
        if former["execution_arn"] == ours:
            return Published(lost or "unchanged", former_execution)
        if _created(former) > _created(manifest):
            raise Superseded(
                f"s3://{bucket}/{key} was published by a newer execution, {former['execution_arn']} of "
                f"{former['execution_created']}; ours is of {manifest['execution_created']} and does not replace it. "
                "If it should, run the day again."
            )
        records.create(client, bucket, f"{history_prefix}{execution_id(former['execution_arn'])}.json", former)
        if records.replace(client, bucket, key, manifest, stored.etag):
            return Published("replaced", former["execution_arn"])
        lost, former_execution = "replaced", former["execution_arn"]
    raise PublishConflict(
        f"s3://{bucket}/{key} was changed by others {ATTEMPTS} times while we tried to publish {ours}. "
        "Are several runs of one day at work? Clear publish_predictions when they have ended."
    )


def _created(manifest: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(manifest["execution_created"])
