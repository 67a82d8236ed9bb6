"""The plugin file, and what Airflow makes of the plugins folder."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from sagemaker_batch_plugin import SageMakerBatchPlugin

from sagemaker_batch.errors import BatchError
from sagemaker_batch.links import ExecutionLink, ManifestLink, ReportLink, VerdictLink
from sagemaker_batch.settings import settings

PLUGINS = Path(__file__).parents[3] / "plugins"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abc"


def test_airflow_imports_the_plugin_file_alone():
    """Without the ignore file it would import operators.py and registry.py a second time, under their bare names."""
    assert "sagemaker_batch/" in (PLUGINS / ".airflowignore").read_text().splitlines()


def test_the_plugin_carries_the_links():
    """The execution, for start and sensor; report, verdict record and manifest for what writes them."""
    found = [type(link) for link in SageMakerBatchPlugin.operator_extra_links]
    assert found == [ExecutionLink, ReportLink, VerdictLink, ManifestLink]


def test_the_link_opens_what_the_task_worked_on(monkeypatch):
    """A configured console comes before Studio; a task that started nothing has no link."""
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__CONSOLE_URL", "http://127.0.0.1:9/{pipeline}/{execution}")
    link = ExecutionLink()
    assert link.get_link(SimpleNamespace(execution_arn=ARN), ti_key=None) == "http://127.0.0.1:9/p/abc"
    assert link.get_link(SimpleNamespace(execution_arn=""), ti_key=None) == ""


def test_a_task_has_the_buttons_that_it_names_and_asks_for_them_once():
    """Before it has begun they lead nowhere; an operator that is resumed in another process still has them."""
    from sagemaker_batch.report.operator import LinkedPythonOperator

    asked = []

    def pages(context):
        asked.append(context)
        return {"report": "http://127.0.0.1:9/report", "manifest": ""}

    def task(name):
        buttons = ("report", "manifest")
        return LinkedPythonOperator(task_id=name, python_callable=lambda: "done", pages=pages, buttons=buttons)

    worked, idle = task("worked"), task("idle")
    assert [type(link) for link in worked.operator_extra_links] == [ReportLink, ManifestLink]
    assert worked.execute({"ds": "2026-03-03"}) == "done"
    shown = {link.name: link.get_link(worked, ti_key=None) for link in worked.operator_extra_links}
    assert shown == {"Report": "http://127.0.0.1:9/report", "Manifest": ""}
    assert len(asked) == 1
    assert {link.get_link(idle, ti_key=None) for link in idle.operator_extra_links} == {""}


@pytest.mark.parametrize("option", ["ENVIRONMENT", "BUCKET"])
def test_an_option_that_is_missing_is_named(monkeypatch, option):
    """With the variable to set, and MWAA's spelling."""
    monkeypatch.delenv(f"AIRFLOW__SAGEMAKER_BATCH__{option}")
    with pytest.raises(BatchError, match=f"AIRFLOW__SAGEMAKER_BATCH__{option}.*sagemaker_batch.{option.lower()}"):
        settings()


def test_the_package_imports_without_airflow():
    """What deployment, Lambda and the laptop share must not need it."""
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['airflow'] = None; "
        "import sagemaker_batch.names, sagemaker_batch.registry, sagemaker_batch.use_case, "
        "sagemaker_batch.verdict, sagemaker_batch.manifest"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], check=False, env={"PYTHONPATH": str(PLUGINS)}, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
