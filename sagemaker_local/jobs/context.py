"""What every job needs besides its own document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sagemaker_local.api import Api
from sagemaker_local.jobs.clients import Clients
from sagemaker_local.runtimes.table import Runtimes


@dataclass(frozen=True)
class Context:
    """The service, the rest of AWS, the table of images, and the directory below which jobs have theirs."""

    api: Api
    clients: Clients
    runtimes: Runtimes
    directory: Path
