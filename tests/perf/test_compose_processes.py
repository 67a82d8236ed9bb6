"""docker-compose.yaml without Docker: its own commands, variables, order and health checks, as plain processes.

What Docker would bring is replaced, and nothing else: names of services by loopback addresses with ports of their own,
an image's entrypoint by the program of this machine, folders of the image by folders of the test. What an image makes
of its variables (a user, a password and a database of PostgreSQL) is made of the same variables.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from graphlib import TopologicalSorter

import boto3
import httpx
import pytest
import yaml

from include.infrastructure.environment import load_environment
from local import compose, environment
from local.house import House, Ports
from local.ports import LOOPBACK, free_port, is_taken
from local.processes import Spec
from sagemaker_batch import names

FILE = yaml.safe_load((environment.REPO / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES = FILE["services"]
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what the file says and must not be taken over
ENVIRONMENT = "local"
# A machine that does other things beside takes a minute for what takes seconds.
DEADLINE = 180.0
IMAGES = {"apache/airflow", "postgres", "airflow-sagemaker-batch-local-aws"}
WATCHED = [name for name in SERVICES if SERVICES[name].get("healthcheck", {}).get("test")]
pytestmark = pytest.mark.timeout(1200)


def stages():
    """Return the services as `docker compose --profile local-aws up --wait` starts them: each list at once."""
    sorter = TopologicalSorter({name: set(service.get("depends_on", {})) for name, service in SERVICES.items()})
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        yield sorted(ready)
        sorter.done(*ready)


def addresses():
    """Return every address that the file names, `<host>:<port>`, with the port that stands for it here."""
    found = set(re.findall(r"https?://([a-z0-9.-]+:\d+)", json.dumps(FILE)))
    ports = {port: free_port() for port in sorted({address.rpartition(":")[2] for address in found})}
    return {address: f"{LOOPBACK}:{ports[address.rpartition(':')[2]]}" for address in found}, ports


class Containers:
    """The services of the file as processes of one house."""

    def __init__(self, house, folder):
        self.house = house
        self.folder = folder
        self.given = compose.variables(load_environment(ENVIRONMENT))
        self.addresses, self.ports = addresses()
        self.database = free_port()
        self.printed = {}
        self.bin = environment.REPO / ".venv" / "bin"
        self.home = folder / "airflow"
        self.home.mkdir()
        for source, inside in (volume.split(":")[:2] for volume in FILE["x-airflow"]["volumes"]):
            place = self.home / inside.removeprefix("/opt/airflow/")
            assert str(place) != inside, f"{inside} is not below the image's AIRFLOW_HOME"
            if source.startswith("."):
                place.symlink_to(environment.REPO / source)
            else:
                place.mkdir()

    def here(self, text):
        """Return a text of the file as it reads on this machine: variables filled in, addresses on the loopback."""
        text = re.sub(r"(?<!\$)\$\{(\w+)(?::\?[^}]*)?\}", lambda found: self.given[found[1]], text).replace("$$", "$")
        for address, ours in self.addresses.items():
            text = text.replace(f"//{address}", f"//{ours}")
        text = text.replace("@postgres/", f"@{LOOPBACK}:{self.database}/")
        return text.replace("/opt/airflow", str(self.home)).replace(EVERYWHERE, LOOPBACK)

    def variables(self, name):
        """Return the environment of a service: that of its .env, its own over it, and what an image would add."""
        service = SERVICES[name]
        file = {key: self.here(value) for key, value in self.given.items()} if service.get("env_file") else {}
        own = {key: self.here(str(value)) for key, value in service.get("environment", {}).items()}
        nothing_of_the_persons = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        found = {**environment.base(), **nothing_of_the_persons, **file, **own}
        if self.image(name) == "apache/airflow":
            path = f"{self.bin}{os.pathsep}{found['PATH']}"
            # A container listens for its network; here only this machine may reach it.
            port = str(self.ports["8080"])
            listening = {"AIRFLOW__API__HOST": LOOPBACK, "AIRFLOW__API__PORT": port}
            found |= {"AIRFLOW_HOME": str(self.home), "PATH": path, **listening}
        elif self.image(name) == "postgres":
            path = f"{self.house.postgres.binaries}{os.pathsep}{found['PATH']}"
            found |= {"PATH": path, "PGHOST": LOOPBACK, "PGPORT": str(self.database)}
        else:
            found |= {"PYTHONPATH": environment.python_path(), "REPO": str(environment.REPO)}
        return found

    def image(self, name):
        return SERVICES[name]["image"].rpartition(":")[0]

    def command(self, name):
        """Return what a service's container would run, with this machine's programs."""
        given = SERVICES[name]["command"]
        if self.image(name) == "apache/airflow":
            # Log servers of scheduler and triggerer would listen on every address; a container's network hides them.
            quiet = ["--skip-serve-logs"] if given in {"scheduler", "triggerer"} else []
            return [str(self.bin / "airflow"), *shlex.split(given), *quiet]
        assert given[0] == "python"
        command = [sys.executable, *(self.here(part) for part in given[1:])]
        if "/state" in command:
            command[command.index("/state")] = str(self.folder / "aws")
            command += ["--port", str(self.ports["4566"])]
        return command

    def spec(self, name):
        """Return how to start a service; it is ready by its own health check."""
        if self.image(name) == "postgres":
            return self.database_spec(name)
        return Spec(
            name=name,
            command=self.command(name),
            environment=self.variables(name),
            log=self.house.logs / f"{name}.log",
            cwd=self.home if self.image(name) == "apache/airflow" else environment.REPO,
            ready=lambda: self.check(name) == 0,
            deadline=DEADLINE,
            stage=2,
        )

    def database_spec(self, name):
        """Return our PostgreSQL over TCP, where a client needs the file's password; made as its image makes it."""
        postgres, own = self.house.postgres, self.variables(name)
        postgres.initialise()
        rules = f"local all all trust\nhost all all {LOOPBACK}/32 scram-sha-256\n"
        (postgres.data / "pg_hba.conf").write_text(rules)
        plain = postgres.spec(self.house.logs / f"{name}.log")
        assert own["POSTGRES_USER"] == own["POSTGRES_DB"] == "airflow"
        single = [*plain.command[:1], "--single", "-j", *plain.command[1:3], "postgres"]
        made = subprocess.run(
            single,
            input=f"CREATE ROLE airflow LOGIN SUPERUSER PASSWORD '{own['POSTGRES_PASSWORD']}';\n\n\n"
            "CREATE DATABASE airflow OWNER airflow;\n\n\n",
            env=plain.environment,
            cwd=plain.cwd,
            user=plain.user,
            group=plain.group,
            extra_groups=None if plain.user is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        assert "ERROR" not in made.stdout + made.stderr, made.stderr
        listening = ["-c", f"listen_addresses={LOOPBACK}", "-c", f"port={self.database}"]
        return replace(plain, name=name, command=[*plain.command, *listening], ready=lambda: self.check(name) == 0)

    def check(self, name):
        """Run a service's health check once; return its exit code."""
        kind, *given = SERVICES[name]["healthcheck"]["test"]
        given = [self.here(part) for part in given]
        command = {"CMD": given, "CMD-SHELL": ["sh", "-c", *given]}[kind]
        if command[0] == "python":
            command[0] = sys.executable
        variables = self.variables(name)
        return subprocess.run(command, env=variables, cwd=self.folder, capture_output=True, check=False).returncode

    def up(self):
        """Start everything in the file's order; what depends on a service waits for its health, or for its success."""
        for stage in stages():
            children = []
            for name in (name for name in stage if name in WATCHED):
                # A check that passes without its service would show nothing.
                assert self.check(name) != 0, f"{name} is healthy before it runs"
                children.append(self.house.supervisor.launch(self.spec(name)))
            for name in (name for name in stage if name not in WATCHED):
                code, self.printed[name] = self.house.supervisor.run(self.spec(name))
                assert code == 0, self.printed[name]
            for child in children:
                self.house.supervisor.wait_ready(child)

    def ask(self, query, **variables):
        """Ask the database as its clients do; return exit code and what was printed."""
        own = self.variables("postgres")
        password = {"PGPASSWORD": own["POSTGRES_PASSWORD"], **variables}
        done = subprocess.run(
            ["psql", "-w", "-U", own["POSTGRES_USER"], "-d", own["POSTGRES_DB"], "-Atc", query],
            env={**own, **password},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def get(self, path):
        """Ask the api-server."""
        answer = httpx.get(f"http://{LOOPBACK}:{self.ports['8080']}{path}", timeout=60, trust_env=False)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """Start everything in the file's own order, each by its own health check; nothing is left of it."""
    folder = tmp_path_factory.mktemp("compose")
    with House(folder / "house", Ports.free()) as house:
        containers = Containers(house, folder)
        containers.up()
        yield containers
    for port in (*containers.ports.values(), containers.database):
        assert not is_taken(port), f"something still listens on port {port}"


def test_all_are_healthy_together_by_their_own_checks(up):
    """Not only each when it was started, and nothing but the file's services runs."""
    assert {up.image(name) for name in SERVICES} == IMAGES
    assert set(WATCHED) == {"postgres", "api-server", "scheduler", "dag-processor", "triggerer", "local-aws"}
    assert sorted(child.spec.name for child in up.house.supervisor.children) == sorted(WATCHED)
    assert {name: up.check(name) for name in WATCHED} == dict.fromkeys(WATCHED, 0)
    up.house.check()


def test_postgres_opens_to_the_generated_password_only(up):
    """The database is that of the file's variables."""
    assert up.ask("select 1") == (0, "1\n")
    code, said = up.ask("select 1", PGPASSWORD="another")
    assert (code, "password authentication failed" in said) == (2, True)


def test_the_migration_brought_the_database_to_its_newest_version(up):
    """As Airflow itself judges it."""
    command = [up.bin / "airflow", "db", "check-migrations", "--migration-wait-timeout", "0"]
    subprocess.run(command, env=up.variables("db-migration"), cwd=up.home, check=True, capture_output=True)


def test_the_api_server_is_the_version_that_the_file_pins(up):
    """And answers on the port that the file publishes."""
    assert SERVICES["api-server"]["ports"] == ["127.0.0.1:8080:8080"]
    pinned = SERVICES["api-server"]["image"].rpartition(":")[2]
    assert up.get("/api/v2/version")["version"] == pinned.partition("-")[0]


@pytest.mark.parametrize("part", ["scheduler", "dag_processor", "triggerer"])
def test_airflow_hears_the_heart_of(part, up):
    """The api-server sees the other three beat, through the database that they share."""
    assert up.get("/api/v2/monitor/health")[part]["status"] == "healthy"


def test_the_dag_processor_finds_the_dags_through_the_mounts(up):
    """Every DAG of every use case is there, and none that cannot be imported."""
    wanted = {
        name(file.stem)
        for file in (environment.REPO / "dags" / "use_cases").glob("*.yaml")
        for name in (names.batch_dag, names.train_dag)
    }
    until = time.monotonic() + DEADLINE
    while not wanted <= (found := set(up.ask("select dag_id from dag")[1].split())):
        assert time.monotonic() < until, f"{sorted(wanted - found)} not found"
        time.sleep(0.5)
    assert up.ask("select filename, stacktrace from import_error") == (0, "")


def test_the_deployment_reached_the_local_aws(up):
    """Its pipelines are what a client with the variables of a service of Airflow finds."""
    assert "created" in up.printed["deployment"]
    given = up.variables("scheduler")
    sagemaker = boto3.client(
        "sagemaker",
        endpoint_url=given["AWS_ENDPOINT_URL"],
        region_name=given["AWS_DEFAULT_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )
    found = {item["PipelineName"] for item in sagemaker.list_pipelines()["PipelineSummaries"]}
    assert names.batch_pipeline("churn", given["BATCH_ENVIRONMENT"]) in found
