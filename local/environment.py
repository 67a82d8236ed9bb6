"""Environment variables of what a house starts: nothing of the person's AWS or Airflow settings gets in."""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
ACCOUNT = "000000000000"
REGION = "us-east-1"
DEPLOYER = "sagemaker-batch-deployer-local"
KEPT = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH", "CI"}


def base() -> dict[str, str]:
    """Return the few variables that a process needs from the person's own environment."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("LC_")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def python_path() -> str:
    """Return the import path: repository root and plugins."""
    return os.pathsep.join([str(REPO), str(REPO / "plugins")])


def aws(endpoint: str, caller: str = "local") -> dict[str, str]:
    """Return what makes boto3 speak to the local AWS and to nothing else.

    The keys open nothing; they say who is calling, so that `/_local/access` tells what each role asked for. The
    person's configuration files are not read, so that no profile can lead elsewhere.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": caller,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
