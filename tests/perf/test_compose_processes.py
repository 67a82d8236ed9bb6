"""docker-compose.yaml without Docker: its own commands, variables, order and health checks, as plain processes.

What a container would bring is replaced and nothing else: names of services by loopback addresses, the image's
entrypoint by this environment's `airflow`, folders of the image by the repository's, PostgreSQL by that of the wheel.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time

import pytest
import yaml

from include.infrastructure.environment import load_environment
from local import compose, environment
from local.cloud import Cloud
from local.house import House, Ports
from local.ports import free_port
from local.processes import Spec
from sagemaker_batch import names

FILE = yaml.safe_load((environment.REPO / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES = FILE["services"]
LONG_RUNNING = ("api-server", "scheduler", "dag-processor", "triggerer")
DEADLINE = 300.0


class Containers:
    """The services of the file as processes of one house."""

    def __init__(self, house, folder):
        self.house = house
        self.home = folder / "airflow"
        self.home.mkdir()
        for name in ("dags", "plugins"):
            (self.home / name).symlink_to(environment.REPO / name)
        self.given = compose.variables(load_environment("local"))
        self.log_ports = {"SCHEDULER": free_port(), "TRIGGERER": free_port()}
        self.bin = environment.REPO / ".venv" / "bin"

    def here(self, text):
        """Return a text of the file as it reads on this machine: variables filled in, addresses on the loopback."""
        text = re.sub(r"(?<!\$)\$\{(\w+)(?::\?[^}]*)?\}", lambda found: self.given[found[1]], text).replace("$$", "$")
        api, aws = f"127.0.0.1:{self.house.ports.airflow}", f"127.0.0.1:{self.house.ports.aws}"
        text = text.replace("http://api-server:8080", f"http://{api}").replace("http://localhost:8080", f"http://{api}")
        text = text.replace("http://local-aws:4566", f"http://{aws}").replace("http://127.0.0.1:4566", f"http://{aws}")
        return text.replace("/opt/airflow", str(self.home)).replace("0.0.0.0", "127.0.0.1")  # noqa: S104

    def variables(self, service):
        """Return the environment of a service: its own, that of the .env, and what an image or Docker would add."""
        asked = {key: self.here(str(value)) for key, value in service.get("environment", {}).items()}
        kept = {key: self.here(value) for key, value in self.given.items() if key.startswith("AWS_")}
        found = {
            **environment.base(),
            **kept,
            **asked,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AIRFLOW_HOME": str(self.home),
            "HOSTNAME": os.uname().nodename,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
        }
        if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in found:
            assert "@postgres/airflow" in found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
            found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = self.house.postgres.url("psycopg2")
            # A container listens for its network; here only this machine may reach it.
            found |= {"AIRFLOW__API__HOST": "127.0.0.1", "AIRFLOW__API__PORT": str(self.house.ports.airflow)}
        else:
            found["PYTHONPATH"] = environment.python_path()
        return found

    def spec(self, name, *, task=False):
        """Return how to start a service."""
        service = SERVICES[name]
        command = service["command"]
        if isinstance(command, str):
            command = [str(self.bin / "airflow"), *shlex.split(command)]
            # Its log server would listen on every address.
            command += ["--skip-serve-logs"] if name in {"scheduler", "triggerer"} else []
        else:
            command = [self.here(part) for part in command]
            command[0] = sys.executable
            if "/state" in command:
                command[command.index("/state")] = str(self.house.state / "aws")
                command += ["--port", str(self.house.ports.aws)]
        return Spec(
            name=name,
            command=command,
            environment=self.variables(service),
            log=self.house.logs / f"{name}.log",
            cwd=environment.REPO if command[0] == sys.executable else self.home,
            ready=lambda: self.healthy(name),
            deadline=DEADLINE,
            task=task,
            stage=2,
        )

    def healthy(self, name):
        """Run the service's own health check."""
        kind, *check = SERVICES[name]["healthcheck"]["test"]
        check = [self.here(part) for part in check]
        command = ["bash", "-c", check[0]] if kind == "CMD-SHELL" else check
        if command[0] == "python":
            command[0] = sys.executable
        done = subprocess.run(
            command, env=self.variables(SERVICES[name]), cwd=self.home, capture_output=True, text=True, check=False
        )
        return done.returncode == 0

    def start(self, name):
        """Start a service after those that it depends on, as `docker compose up --wait` does."""
        child = self.house.supervisor.launch(self.spec(name))
        self.house.supervisor.wait_ready(child)

    def run(self, name):
        """Run a service that ends by itself, and return what it printed."""
        code, printed = self.house.supervisor.run(self.spec(name, task=True))
        assert code == 0, printed
        return printed


@pytest.mark.timeout(1200)
def test_every_service_becomes_healthy_by_its_own_check(tmp_path):
    """In the file's order: database, migration, Airflow's four; and, as the profile does, local AWS and deployment."""
    assert set(SERVICES) == {"postgres", "db-migration", *LONG_RUNNING, "local-aws", "deployment"}
    with House(tmp_path / "house", Ports.free()) as house:
        containers = Containers(house, tmp_path)
        house.postgres.initialise()
        house.supervisor.start(house.postgres.spec(house.logs / "postgres.log"))
        containers.run("db-migration")
        for name in LONG_RUNNING:
            containers.start(name)
        containers.start("local-aws")
        assert "created" in containers.run("deployment")

        until = time.monotonic() + DEADLINE
        while not all(containers.healthy(name) for name in LONG_RUNNING):
            assert time.monotonic() < until
            time.sleep(1)
        house.check()
        listed = subprocess.run(
            [containers.bin / "airflow", "dags", "list", "--output", "json"],
            env=containers.variables(SERVICES["scheduler"]),
            cwd=containers.home,
            capture_output=True,
            text=True,
            check=True,
        )
        found = {item["dag_id"] for item in json.loads(listed.stdout[listed.stdout.index("[") :])}
        assert {names.batch_dag("churn"), names.train_dag("churn")} <= found
        pipelines = Cloud(house.aws.url, "churn").sagemaker.list_pipelines()["PipelineSummaries"]
        assert names.batch_pipeline("churn", "local") in {item["PipelineName"] for item in pipelines}
