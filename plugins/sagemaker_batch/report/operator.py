"""Tasks with buttons: what a task has worked on, behind one click."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.sdk import BaseOperator

from sagemaker_batch.links import ManifestLink, ReportLink, VerdictLink

BUTTONS = {"report": ReportLink(), "verdict": VerdictLink(), "manifest": ManifestLink()}


class Linked(BaseOperator):
    """Gives an operator the buttons that are named, of `report`, `verdict` and `manifest`.

    `pages` returns their addresses from the task's context. Airflow asks when the task ends or waits, whatever came of
    it; an address that cannot be told is an error in the task's log, and changes nothing about the task.
    """

    asked: Any = None

    def __init__(
        self, *, pages: Callable[[Any], dict[str, str]], buttons: tuple[str, ...] = ("report",), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pages = pages
        self.operator_extra_links = tuple(BUTTONS[name] for name in buttons)

    def execute(self, context: Any) -> Any:
        """Do the operator's own work."""
        self.asked = context
        return super().execute(context)

    @cached_property
    def addresses(self) -> dict[str, str]:
        """The addresses by name; none before the task has begun."""
        return self.pages(self.asked) if self.asked else {}


class LinkedPythonOperator(Linked, PythonOperator):
    """A callable with buttons."""


class LinkedBranchOperator(Linked, BranchPythonOperator):
    """A choice with buttons."""


class ReportOperator(LinkedPythonOperator):
    """A callable that draws a report."""

    ui_color = "#e6f4ea"
