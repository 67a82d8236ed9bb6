"""Airflow on the laptop: its configuration, and its four processes over PostgreSQL and the LocalExecutor."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from local import environment, secretfile
from local.ports import LOOPBACK
from local.postgres import Postgres
from local.processes import Spec
from sagemaker_batch import names

ENVIRONMENT = "local"
ALERT_CONNECTION = "SAGEMAKER_BATCH_ALERTS"
STAGE = 2


@dataclass(frozen=True)
class Airflow:
    """One Airflow home, on one port, with the environment its processes run in."""

    home: Path
    venv: Path
    port: int
    variables: Mapping[str, str]

    @property
    def url(self) -> str:
        """Address of the UI and of the REST API."""
        return f"http://{LOOPBACK}:{self.port}"

    def migration(self, log: Path) -> Spec:
        """Return the task that brings the metadata database to this Airflow's version."""
        return Spec(
            name="airflow db migrate",
            command=[str(self.venv / "bin" / "airflow"), "db", "migrate"],
            environment=self.variables,
            log=log,
            cwd=self.home,
            deadline=300.0,
            stage=STAGE,
        )

    def specs(self, logs: Path) -> list[Spec]:
        """Return the four processes. Nothing but the api-server listens: logs are read from disk."""
        parts: list[tuple[str, list[str], Callable[[], bool]]] = [
            (
                "api-server",
                ["api-server", "--host", LOOPBACK, "--port", str(self.port), "--workers", "1"],
                self._answers,
            ),
            ("scheduler", ["scheduler", "--skip-serve-logs"], lambda: self._healthy("scheduler")),
            ("dag-processor", ["dag-processor"], lambda: self._healthy("dag_processor")),
            ("triggerer", ["triggerer", "--skip-serve-logs"], lambda: self._healthy("triggerer")),
        ]
        return [
            Spec(
                name=name,
                command=[str(self.venv / "bin" / "airflow"), *arguments],
                environment=self.variables,
                log=logs / f"{name}.log",
                cwd=self.home,
                ready=ready,
                deadline=180.0,
                stage=STAGE,
                # A triggerer that has had triggers takes ten seconds to clean up what the next start finds anyway.
                stop_seconds=3.0 if name == "triggerer" else 15.0,
            )
            for name, arguments, ready in parts
        ]

    def _answers(self) -> bool:
        return self._health() is not None

    def _healthy(self, part: str) -> bool:
        health = self._health()
        return health is not None and health.get(part, {}).get("status") == "healthy"

    def _health(self) -> dict[str, dict[str, str]] | None:
        try:
            answer = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10.0, trust_env=False)
        except httpx.TransportError:
            return None
        return dict(answer.json()) if answer.status_code == httpx.codes.OK else None


def configuration(
    *, home: Path, port: int, postgres: Postgres, endpoint: str, bucket: str, secrets: Mapping[str, str], schedule: bool
) -> dict[str, str]:
    """Return Airflow's settings as environment variables.

    Everything that MWAA would set by configuration options is set the same way here. `schedule` off means that only
    what is asked for runs: no scheduled run joins a demo or a test.
    """
    url = f"http://{LOOPBACK}:{port}"
    topic = names.topic_arn(ENVIRONMENT, environment.REGION, environment.ACCOUNT)
    passwords = home / "passwords.json"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(environment.REPO / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(environment.REPO / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": secrets["fernet_key"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{secretfile.USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url("psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.url("asyncpg"),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": secrets["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["jwt_secret"],
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(schedule),
        # The default second between two looks of an idle scheduler is most of what a short chain of tasks waits for.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
        "AIRFLOW__SAGEMAKER_BATCH__ENVIRONMENT": ENVIRONMENT,
        "AIRFLOW__SAGEMAKER_BATCH__BUCKET": bucket,
        "AIRFLOW__SAGEMAKER_BATCH__REGION": environment.REGION,
        "AIRFLOW__SAGEMAKER_BATCH__AWS_CONN_ID": "aws_default",
        "AIRFLOW__SAGEMAKER_BATCH__USE_CASES_FOLDER": str(environment.REPO / "dags" / "use_cases"),
        # Links of tasks and alerts open the local SageMaker's own pages.
        "AIRFLOW__SAGEMAKER_BATCH__CONSOLE_URL": f"{endpoint}/_local/console/executions/{{pipeline}}/{{execution}}",
        "AIRFLOW__SAGEMAKER_BATCH__JOB_URL": f"{endpoint}/_local/console/jobs/{{kind}}/{{name}}",
        # A pipeline takes seconds here, not the minutes that the defaults are made for.
        "AIRFLOW__SAGEMAKER_BATCH__POLL_SECONDS": "1",
        "AIRFLOW__SAGEMAKER_BATCH__FIRST_POLL_SECONDS": "2",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", "extra": {"region_name": environment.REGION}}),
        f"AIRFLOW_CONN_{ALERT_CONNECTION}": json.dumps(
            {"conn_type": "aws", "extra": {"topic_arn": topic, "region_name": environment.REGION}}
        ),
        **environment.aws(endpoint, caller=names.airflow_role(ENVIRONMENT)),
        "PYTHONPATH": environment.python_path(),
    }


def prepare_home(home: Path, password: str) -> None:
    """Make Airflow's home with its one user's password in it."""
    home.mkdir(parents=True, exist_ok=True)
    secretfile.write(home / "passwords.json", {secretfile.USER: password})
