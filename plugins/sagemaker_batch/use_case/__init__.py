"""One use case = one YAML file: what it may say, and clear words where it is wrong.

Airflow parses DAG files often, so this imports pydantic and YAML only (zone data and difflib when needed).
`python -m sagemaker_batch.use_case` prints the JSON Schema that editors use (docs/contracts/use_case.schema.json).
"""

from sagemaker_batch.use_case.case import UseCase, json_schema
from sagemaker_batch.use_case.data import Data, Label, Ready
from sagemaker_batch.use_case.model import Instances, Model, Split
from sagemaker_batch.use_case.monitor import FeatureOverrides, Monitor, MonitorOverrides, Severity
from sagemaker_batch.use_case.people import Alerts, Events, Retraining, Review, Routes
from sagemaker_batch.use_case.problems import Problem, UseCaseError
from sagemaker_batch.use_case.quality import DEFAULT_METRICS, QUALITY_METRICS, Quality
from sagemaker_batch.use_case.reading import load_use_case
from sagemaker_batch.use_case.schedule import Schedule, check_cron
from sagemaker_batch.use_case.section import ColumnName, ConnectionId, Section

__all__ = [
    "DEFAULT_METRICS",
    "QUALITY_METRICS",
    "Alerts",
    "ColumnName",
    "ConnectionId",
    "Data",
    "Events",
    "FeatureOverrides",
    "Instances",
    "Label",
    "Model",
    "Monitor",
    "MonitorOverrides",
    "Problem",
    "Quality",
    "Ready",
    "Retraining",
    "Review",
    "Routes",
    "Schedule",
    "Section",
    "Severity",
    "Split",
    "UseCase",
    "UseCaseError",
    "check_cron",
    "json_schema",
    "load_use_case",
]
