"""The last lines of a job, of all its instances."""

from __future__ import annotations

from botocore.exceptions import ClientError

from sagemaker_local.jobs.clients import Clients

_LINES = 500
_STREAMS = 20


def lines_of(clients: Clients, group: str, job: str) -> list[str]:
    """Return the last lines; with several instances each line says whose it is."""
    logs = clients.get("logs")
    try:
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/", limit=_STREAMS)[
            "logStreams"
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return []
        raise
    found: list[str] = []
    for stream in streams:
        name = stream["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=name, limit=_LINES, startFromHead=False)[
            "events"
        ]
        host = f"[{name.rpartition('/')[2].rpartition('-')[0]}] " if len(streams) > 1 else ""
        found += [f"{host}{event['message']}" for event in events]
    return found
