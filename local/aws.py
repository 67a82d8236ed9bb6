"""The local AWS as a process of the house: `sagemaker_local` with ministack behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.environment import ACCOUNT, REGION, REPO
from local.ports import LOOPBACK
from local.processes import Spec

STAGE = 1


@dataclass(frozen=True)
class LocalAws:
    """One endpoint and the directory that its state survives in."""

    state: Path
    venv: Path
    port: int
    runtimes: Path
    variables: Mapping[str, str]
    account: str = ACCOUNT
    region: str = REGION

    @property
    def url(self) -> str:
        """Endpoint of every AWS service."""
        return f"http://{LOOPBACK}:{self.port}"

    def spec(self, log: Path) -> Spec:
        """How to start it; it ends its jobs and ministack itself, which saves its state on a graceful stop."""
        command = [str(self.venv / "bin" / "python"), "-m", "sagemaker_local"]
        command += ["--port", str(self.port), "--state-dir", str(self.state), "--runtimes", str(self.runtimes)]
        command += ["--account", self.account, "--region", self.region]
        return Spec(
            name="aws",
            command=command,
            environment=self.variables,
            log=log,
            cwd=REPO,
            ready=self.is_ready,
            deadline=60.0,
            stage=STAGE,
            stop_seconds=30.0,
        )

    def is_ready(self) -> bool:
        """Tell whether both halves answer."""
        health = self.health()
        return health.get("sagemaker") == "ready" and health.get("aws") == "ready"

    def generation(self) -> str:
        """Return what changes whenever ministack, or the whole process, was started anew; empty while nothing answers.

        What ministack had not saved is gone then, and the deployment is due again.
        """
        health = self.health()
        return f"{health['nonce']}/{health['aws_starts']}" if health else ""

    def health(self) -> dict[str, Any]:
        """Return the health document; empty while nothing answers."""
        try:
            answer = httpx.get(f"{self.url}/_local/health", timeout=5.0, trust_env=False)
        except httpx.TransportError:
            return {}
        return dict(answer.json()) if answer.headers.get("content-type", "").startswith("application/json") else {}
