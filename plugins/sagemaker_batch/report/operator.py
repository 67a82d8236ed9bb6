"""A Python task whose result names pages, with a button for each."""

from typing import Any

from airflow.providers.standard.operators.python import PythonOperator

from sagemaker_batch.links import ManifestLink, ReportLink, VerdictLink


class ReportOperator(PythonOperator):
    """Runs the callable; the addresses in its result become the task's buttons."""

    operator_extra_links = (ReportLink(), VerdictLink(), ManifestLink())
    ui_color = "#e6f4ea"

    def execute(self, context: Any) -> Any:
        """Return the callable's result."""
        self.addresses = super().execute(context)
        return self.addresses
