"""The one file of the plugins folder that Airflow imports by itself: it names what the package adds to the UI."""

from airflow.plugins_manager import AirflowPlugin

from sagemaker_batch.links import ExecutionLink, ManifestLink, ReportLink, VerdictLink
from sagemaker_batch.pool import PoolListener
from sagemaker_batch.report.addresses import ROOT
from sagemaker_batch.views.mount import LazyApp, external_views


class SageMakerBatchPlugin(AirflowPlugin):
    """Links of tasks to executions, reports and records; pages of use cases, days and models; the executions' pool."""

    name = "sagemaker_batch"
    operator_extra_links = [ExecutionLink(), ReportLink(), VerdictLink(), ManifestLink()]  # noqa: RUF012 - Airflow's attribute
    listeners = [PoolListener()]  # noqa: RUF012 - Airflow's attribute
    fastapi_apps = [{"app": LazyApp(), "url_prefix": ROOT, "name": "SageMaker batch"}]  # noqa: RUF012 - Airflow's attribute
    external_views = external_views()
