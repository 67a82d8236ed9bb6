"""What of a use case and an environment goes into the definitions, and the digest that tells when they are stale."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.infrastructure.code import ROOT, USE_CASES, code_digest, code_files
from include.infrastructure.environment import Environment
from include.infrastructure.wheelhouse import WHEELHOUSE, wheels_digest
from sagemaker_batch import names
from sagemaker_batch.use_case import UseCase

HERE = Path(__file__).parent
COMPILED = HERE / "compiled"
INDEX = "compiled.json"
COMPILED_SECTIONS: Any = {"name": True, "data": True, "model": True, "monitor": {"engine"}}


@dataclass(frozen=True)
class Settings:
    """Everything that authoring may look at."""

    use_case: UseCase
    environment: Environment
    code_digest: str

    @property
    def engine(self) -> str:
        """Who checks the data: the environment's choice before the use case's."""
        return self.environment.monitor_engine or self.use_case.monitor.engine

    @property
    def role(self) -> str:
        """ARN of the role that jobs run as."""
        return self.environment.role("execution")

    @property
    def code_uri(self) -> str:
        """Prefix of the scripts."""
        return names.s3_uri(self.environment.bucket, names.code_prefix(self.code_digest))

    @property
    def wheels_uri(self) -> str:
        """Prefix of the wheels that our analyzer needs beside what its image carries."""
        return names.s3_uri(self.environment.bucket, f"{WHEELHOUSE}/{wheels_digest()}/")

    def script(self, name: str) -> str:
        """Path of a script below the code: the use case's own where it has one, otherwise the shared one."""
        own = f"{USE_CASES}/{self.use_case.name}/{name}"
        return own if (ROOT / own).is_file() else name

    def instance(self, kind: str) -> str:
        """Instance type of `processing`, `training` or `transform` jobs."""
        return getattr(self.use_case.model.instances, kind) or getattr(self.environment.instances, kind)


def settings_of(use_case: UseCase, environment: Environment) -> Settings:
    """Gather the settings; reads the scripts to name them by their digest."""
    engine = environment.monitor_engine or use_case.monitor.engine
    return Settings(use_case, environment, code_digest(code_files(engine, use_case.name)))


def inputs_digest(settings: Settings) -> str:
    """Digest of all that the definitions follow from: when it differs, they are stale.

    Schedule, alerts, owners, severity and the monitor's overrides are not in it: they are edited without compiling.
    """
    content: dict[str, Any] = {
        "use_case": settings.use_case.model_dump(mode="json", include=COMPILED_SECTIONS),
        "environment": settings.environment.model_dump(mode="json", exclude={"inbox", "mwaa"}),
        "code": settings.code_digest,
        "authoring": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(HERE.glob("*.py"))},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def canonical(definition: Any) -> str:
    """Return JSON that is the same text for the same content."""
    return json.dumps(definition, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def file_names(use_case: str) -> tuple[str, str, str]:
    """Names of the compiled files of a use case: train_baseline's, batch_monitor's and model_quality's."""
    slug = names.slug(use_case)
    return f"{slug}-train-baseline.json", f"{slug}-batch-monitor.json", f"{slug}-model-quality.json"
