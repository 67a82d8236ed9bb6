"""The locks name no host, and the Airflow environment is what Amazon MWAA 3.3.1 carries."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements/*.txt"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9_.\-]+)(?:\[[^]]*\])?==([^\s;\\]+)", path.read_text(), re.MULTILINE)
    return {normal(name): version for name, version in found}


CONSTRAINTS = pins(ROOT / "requirements/constraints-mwaa-3.3.1.txt")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_host(lock: Path) -> None:
    """A lock that carried an address would tie every install to one registry."""
    assert not re.search(r"https?://", lock.read_text())


@pytest.mark.parametrize("lock", [p for p in LOCKS if not p.name.startswith("constraints")], ids=lambda path: path.name)
def test_every_pin_of_a_lock_has_a_hash(lock: Path) -> None:
    """`uv pip sync --require-hashes` refuses a lock with an unhashed pin; this says which one."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text())
    unhashed = [b.splitlines()[0] for b in blocks if re.match(r"[A-Za-z0-9_.\-]+==", b) and "--hash=sha256:" not in b]
    assert unhashed == []


def test_the_airflow_lock_agrees_with_mwaa() -> None:
    """Every package that both name has one version, so that what runs here runs on MWAA 3.3.1."""
    lock = pins(ROOT / "requirements/airflow.txt")
    shared = {name for name in lock if name in CONSTRAINTS}
    assert len(shared) > 100
    assert {n: (lock[n], CONSTRAINTS[n]) for n in shared if lock[n] != CONSTRAINTS[n]} == {}


def test_the_installed_airflow_environment_agrees_with_mwaa() -> None:
    """What is installed, not only what is locked, is what MWAA carries."""
    python = ROOT / ".venv/bin/python"
    if not python.exists():
        pytest.skip("the Airflow environment is not installed: run `make test`")
    listed = subprocess.run(
        [python, "-c", "import importlib.metadata as m\nfor d in m.distributions(): print(d.name, d.version)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    installed = {normal(n): v for n, v in (line.split() for line in listed.splitlines())}
    assert installed["apache-airflow"] == "3.3.1"
    assert installed["apache-airflow-providers-amazon"] == "9.34.0"
    differing = {n: (v, CONSTRAINTS[n]) for n, v in installed.items() if n in CONSTRAINTS and v != CONSTRAINTS[n]}
    assert differing == {}


def test_the_requirements_for_mwaa_add_nothing_that_it_lacks() -> None:
    """requirements.txt is what a platform team uploads: every line of it is already in MWAA's constraints."""
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    names = [normal(re.split(r"[=<>~!;\[ ]", line)[0]) for line in lines if line and not line.startswith("-")]
    assert [n for n in names if n not in CONSTRAINTS] == []


def test_shipped_code_imports_only_what_mwaa_carries() -> None:
    """dags/ and plugins/ import nothing but the standard library, MWAA's packages and our own."""
    import ast

    known = set(sys.stdlib_module_names) | {"airflow", "boto3", "botocore", "pydantic", "yaml", "sagemaker_batch"}
    known |= {"pydantic_core", "fastapi", "asgiref", "jinja2", "pendulum", "aiobotocore"}
    # Of Airflow's own dependencies, at the versions that MWAA's constraints name.
    known |= {"croniter", "sqlalchemy", "starlette", "cachetools"}
    # Imported when the OpenLineage provider asks, which brings it.
    known |= {"openlineage"}
    strange: dict[str, set[str]] = {}
    for path in [*ROOT.glob("dags/**/*.py"), *ROOT.glob("plugins/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            odd = {n.split(".")[0] for n in names} - known
            if odd:
                strange[str(path.relative_to(ROOT))] = odd
    assert strange == {}
