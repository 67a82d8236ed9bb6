# ruff: noqa: T201, TID251 - runs in the authoring environment and answers on standard output
"""Run in the authoring environment by test_contracts.py: reads a result folder with the SageMaker SDK's own classes."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from sagemaker.core import s3
from sagemaker.core.model_monitor.model_monitoring import MonitoringExecution
from sagemaker.core.model_monitor.monitoring_files import Constraints

PREFIX = "s3://bucket/monitoring"
folder = Path(sys.argv[1])


def read_file(s3_uri, sagemaker_session=None):
    """Stand for S3: the bytes are those in the folder."""
    return (folder / s3_uri.removeprefix(PREFIX + "/")).read_text()


# What the SDK's methods use of an execution: where its first output lies.
output = SimpleNamespace(s3_output=SimpleNamespace(s3_uri=PREFIX))
execution = SimpleNamespace(outputs=[output], sagemaker_session=None)

with mock.patch.object(s3.S3Downloader, "read_file", staticmethod(read_file)):
    statistics = MonitoringExecution.statistics(execution)
    violations = MonitoringExecution.constraint_violations(execution)
    constraints = Constraints.from_s3_uri(f"{PREFIX}/constraints.json")
constraints.set_monitoring(enable_monitoring=False, feature_name="age")
feature = next(item for item in constraints.body_dict["features"] if item["name"] == "age")
print(
    json.dumps(
        {
            "statistics": statistics.body_dict,
            "constraint_violations": violations.body_dict,
            "override": feature["monitoring_config_overrides"],
        }
    )
)
