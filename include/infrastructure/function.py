"""The Lambda function's zip: the same bytes for the same sources."""

import base64
import hashlib
import io
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A zip cannot be older; any fixed moment would do.
EPOCH = (1980, 1, 1, 0, 0, 0)


def function_zip() -> bytes:
    """Return the zip: the handler, the registry, and the package's empty __init__."""
    contents = {
        "handler.py": (ROOT / "include/lambda/get_latest_model/handler.py").read_bytes(),
        "sagemaker_batch/__init__.py": b"",
        "sagemaker_batch/registry.py": (ROOT / "plugins/sagemaker_batch/registry.py").read_bytes(),
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, wherever it is made
            # Stored, because compressed bytes differ between versions of zlib.
            entry.compress_type = zipfile.ZIP_STORED
            archive.writestr(entry, contents[name])
    return target.getvalue()


def code_sha256(content: bytes) -> str:
    """Return the digest in the form that Lambda reports."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
