"""The Lambda function's zip: the same bytes for the same sources."""

import base64
import hashlib
from pathlib import Path

from include.infrastructure.archive import zip_bytes

ROOT = Path(__file__).parents[2]


def function_zip() -> bytes:
    """Return the zip: the handler, the registry, and the package's empty __init__."""
    return zip_bytes(
        {
            "handler.py": (ROOT / "include/lambda/get_latest_model/handler.py").read_bytes(),
            "sagemaker_batch/__init__.py": b"",
            "sagemaker_batch/registry.py": (ROOT / "plugins/sagemaker_batch/registry.py").read_bytes(),
        }
    )


def code_sha256(content: bytes) -> str:
    """Return the digest in the form that Lambda reports."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
