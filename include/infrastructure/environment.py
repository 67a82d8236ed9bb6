"""An environment: one account, region and bucket, and what its jobs run on."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sagemaker_batch import names

FOLDER = Path(__file__).parent / "environments"
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
Count = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[int, Field(ge=60, le=432_000)]
RoleArn = Annotated[str, Field(pattern=r"^arn:aws:iam::\d{12}:role/(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}$")]


class EnvironmentFileError(Exception):
    """An environment file that cannot be used; the message names file and key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class InstanceTypes(_Section):
    """Instance types, unless a use case names its own."""

    processing: InstanceType = Field(description="Of processing jobs and quality checks.")
    training: InstanceType = Field(description="Of the training job.")
    transform: InstanceType = Field(description="Of the batch transform.")


class InstanceCounts(_Section):
    """On how many machines a day is worked off; the data is prepared in as many files as the larger number."""

    monitoring: Count = Field(
        default=1,
        description="Of the bundled monitor: above 1 each machine describes its share of the files, and a step after "
        "them merges the shares and checks the whole.",
    )
    transform: Count = Field(default=1, description="Of the batch transform, unless a run names another number.")

    @property
    def files(self) -> int:
        """Number of files that the prepared data is written in."""
        return max(self.monitoring, self.transform)


class MaxRuntime(_Section):
    """Limits in seconds; transform jobs have none in the API."""

    processing: Seconds = Field(description="Of PrepareData, EvaluateModel and PrepareBatch.")
    training: Seconds = Field(description="Of TrainModel.")
    monitoring: Seconds = Field(description="Of baselines and checks.")


class Images(_Section):
    """URIs that replace AWS's own images, for accounts that mirror them."""

    sklearn: str | None = Field(default=None, description="Runs PrepareData and PrepareBatch.")
    xgboost: str | None = Field(default=None, description="Trains, evaluates and scores.")
    analyzer: str | None = Field(
        default=None, description="Runs the bundled monitor, instead of the scikit-learn image."
    )


class Network(_Section):
    """The VPC that jobs run in; S3, SageMaker, Logs, ECR and Lambda must be reachable from its subnets."""

    subnets: Annotated[
        list[Annotated[str, Field(pattern=r"^subnet-[0-9a-z]+$")]], Field(min_length=1, max_length=16)
    ] = Field(description="Subnets of the jobs.")
    security_groups: Annotated[
        list[Annotated[str, Field(pattern=r"^sg-[0-9a-z]+$")]], Field(min_length=1, max_length=5)
    ] = Field(description="Their security groups.")
    encrypt_between_instances: bool = Field(
        default=False, description="Encrypt what the instances of a job send each other."
    )


class Roles(_Section):
    """Roles that others made, by ARN; deployment makes those that are not named, and leaves these as they are."""

    execution: RoleArn | None = Field(default=None, description="Runs the pipelines and their jobs.")
    function: RoleArn | None = Field(default=None, description="Runs the Lambda function.")
    airflow: RoleArn | None = Field(default=None, description="Runs the DAGs.")


class Mwaa(_Section):
    """The Amazon MWAA environment that runs the DAGs, where there is one."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="Bucket that MWAA reads.")]
    environment: Annotated[
        str, Field(pattern=r"^[A-Za-z][0-9A-Za-z_-]{0,79}$", description="Name of the MWAA environment.")
    ]
    internet: bool = Field(
        default=True,
        description="Whether MWAA reaches the internet; where not, the bundle carries Airflow's constraints.",
    )


class Environment(_Section):
    """One environment; the file's name is the environment's name."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9]{0,15}$", description="The file's own name; part of every resource's name.")
    ]
    account: Annotated[
        str, Field(pattern=r"^\d{12}$", description="AWS account; credentials of another one are refused.")
    ]
    region: Annotated[
        str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="AWS region; decides the images' registries.")
    ]
    bucket: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            description="Bucket of data, scripts and records; made by deployment.",
        ),
    ]
    inbox: bool = Field(default=False, description="A queue that keeps every alert, as on the laptop.")
    monitor_engine: Literal["managed", "bundled"] | None = Field(
        default=None, description="Who checks the data, whatever the use case says."
    )
    wheelhouse: bool = Field(
        default=False, description="Whether the bundled monitor gets its compiled packages from wheels in the bucket."
    )
    instances: InstanceTypes
    instance_counts: InstanceCounts = Field(default_factory=InstanceCounts)
    max_runtime: MaxRuntime
    images: Images = Field(default_factory=Images)
    network: Network | None = None
    kms_key: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[0-9a-f-]+$")] | None = Field(
        default=None, description="ARN of the key that encrypts bucket, outputs, volumes and topic."
    )
    roles: Roles = Field(default_factory=Roles)
    mwaa: Mwaa | None = None
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of every resource and job, for costs.")

    @field_validator("region")
    @classmethod
    def _of_the_partition_aws(cls, region: str) -> str:
        # Their ARNs begin with arn:aws-cn, arn:aws-us-gov and so on: policies and names would be wrong without a word.
        if region.startswith(("cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-")):
            raise ValueError(f"{region} is of another partition than aws, and all ARNs here are of that one")
        return region

    @model_validator(mode="after")
    def _roles_of_the_account(self) -> "Environment":
        for kind in Roles.model_fields:
            arn = getattr(self.roles, kind)
            if arn and arn.split(":")[4] != self.account:
                raise ValueError(f"roles.{kind} is of another account than {self.account}: {arn}")
        return self

    @property
    def made_roles(self) -> dict[str, str]:
        """Names of the roles that deployment makes, by the kind that `roles` calls them."""
        return {kind: name for kind, name in self._role_names().items() if getattr(self.roles, kind) is None}

    def role(self, kind: str) -> str:
        """Return the ARN of a role by its kind (execution, function, airflow), whoever made it."""
        return str(getattr(self.roles, kind) or names.role_arn(self._role_names()[kind], self.account))

    def _role_names(self) -> dict[str, str]:
        return {
            "execution": names.execution_role(self.name),
            "function": names.lambda_role(self.name),
            "airflow": names.airflow_role(self.name),
        }


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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
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
