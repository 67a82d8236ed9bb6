"""The button on a task that opens its pipeline execution."""

from typing import Any

from airflow.sdk import BaseOperatorLink


class ExecutionLink(BaseOperatorLink):
    """Opens the execution in SageMaker Studio, or on the page that `[sagemaker_batch] console_url` names.

    Airflow asks for the link in the worker when the task ends, and shows what it stored then.
    """

    name = "Pipeline execution"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the page of the execution that the operator started or waited for; empty before that."""
        from sagemaker_batch.execution import console_link
        from sagemaker_batch.settings import console_url

        arn = getattr(operator, "execution_arn", "") or ""
        return console_link(arn, console_url()) if arn else ""
