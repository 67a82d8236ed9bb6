"""The compiled pipelines, and whether they still follow from use case, environment and scripts."""

import json
from dataclasses import dataclass
from pathlib import Path

from include.infrastructure.environment import Environment
from include.pipelines.settings import COMPILED, INDEX, file_names, inputs_digest, settings_of
from sagemaker_batch.use_case import UseCase


class StaleError(Exception):
    """The compiled pipelines are missing, or older than what they follow from."""


@dataclass(frozen=True)
class Compiled:
    """The three definitions of a use case, as JSON text, and the code that they run."""

    use_case: UseCase
    engine: str
    code_digest: str
    train_baseline: str
    batch_monitor: str
    model_quality: str


def read_compiled(use_case: UseCase, environment: Environment, folder: Path = COMPILED) -> Compiled:
    """Read the definitions of a use case.

    Raises:
        StaleError: they are not there, or were compiled from something else than what lies here now.
    """
    place = folder / environment.name
    remedy = f"Run `make pipelines ENV={environment.name}` and commit include/pipelines/compiled."
    settings = settings_of(use_case, environment)
    try:
        index = json.loads((place / INDEX).read_text(encoding="utf-8"))[use_case.name]
        train_baseline, batch_monitor, model_quality = (
            (place / name).read_text(encoding="utf-8") for name in file_names(use_case.name)
        )
    except (OSError, KeyError, ValueError) as error:
        raise StaleError(
            f"The pipelines of {use_case.name!r} are not compiled for environment {environment.name!r}. {remedy}"
        ) from error
    if index != {"inputs": inputs_digest(settings), "code": settings.code_digest}:
        changed = "the scripts" if index.get("code") != settings.code_digest else "use case, environment or authoring"
        raise StaleError(f"The compiled pipelines of {use_case.name!r} are stale: {changed} changed since. {remedy}")
    if any(settings.code_digest not in text for text in (train_baseline, batch_monitor, model_quality)):
        raise StaleError(f"The compiled pipelines of {use_case.name!r} name other code than they should. {remedy}")
    return Compiled(use_case, settings.engine, settings.code_digest, train_baseline, batch_monitor, model_quality)
