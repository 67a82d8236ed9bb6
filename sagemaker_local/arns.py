"""Amazon Resource Names of what SageMaker keeps."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

_ID_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class Arn:
    """``arn:aws:sagemaker:<region>:<account>:<kind>/<name>``; the name may hold further slashes."""

    region: str
    account: str
    kind: str
    name: str

    def __str__(self) -> str:
        """Return the ARN as AWS writes it."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{self.kind}/{self.name}"


def parse(text: str) -> Arn | None:
    """Return the parts of a SageMaker ARN, or None when the text is none."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sagemaker" or "/" not in parts[5]:
        return None
    kind, name = parts[5].split("/", 1)
    return Arn(parts[3], parts[4], kind, name)


def name_of(name_or_arn: str) -> str:
    """Return the name in an ARN, or the text itself when it is a name."""
    arn = parse(name_or_arn)
    return name_or_arn if arn is None else arn.name


def execution_id() -> str:
    """Return twelve random lower-case letters and digits, as in ``.../execution/<id>``."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))
