"""Network, encryption and tags of every job, set in one place over a whole definition.

The environment decides: without `network` and `kms_key` a definition is left as it is. The members are those of
CreateProcessingJob, CreateTrainingJob, CreateTransformJob, CreateModel and CreateModelPackage.
"""

from typing import Any

from include.infrastructure.environment import Environment
from include.pipelines.parts import steps_of

PROCESSING = ("Processing", "QualityCheck")


def protect(definition: dict[str, Any], environment: Environment) -> dict[str, Any]:
    """Return the definition with the environment's network, key and tags in every step that takes them."""
    for step in steps_of(definition):
        kind, arguments = step["Type"], step["Arguments"]
        if environment.network:
            _join(kind, arguments, environment)
        if environment.kms_key:
            _encrypt(kind, arguments, environment.kms_key)
        if environment.tags and kind in {*PROCESSING, "Training", "Transform", "Model"}:
            ours = [{"Key": key, "Value": value} for key, value in sorted(environment.tags.items())]
            arguments["Tags"] = [*arguments.get("Tags", []), *ours]
    return definition


def _join(kind: str, arguments: dict[str, Any], environment: Environment) -> None:
    network = environment.network
    if network is None:
        return
    place = {"SecurityGroupIds": list(network.security_groups), "Subnets": list(network.subnets)}
    if kind in PROCESSING:
        arguments["NetworkConfig"] = {
            "EnableInterContainerTrafficEncryption": network.encrypt_between_instances,
            "EnableNetworkIsolation": False,
            "VpcConfig": place,
        }
    elif kind == "Training":
        arguments["VpcConfig"] = place
        arguments["EnableInterContainerTrafficEncryption"] = network.encrypt_between_instances
    elif kind == "Model":
        # A transform job runs where its model says.
        arguments["VpcConfig"] = place


def _encrypt(kind: str, arguments: dict[str, Any], key: str) -> None:
    if kind in PROCESSING:
        arguments["ProcessingOutputConfig"]["KmsKeyId"] = key
        arguments["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] = key
    elif kind == "Training":
        arguments["OutputDataConfig"]["KmsKeyId"] = key
        arguments["ResourceConfig"]["VolumeKmsKeyId"] = key
    elif kind == "Transform":
        arguments["TransformOutput"]["KmsKeyId"] = key
        arguments["TransformResources"]["VolumeKmsKeyId"] = key
