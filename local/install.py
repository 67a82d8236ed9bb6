"""Installs the environments from their hashed locks with the Python that is there; standard library only.

    python3 local/install.py airflow aws

A second run finds its own stamps and installs nothing.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
TOOLS = REPO / ".local" / "tools"
UV = "uv==0.13.9"
OLDEST, NEWEST = (3, 11), (3, 13)
# Folder, and roughly what it takes on disk; a download is about a third of it.
ENVIRONMENTS = {
    "airflow": (".venv", 530),
    "airflow-newest": (".venv-newest", 480),
    "aws": (".venv-aws", 1000),
    "authoring": (".venv-authoring", 720),
    "docs": (".venv-docs", 60),
    "bench": (".venv-bench", 1300),
    "fuzz": (".venv-fuzz", 480),
}
STAMP = "installed-from"
# uv names every package twice more after its download; what is waited for are downloads and sums.
NOISE = (" + ", " - ", " ~ ", " Downloaded ", "Using Python ")


class InstallError(Exception):
    """What went wrong and what to type next."""


def main(wanted: list[str]) -> int:
    """Install the wanted environments; return the exit code."""
    try:
        check_python()
        check_names(wanted)
        missing = [name for name in wanted if not is_installed(name)]
        if not missing:
            print(f"environments {', '.join(wanted)}: installed already, nothing to do")
            return 0
        uv = find_uv()
        for name in missing:
            install(name, uv)
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def check_names(wanted: list[str]) -> None:
    """Refuse an environment that there is no lock for.

    Raises:
        InstallError: names the known ones.
    """
    unknown = [name for name in wanted if name not in ENVIRONMENTS]
    if unknown or not wanted:
        given = f"{', '.join(unknown)} is none" if unknown else "none was given"
        raise InstallError(f"Which environments? {given}; known are {', '.join(ENVIRONMENTS)}.")


def check_python() -> None:
    """Refuse a Python that the locks were not made for.

    Raises:
        InstallError: names the versions that do and how to choose one.
    """
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        span = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        raise InstallError(
            f"This is Python {platform.python_version()} ({sys.executable}); a Python from {span} is needed.\n"
            "  -> choose one that you have: make PYTHON=python3.12 <verb>"
        )


def is_installed(name: str) -> bool:
    """Tell whether the environment stands as its lock and this Python want it."""
    stamp = venv_of(name) / STAMP
    return stamp.is_file() and stamp.read_text() == expected_stamp(name) and python_of(name).exists()


def expected_stamp(name: str) -> str:
    """Return what the stamp says when lock, Python and machine are as now."""
    lock = hashlib.sha256(lock_of(name).read_bytes()).hexdigest()
    return f"{lock} python {platform.python_version()} {sys.platform} {platform.machine()}\n"


def install(name: str, uv: list[str]) -> None:
    """Make the environment's folder when it is absent or of another Python, and bring it to its lock.

    Raises:
        InstallError: a download or a check failed.
    """
    venv, size = venv_of(name), ENVIRONMENTS[name][1]
    count = sum(1 for line in lock_of(name).read_text().splitlines() if line[:1].isalnum())
    print(f"{name}: {count} packages into {venv.name} (about {size} MB on disk; download sizes below)", flush=True)
    begun = time.monotonic()
    (venv / STAMP).unlink(missing_ok=True)
    if not python_of(name).exists() or version_in(name) != platform.python_version():
        run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)])
    sync = ["pip", "sync", "--python", str(python_of(name)), "--require-hashes", "--compile-bytecode"]
    run([*uv, *sync, str(lock_of(name))])
    (venv / STAMP).write_text(expected_stamp(name))
    print(f"{name}: installed in {time.monotonic() - begun:.0f} s", flush=True)


def find_uv() -> list[str]:
    """Return uv's command: the one below .local/tools, the one on PATH, or one fetched with pip.

    `pip install --target` also works where the system's Python is marked as externally managed.

    Raises:
        InstallError: there is neither uv nor pip, or the fetch failed.
    """
    own = TOOLS / "bin" / "uv"
    if own.exists():
        return [str(own)]
    found = shutil.which("uv")
    if found:
        return [found]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        raise InstallError(
            f"Neither uv nor pip is there for {sys.executable}.\n"
            "  -> install pip (Debian and Ubuntu: apt install python3-pip), or uv, then run make again"
        )
    print(f"fetching {UV} with pip into {TOOLS.relative_to(REPO)}", flush=True)
    run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(TOOLS), UV])
    return [str(own)]


def run(command: list[str]) -> None:
    """Run with its progress shown.

    Raises:
        InstallError: it failed.
    """
    process = subprocess.Popen(command, env=uv_environment(), stderr=subprocess.PIPE, text=True)
    for line in process.stderr or ():
        if not line.startswith(NOISE):
            print(f"  {line.rstrip()}", flush=True)
    code = process.wait()
    if code != 0:
        raise InstallError(
            f"`{' '.join(command)}` failed with exit code {code}; its message stands above.\n"
            "  -> is the package index reachable? Then run make again: what was downloaded is kept"
        )


def uv_environment() -> dict[str, str]:
    """Return the environment for uv: no Python is ever downloaded, and pip's own settings of indexes are followed.

    With several indexes the hashes of the lock decide what is taken, so the best match is safe.
    """
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_CONFIG": "1"}
    environment.pop("VIRTUAL_ENV", None)
    settings = pip_settings()
    for ours, theirs in (
        ("UV_DEFAULT_INDEX", "index-url"),
        ("UV_INDEX", "extra-index-url"),
        ("UV_FIND_LINKS", "find-links"),
        ("SSL_CERT_FILE", "cert"),
    ):
        if theirs in settings and ours not in environment:
            environment[ours] = settings[theirs]
    if "UV_INDEX" in environment:
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environment


def pip_settings() -> dict[str, str]:
    """Return pip's settings by name, those of the environment over those of its files; empty without pip."""
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, str] = {}
    for line in answer.stdout.splitlines() if answer.returncode == 0 else []:
        key, _, value = line.partition("=")
        scope, _, name = key.rpartition(".")
        if scope in {"global", "install", ":env:"} and (scope == ":env:" or name not in found):
            found[name] = value.strip("'\"").replace("\\n", " ").strip()
    return found


def version_in(name: str) -> str:
    """Return the version of the environment's own Python; empty when it does not run."""
    command = [str(python_of(name)), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def venv_of(name: str) -> Path:
    """Return the environment's folder."""
    return REPO / ENVIRONMENTS[name][0]


def python_of(name: str) -> Path:
    """Return the environment's interpreter."""
    return venv_of(name) / "bin" / "python"


def lock_of(name: str) -> Path:
    """Return the environment's lock."""
    return REPO / "requirements" / f"{name}.txt"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
