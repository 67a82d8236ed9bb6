"""docker-compose.yaml: valid, pinned, closed to the outside, and without a secret in it."""

import json
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from include.infrastructure.environment import load_environment
from local import compose

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
FILE = yaml.safe_load(TEXT)
SERVICES = FILE["services"]
PYTHON = ROOT / ".venv-docs" / "bin" / "python"
# `$${` is for the container's own shell.
ASKED = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}


def parsed(document):
    """Parse a document by the Compose Specification's own grammar; returns exit code and what was said."""
    code = "import sys; from compose_spec import PyCompose; PyCompose.from_json(sys.stdin.read())"
    done = subprocess.run([PYTHON, "-c", code], input=json.dumps(document), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.skipif(not PYTHON.exists(), reason="the docs environment is not installed: `make docs` installs it")
def test_it_is_a_compose_file():
    """Every key is one that Compose knows, anchors resolved."""
    assert parsed({key: value for key, value in FILE.items() if not key.startswith("x-")}) == (0, "")
    code, said = parsed({"services": {"a": {"imag": "x"}}})
    assert code == 1
    assert "imag" in said


def test_every_image_is_pinned_and_every_port_is_the_loopbacks():
    """No latest, and nothing that another machine could reach."""
    for name, service in SERVICES.items():
        assert re.search(r":[\w.-]*\d|:dev$", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_what_runs_on_is_watched():
    """Every service that stays has a health check; what runs once is waited for by its success."""
    for name, service in SERVICES.items():
        if service["restart"] == "unless-stopped":
            assert service["healthcheck"]["test"], name
    for name in AIRFLOW:
        assert SERVICES[name]["depends_on"]["db-migration"] == {"condition": "service_completed_successfully"}
    # Otherwise `up --wait` exits 1 when it has ended as it should (docker/compose issue 10596).
    once = {name for name, service in SERVICES.items() if service["restart"] == "no"}
    awaited = {
        name
        for service in SERVICES.values()
        for name, needed in service.get("depends_on", {}).items()
        if service["restart"] != "no" and needed["condition"] == "service_completed_successfully"
    }
    assert once == awaited == {"db-migration", "deployment"}
    # What only a profile starts must not be required where it is off.
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            if set(SERVICES[needed].get("profiles", [])) - set(service.get("profiles", [])):
                assert how["required"] is False, name


def test_every_secret_comes_from_the_generated_file(tmp_path):
    """Each variable that the file asks for is in what `make compose-secrets` writes, which only its owner can read."""
    out = tmp_path / ".env"
    assert compose.main(["--out", str(out)]) == 0
    written = dict(line.split("=", 1) for line in out.read_text().splitlines())
    assert set(written) >= ASKED
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert compose.main(["--out", str(out)]) == 1
    assert dict(line.split("=", 1) for line in out.read_text().splitlines()) == written
    again = compose.variables(load_environment("local"))
    assert not {again[name] for name in ("FERNET_KEY", "JWT_SECRET", "API_SECRET_KEY", "POSTGRES_PASSWORD")} & set(
        written.values()
    )
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_example_names_what_is_asked_for():
    """A person who fills it in by hand misses nothing."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) >= ASKED
