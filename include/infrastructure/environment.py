"""An environment: one account, region and bucket, and what its jobs run on."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

FOLDER = Path(__file__).parent / "environments"
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
Seconds = Annotated[int, Field(ge=60, le=432_000)]


class EnvironmentFileError(Exception):
    """An environment file that cannot be used; the message names file and key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class InstanceTypes(_Section):
    """Instance types, unless a use case names its own."""

    processing: InstanceType
    training: InstanceType
    transform: InstanceType


class MaxRuntime(_Section):
    """Limits in seconds; transform jobs have none in the API."""

    processing: Seconds
    training: Seconds
    monitoring: Seconds


class Images(_Section):
    """URIs that replace AWS's own images, for accounts that mirror them."""

    sklearn: str | None = None
    xgboost: str | None = None
    monitor: str | None = None
    analyzer: str | None = None


class Network(_Section):
    """The VPC that jobs run in; S3, SageMaker, Logs, ECR and Lambda must be reachable from its subnets."""

    subnets: Annotated[list[Annotated[str, Field(pattern=r"^subnet-[0-9a-z]+$")]], Field(min_length=1, max_length=16)]
    security_groups: Annotated[
        list[Annotated[str, Field(pattern=r"^sg-[0-9a-z]+$")]], Field(min_length=1, max_length=5)
    ]
    encrypt_between_instances: bool = False


class Mwaa(_Section):
    """The Amazon MWAA environment that runs the DAGs, where there is one."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    environment: Annotated[str, Field(pattern=r"^[A-Za-z][0-9A-Za-z_-]{0,79}$")]


class Environment(_Section):
    """One environment; the file's name is the environment's name."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,15}$")]
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    inbox: bool = False
    monitor_engine: Literal["managed", "bundled"] | None = None
    wheelhouse: bool = False
    instances: InstanceTypes
    max_runtime: MaxRuntime
    images: Images = Field(default_factory=Images)
    network: Network | None = None
    kms_key: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[0-9a-f-]+$")] | None = None
    mwaa: Mwaa | None = None
    tags: dict[str, str] = Field(default_factory=dict)


def load_environment(name: str, folder: Path = FOLDER) -> Environment:
    """Read an environment by its name.

    Raises:
        EnvironmentFileError: there is no such file, or it is wrong.
    """
    path = folder / f"{name}.yaml"
    known = ", ".join(sorted(item.stem for item in folder.glob("*.yaml"))) or "none"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = Environment.model_validate(content)
    except FileNotFoundError as error:
        raise EnvironmentFileError(
            f"There is no environment {name!r}. Known are: {known}. Copy one in include/infrastructure/environments."
        ) from error
    except yaml.YAMLError as error:
        raise EnvironmentFileError(f"{path.name} is no YAML: {error}") from error
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise EnvironmentFileError(f"The environment {path.name} is wrong: {said}.") from error
    if found.name != name:
        raise EnvironmentFileError(f"{path.name} says name: {found.name}. File and name must agree.")
    return found
