"""The house's own secrets: made once, kept in its directory, readable by their owner alone."""

import base64
import json
import os
import secrets
from pathlib import Path

USER = "admin"


def load(path: Path) -> dict[str, str]:
    """Return the secrets, making them first when the file is absent."""
    if not path.exists():
        made = {
            "password": secrets.token_urlsafe(12),
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "jwt_secret": secrets.token_urlsafe(48),
            "secret_key": secrets.token_urlsafe(32),
        }
        write(path, made)
    return dict(json.loads(path.read_text()))


def write(path: Path, content: dict[str, str]) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
