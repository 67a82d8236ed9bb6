"""What the plugin gives to Airflow: every process imports the plugin, and only the API server needs the pages."""

from typing import Any
from urllib.parse import urlsplit

from sagemaker_batch.report.addresses import ROOT


class LazyApp:
    """An ASGI application that is built at its first request."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the request on."""
        if self._app is None:
            from sagemaker_batch.views.app import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


def external_views() -> list[dict[str, str]]:
    """Return the entries of the navigation and the tabs of DAG and DAG run."""
    root = f"{_path()}{ROOT}"
    views = [
        ("Batch days", f"{root}/", "nav", "sagemaker-batch"),
        ("Batch days", f"{root}/dags/{{DAG_ID}}", "dag", "sagemaker-batch-dag"),
        ("Batch report", f"{root}/dags/{{DAG_ID}}/runs/{{RUN_ID}}", "dag_run", "sagemaker-batch-run"),
    ]
    return [
        {"name": name, "href": href, "destination": destination, "url_route": route, **_category(destination)}
        for name, href, destination, route in views
    ]


def _category(destination: str) -> dict[str, str]:
    return {"category": "browse"} if destination == "nav" else {}


def _path() -> str:
    """Return the path below which Airflow is served, as its base URL says; mostly none."""
    from sagemaker_batch.run_context import base_url

    return urlsplit(base_url()).path
