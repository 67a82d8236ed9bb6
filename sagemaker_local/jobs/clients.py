"""boto3 clients of the engine and of jobs, all pointed at this local AWS."""

from __future__ import annotations

import os
import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

# The local AWS takes any key; a job must never find a real one. With a role its name is the key, so that the record of
# who asked for what (`/_local/access`) tells whose request it was.
ACCESS_KEY = "local"
SECRET_KEY = "local"  # noqa: S105 - no secret


def access_key(role_arn: str) -> str:
    """Return the key of what runs as a role: the role's name."""
    return role_arn.rpartition("/")[2] or ACCESS_KEY


class Clients:
    """One client per service and role, made when first needed; boto3 clients may be shared by threads."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        """Remember where everything is."""
        self.endpoint_url = endpoint_url
        self.region = region
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        # A person's own profile and settings of the real AWS have no say here.
        profile = (None, None, None, None)
        core = botocore.session.Session(session_vars={"profile": profile})
        core.set_config_variable("config_file", os.devnull)
        core.set_config_variable("credentials_file", os.devnull)
        self._session: Any = boto3.session.Session(
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=region,
            botocore_session=core,
        )

    def get(self, service: str, role_arn: str = "") -> Any:
        """Return the client of a service, acting as a role where one is named."""
        key = access_key(role_arn)
        with self._lock:
            if (service, key) not in self._clients:
                # A function may run for 15 minutes; an invocation is not repeated when its answer is late.
                lambda_config = {"read_timeout": 910, "retries": {"total_max_attempts": 1}}
                config = Config(
                    s3={"addressing_style": "path"},
                    max_pool_connections=50,
                    **(lambda_config if service == "lambda" else {"retries": {"total_max_attempts": 4}}),
                )
                self._clients[service, key] = self._session.client(
                    service,
                    endpoint_url=self.endpoint_url,
                    config=config,
                    aws_access_key_id=key,
                    aws_secret_access_key=SECRET_KEY,
                )
            return self._clients[service, key]

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
