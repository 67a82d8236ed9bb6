"""The buttons on a task: its pipeline execution, its report, its verdict record and the day's manifest."""

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


class _Stored(BaseOperatorLink):
    """Opens what the task's `addresses` name (see `report.operator`); empty where they do not."""

    name, member = "", ""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return a page behind Airflow's login, never a bare S3 address."""
        return (getattr(operator, "addresses", None) or {}).get(self.member, "")


class ReportLink(_Stored):
    """Opens the run's or the training's report."""

    name, member = "Report", "report"


class VerdictLink(_Stored):
    """Opens the verdict record."""

    name, member = "Verdict record", "verdict"


class ManifestLink(_Stored):
    """Opens the manifest that the day has, whichever run wrote it."""

    name, member = "Manifest", "manifest"
