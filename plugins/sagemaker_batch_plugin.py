"""The one file of the plugins folder that Airflow imports by itself: it names what the package adds to the UI."""

from airflow.plugins_manager import AirflowPlugin

from sagemaker_batch.links import ExecutionLink


class SageMakerBatchPlugin(AirflowPlugin):
    """Links of tasks to their pipeline executions."""

    name = "sagemaker_batch"
    operator_extra_links = [ExecutionLink()]  # noqa: RUF012 - Airflow's attribute
