"""Where reports and records can be opened: pages behind Airflow's login, never bare S3 addresses."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sagemaker_batch.names import execution_id

ROOT = "/sagemaker-batch"


@dataclass(frozen=True)
class Addresses:
    """Pages of a run. Empty texts where Airflow's own address is not configured."""

    report: str
    verdict: str
    manifest: str
    run: str
    execution: str

    def pages(self, *, manifest: bool) -> dict[str, str]:
        """Return what a task's buttons open, by name; without the manifest where the run publishes none."""
        return {"report": self.report, "verdict": self.verdict, "manifest": self.manifest if manifest else ""}

    def links(self) -> list[tuple[str, str]]:
        """Return what a report links to: words and address."""
        return [
            ("The run in Airflow", self.run),
            ("The pipeline execution", self.execution),
            ("The verdict record", self.verdict),
            ("The day's manifest", self.manifest),
        ]


def use_case_path(use_case: str) -> str:
    """Return the path of a use case's page."""
    return f"{ROOT}/use-cases/{quote(use_case)}"


def report_path(use_case: str, day: str, execution: str) -> str:
    """Return the path of a run's report."""
    return f"{use_case_path(use_case)}/days/{quote(day)}/{quote(execution)}"


def verdict_path(use_case: str, day: str, execution: str) -> str:
    """Return the path of a verdict record."""
    return f"{report_path(use_case, day, execution)}/verdict"


def manifest_path(use_case: str, day: str) -> str:
    """Return the path of a day's manifest."""
    return f"{use_case_path(use_case)}/days/{quote(day)}/manifest"


def training_path(use_case: str, execution: str) -> str:
    """Return the path of a training's report."""
    return f"{use_case_path(use_case)}/trainings/{quote(execution)}"


def manifest_address(use_case: str, day: str) -> str:
    """Return the page of a day's manifest; empty where Airflow's own address is not configured."""
    from sagemaker_batch.run_context import base_url

    base = base_url()
    return base + manifest_path(use_case, day) if base else ""


def run_addresses(context: Any, record: dict[str, Any], console_url: str) -> Addresses:
    """Return the pages of a run from its verdict record."""
    from sagemaker_batch.execution import console_link
    from sagemaker_batch.run_context import base_url, run_link

    base = base_url()
    day, arn = record["batch_day"], record["execution"]["arn"]
    where = (record["use_case"], day, execution_id(arn))
    return Addresses(
        report=base + report_path(*where) if base else "",
        verdict=base + verdict_path(*where) if base else "",
        manifest=manifest_address(record["use_case"], day),
        run=run_link(context),
        execution=console_link(arn, console_url),
    )


def training_address(
    context: Any, use_case: str, execution_arn: str, console_url: str
) -> tuple[str, list[tuple[str, str]]]:
    """Return the page of a training's report, and what the report links to."""
    from sagemaker_batch.execution import console_link
    from sagemaker_batch.run_context import base_url, run_link

    base = base_url()
    links = [
        ("The run in Airflow", run_link(context)),
        ("The pipeline execution", console_link(execution_arn, console_url)),
        ("All model versions", base + use_case_path(use_case) if base else ""),
    ]
    return base + training_path(use_case, execution_id(execution_arn)) if base else "", links
