"""One house: a directory, its ports, and everything that runs in it: PostgreSQL, the local AWS and Airflow."""

import fcntl
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Self

from local import airflow, environment, processes, secretfile
from local.airflow import Airflow
from local.aws import LocalAws
from local.errors import HouseError
from local.ports import free_port, require_free
from local.postgres import Postgres
from local.processes import Spec, Supervisor

BUCKET = "sagemaker-batch-local"
DEFAULT_HOME = environment.REPO / ".local" / "house"
# Names the ports of a running house for those that come to it from outside.
RECORD = "house.json"
RUNTIMES = environment.REPO / "local" / "runtimes.yaml"


def quietly(_line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Ports:
    """Where a house listens, always on 127.0.0.1."""

    aws: int
    airflow: int
    inbox: int

    @classmethod
    def from_environment(cls) -> "Ports":
        """Read AWS_PORT, AIRFLOW_PORT and INBOX_PORT.

        Raises:
            HouseError: one of them is no port number.
        """
        return cls(_port("AWS_PORT", 4566), _port("AIRFLOW_PORT", 8080), _port("INBOX_PORT", 8025))

    @classmethod
    def free(cls) -> "Ports":
        """Pick free ones, for tests."""
        found: set[int] = set()
        while len(found) < 3:
            found.add(free_port())
        return cls(*found)


@dataclass
class House:
    """A house that can be started and stopped; used as a context manager it is left empty whatever happens."""

    state: Path
    ports: Ports
    runtimes: Path = RUNTIMES
    schedule: bool = False
    overrides: Mapping[str, str] = field(default_factory=dict)
    airflow_venv: str = ".venv"
    say: Callable[[str], None] = quietly

    def __post_init__(self) -> None:
        """Resolve the directory: it names the house in its processes' environment."""
        self.state = self.state.resolve()
        self._lock: IO[str] | None = None
        self._aws_generation = ""
        self._deploying = threading.RLock()
        self._watch_until: threading.Event | None = None

    @cached_property
    def supervisor(self) -> Supervisor:
        """Keeper of the processes."""
        return Supervisor(self.state)

    @property
    def logs(self) -> Path:
        """Folder of every process's log."""
        return self.state / "logs"

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Password and keys of this house."""
        return secretfile.load(self.state / "secrets.json")

    @cached_property
    def aws(self) -> LocalAws:
        """The local AWS."""
        variables = {
            **environment.base(),
            "REPO": str(environment.REPO),
            "PYTHONPATH": environment.python_path(),
        }
        venv = require_venv(".venv-aws")
        return LocalAws(self.state / "aws", venv, self.ports.aws, self.runtimes.resolve(), variables)

    @cached_property
    def postgres(self) -> Postgres:
        """The metadata database."""
        return Postgres(self.state / "postgres", require_venv(self.airflow_venv), environment.base())

    @cached_property
    def airflow(self) -> Airflow:
        """Airflow and its configuration."""
        venv = require_venv(self.airflow_venv)
        home = self.state / "airflow"
        variables = {
            **environment.base(),
            **airflow.configuration(
                home=home,
                port=self.ports.airflow,
                postgres=self.postgres,
                endpoint=self.aws.url,
                bucket=BUCKET,
                secrets=self.secrets,
                schedule=self.schedule,
            ),
            **self.overrides,
        }
        variables["PATH"] = f"{venv / 'bin'}{os.pathsep}{variables.get('PATH', os.defpath)}"
        return Airflow(home, venv, self.ports.airflow, variables)

    def __enter__(self) -> Self:
        """Take the house; what an earlier one left behind in it is ended first."""
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self.stop()

    def empty(self) -> None:
        """Remove what an earlier house left in the directory, after ending what still runs of it.

        Raises:
            HouseError: the directory holds something that no house made.
        """
        if not self.state.exists() or not any(self.state.iterdir()):
            return
        if not (self.state / "lock").exists():
            raise HouseError(
                f"{self.state} holds files and was never a house; it is not emptied.", "Name an empty or a new folder."
            )
        with self._locked():
            processes.end_leftovers(self.state)
            for item in self.state.iterdir():
                if item.is_dir():
                    shutil.rmtree(item)
                elif item.name != "lock":
                    item.unlink()

    def take(self) -> None:
        """Lock the directory, end leftovers of a killed supervisor, and check the ports.

        Raises:
            HouseError: the house is in use, or a port is taken.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        self._lock = self._acquire()
        if left := processes.end_leftovers(self.state):
            self.say(f"ended what an earlier run left behind: {', '.join(left)}")
        require_free(self.ports.aws, "the local AWS", "AWS_PORT")
        require_free(self.ports.airflow, "Airflow", "AIRFLOW_PORT")

    def start(self) -> None:
        """Start everything and deploy; the database and the cloud side come up beside each other.

        Raises:
            HouseError: a part did not start; with its last log lines.
        """
        with ThreadPoolExecutor(max_workers=2) as pool:
            parts = [pool.submit(self.start_aws), pool.submit(self.start_airflow)]
            try:
                for part in as_completed(parts):
                    part.result()
            except BaseException:
                # Also the other part, wherever it waits: leaving the pool joins it.
                self.supervisor.stopping.set()
                raise
        self._watch()
        secretfile.write(self.state / RECORD, {name: str(port) for name, port in asdict(self.ports).items()})

    def start_aws(self) -> None:
        """Start the local AWS and deploy to it."""
        child = self.supervisor.launch(self.aws.spec(self.logs / "aws.log"))
        self.say(f"local AWS at {self.aws.url} after {self.supervisor.wait_ready(child):.1f} s")
        self.deploy()

    def deploy(self, action: str = "apply") -> None:
        """Run the deployment against the local AWS.

        Raises:
            HouseError: the deployment failed; with what it printed.
        """
        with self._deploying:
            self._deploy(action)

    def _deploy(self, action: str) -> None:
        begun = time.monotonic()
        spec = Spec(
            name="deployment",
            command=[sys.executable, "-m", "include.infrastructure", action, "--environment", airflow.ENVIRONMENT],
            environment={
                **environment.base(),
                **environment.aws(self.aws.url, caller=environment.DEPLOYER),
                "PYTHONPATH": environment.python_path(),
            },
            log=self.logs / "deploy.log",
            cwd=environment.REPO,
            deadline=180.0,
            stage=airflow.STAGE,
        )
        code, printed = self.supervisor.run(spec)
        if code != 0:
            raise HouseError(f"The deployment failed with exit code {code}:\n{printed}", f"Read {spec.log}.")
        self._aws_generation = self.aws.generation()
        self.say(f"deployed in {time.monotonic() - begun:.1f} s")

    def start_airflow(self) -> None:
        """Start PostgreSQL, migrate, start Airflow's four processes, and wait until each is healthy."""
        begun = time.monotonic()
        self.postgres.initialise()
        self.supervisor.start(self.postgres.spec(self.logs / "postgres.log"))
        self.say(f"PostgreSQL after {time.monotonic() - begun:.1f} s")
        airflow.prepare_home(self.airflow.home, self.secrets["password"])
        code, printed = self.supervisor.run(self.airflow.migration(self.logs / "migrate.log"))
        if code != 0:
            raise HouseError(f"Airflow could not prepare its database:\n{printed}", f"Read {self.logs}/migrate.log.")
        self.say(f"Airflow's database ready after {time.monotonic() - begun:.1f} s")
        children = [self.supervisor.launch(spec) for spec in self.airflow.specs(self.logs)]
        for child in children:
            self.supervisor.wait_ready(child)
        self.say(f"Airflow at {self.airflow.url} after {time.monotonic() - begun:.1f} s")

    def check(self) -> None:
        """Raise when a part of the house has ended by itself."""
        self.supervisor.check()

    def stop(self) -> None:
        """End everything that was started, in order, and leave the directory to the next.

        A house that was never taken has started nothing: whatever runs in its directory is another's.
        """
        if self._lock is None:
            return
        if self._watch_until is not None:
            self._watch_until.set()
        (self.state / RECORD).unlink(missing_ok=True)
        try:
            self.supervisor.stop_all()
        finally:
            self._lock.close()
            self._lock = None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self._acquire()
        try:
            yield
        finally:
            lock.close()

    def _acquire(self) -> IO[str]:
        lock = (self.state / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise HouseError(
                f"The house {self.state} is in use already.",
                f"`BATCH_HOME={self.state} make down` ends it; BATCH_HOME=<another folder> makes another one.",
            ) from error
        return lock

    def _watch(self) -> None:
        """Deploy again whenever ministack came up anew: it saves Lambda, IAM, SNS and SQS only on a graceful stop."""
        stop = threading.Event()
        self._watch_until = stop

        def look() -> None:
            while not stop.wait(2.0):
                if not self.aws.is_ready() or self.aws.generation() == self._aws_generation:
                    continue
                with self._deploying:
                    # Whoever started it anew may have deployed meanwhile; a second time would undo what came after.
                    if self.aws.generation() == self._aws_generation:
                        continue
                    self.say("the local AWS came up anew: deploying again")
                    try:
                        self.deploy()
                    except HouseError as error:
                        self.say(str(error))

        threading.Thread(target=look, name="aws-watch", daemon=True).start()


def require_venv(name: str) -> Path:
    """Return an environment's folder.

    Raises:
        HouseError: it is not installed.
    """
    venv = environment.REPO / name
    if not (venv / "bin" / "python").exists():
        raise HouseError(f"The environment {name} is not installed.", "python3 local/install.py airflow aws")
    return venv


def running(state: Path) -> House:
    """Return a house that is up already, to be used and not to be started or stopped.

    Raises:
        HouseError: none is up in that directory.
    """
    try:
        ports = json.loads((state / RECORD).read_text())
    except FileNotFoundError as error:
        raise HouseError(f"No house is up in {state}.", "`make up` starts one.") from error
    return House(state, Ports(**{name: int(port) for name, port in ports.items()}))


def home() -> Path:
    """Return the directory that BATCH_HOME names, or the usual one."""
    return Path(os.environ.get("BATCH_HOME") or DEFAULT_HOME)


def _port(variable: str, default: int) -> int:
    value = os.environ.get(variable) or str(default)
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise HouseError(f"{variable}={value} is no port number.", f"Give one from 1 to 65535: {variable}={default}")
    return int(value)
