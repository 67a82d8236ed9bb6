"""Makes the SDK compile without AWS: no telemetry, no role check, no connection to anywhere.

Import and call `enforce` before the SDK is imported: it reads these settings, and creates a client, at import.
"""

import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

TELEMETRY_OPT_OUT = "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"


class ImpureError(Exception):
    """The SDK tried to reach the network while compiling."""


def enforce(region: str) -> None:
    """Set the SDK up for compiling and forbid connections for the rest of this process."""
    config = Path(tempfile.mkdtemp(prefix="sagemaker-sdk-")) / "config.yaml"
    config.write_text(TELEMETRY_OPT_OUT, encoding="utf-8")
    os.environ.update(
        AWS_DEFAULT_REGION=region,
        AWS_REGION=region,
        AWS_ACCESS_KEY_ID="compile",
        AWS_SECRET_ACCESS_KEY="compile",  # noqa: S106 - no secret: the SDK wants to see some
        AWS_EC2_METADATA_DISABLED="true",
        AWS_MAX_ATTEMPTS="1",
        SAGEMAKER_VALIDATE_ROLE="false",
        SAGEMAKER_USER_CONFIG_OVERRIDE=str(config),
        SAGEMAKER_ADMIN_CONFIG_OVERRIDE=str(config),
    )
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)
    sys.addaudithook(_refuse_connections)
    _check_a_schema_once()
    # The SDK tells every step at every level; what fails, raises.
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"sagemaker\..*")


def _check_a_schema_once() -> None:
    """Spare the SDK from checking the schema of its settings at each of the hundreds of times that it reads them.

    The schema is a constant of the SDK; checking it anew was nine tenths of what compiling took (43 s of 6 pipelines).
    """
    from jsonschema import Draft202012Validator

    check, checked = Draft202012Validator.check_schema, {}

    def check_once(schema: Any, *arguments: Any, **named: Any) -> None:
        if id(schema) not in checked:
            check(schema, *arguments, **named)
            checked[id(schema)] = schema  # kept, so that its id stays its own

    Draft202012Validator.check_schema = check_once  # type: ignore[method-assign]


def _refuse_connections(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.getaddrinfo"}:
        raise ImpureError(f"Compiling must not reach the network, and the SDK tried {event} {arguments[-1]!r}.")
