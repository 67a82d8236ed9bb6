"""Airflow's REST API, as a person's script would use it."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import httpx

from local.errors import HouseError

POLL_SECONDS = 0.4
FINAL_STATES = ("success", "failed")


class AirflowApi:
    """A client with a token of its own. Methods return the API's documents as they are.

    Every wait asks `check` between two looks, so that a part of the house that died ends the wait with its reason.
    """

    def __init__(self, url: str, user: str, password: str, check: Callable[[], None] = lambda: None) -> None:
        self.url = url
        self.credentials = {"username": user, "password": password}
        self.check = check
        self.client = httpx.Client(base_url=f"{url}/api/v2", timeout=60.0, trust_env=False)

    def request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Call the API; log in first, and again when the token has run out.

        Raises:
            HouseError: Airflow refused, with its own words, or does not answer.
        """
        try:
            answer = self._answer(method, path, **arguments)
        except httpx.TransportError as error:
            self.check()  # a part of the house that has ended is the better reason
            raise HouseError(
                f"Airflow at {self.url} does not answer ({error}).", "Was the house ended? `make up` starts one."
            ) from error
        if answer.is_error:
            raise HouseError(
                f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:2000]}",
                "Its log api-server.log in the house's folder logs/ has more.",
            )
        return dict(answer.json()) if answer.content else {}

    def _answer(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        answer = self.client.request(method, path, **arguments)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            token = self.client.post(f"{self.url}/auth/token", json=self.credentials)
            if token.is_error:
                raise HouseError(
                    f"Airflow at {self.url} refuses the house's own login: {token.text}",
                    "Another Airflow on this port? AIRFLOW_PORT moves ours.",
                )
            self.client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
            answer = self.client.request(method, path, **arguments)
        return answer

    def pages(self, path: str, member: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return all rows of a listing, page by page."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self.request("GET", path, params={**(params or {}), "limit": 100, "offset": len(rows)})
            rows += page[member]
            if not page[member] or len(rows) >= page["total_entries"]:
                return rows

    def wait_for_dags(self, dag_ids: list[str], seconds: float = 120.0) -> None:
        """Wait until the DAGs are known and none of the files failed to import.

        Raises:
            HouseError: an import error, with its trace, or the deadline passed.
        """

        def missing() -> list[str] | None:
            known = {dag["dag_id"] for dag in self.pages("/dags", "dags", {"exclude_stale": True})}
            absent = [dag_id for dag_id in dag_ids if dag_id not in known]
            if absent and (errors := self.pages("/importErrors", "import_errors")):
                text = "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)
                raise HouseError(
                    f"Airflow could not import the DAG files:\n{text}", "Mend the file; it is read again at once."
                )
            return absent or None

        self.wait(lambda: missing() is None, seconds, lambda: f"the DAGs {', '.join(missing() or [])} to appear")

    def wait(self, condition: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
        """Wait for a condition.

        Raises:
            HouseError: the deadline passed; says what was waited for.
        """
        until = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > until:
                raise HouseError(
                    f"Waited {seconds:.0f} s in vain for {what()}.", "The logs in the house's folder say why."
                )
            time.sleep(POLL_SECONDS)

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs run."""
        self.request("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a manual run; return its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.request("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one run."""
        return self.request("GET", f"/dags/{dag_id}/dagRuns/{run_id}")

    def finish(self, dag_id: str, run_id: str, seconds: float) -> dict[str, Any]:
        """Wait until a run has ended; return it.

        Raises:
            HouseError: it did not end in time.
        """
        self.wait(
            lambda: self.run(dag_id, run_id)["state"] in FINAL_STATES, seconds, lambda: f"{dag_id} {run_id} to end"
        )
        return self.run(dag_id, run_id)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return every run of a DAG."""
        return self.pages(f"/dags/{dag_id}/dagRuns", "dag_runs")

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return self.pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return a task's XCom, or None when it has none (yet)."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries"
        keys = {entry["key"] for entry in self.pages(path, "xcom_entries")}
        return self.request("GET", f"{path}/{key}")["value"] if key in keys else None

    def log(self, dag_id: str, run_id: str, task: Mapping[str, Any]) -> list[str]:
        """Return the log lines of a task's last try; an exception's own words are among them, as in the UI."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{max(task['try_number'], 1)}"
        content = self.request("GET", path, params={"map_index": task.get("map_index", -1), "full_content": True})[
            "content"
        ]
        return [text for line in content for text in _texts(line)]

    def backfill(self, dag_id: str, first: date, last: date, **options: Any) -> int:
        """Ask for one backfill over whole days, both included; return its id."""
        body = {"dag_id": dag_id, "from_date": _midnight(first), "to_date": _midnight(last), **options}
        return int(self.request("POST", "/backfills", json=body)["id"])

    def backfill_done(self, backfill_id: int) -> bool:
        """Tell whether Airflow has completed a backfill."""
        return self.request("GET", f"/backfills/{backfill_id}")["completed_at"] is not None


def run_day(run: Mapping[str, Any]) -> date | None:
    """Return the batch day of a scheduled or backfilled run: the start of its data interval, in UTC."""
    start = run.get("data_interval_start")
    return datetime.fromisoformat(start).astimezone(UTC).date() if start else None


def _texts(line: Mapping[str, Any] | str) -> list[str]:
    if isinstance(line, str):
        return [line]
    causes = [f"{cause.get('exc_type')}: {cause.get('exc_value')}" for cause in line.get("error_detail") or ()]
    return [str(line.get("event", "")), *causes]


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
