"""The bundle of Amazon MWAA 3.3.1: the DAGs and the triggers come out of it, in processes that hold nothing else."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from include.infrastructure import bundle
from include.infrastructure.environment import Mwaa, load_environment

REPO = Path(__file__).parents[2]
CONSTRAINTS = REPO / "requirements" / "constraints-mwaa-3.3.1.txt"
# What an environment of MWAA fixes and nobody can override.
MWAA = {
    "AIRFLOW__CORE__EXECUTE_TASKS_NEW_PYTHON_INTERPRETER": "True",
    "AIRFLOW__CORE__MULTI_TEAM": "False",
    "AIRFLOW__TRIGGERER__QUEUES_ENABLED": "False",
    "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "86400",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}
DAGS = """
import json, sys
from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
plugins, errors = plugins_manager._get_plugins()
own = [m for m in sys.modules if m.startswith("sagemaker_batch")]
print(json.dumps({
    "dags": sorted(bag.dags),
    "import_errors": bag.import_errors,
    "plugin_errors": errors,
    "plugins": [plugin.name for plugin in plugins],
    "files": sorted({str(sys.modules[name].__file__) for name in own if sys.modules[name].__file__}),
    "bare": sorted({"operators", "registry", "trigger", "names"} & set(sys.modules)),
}))
"""
# The triggerer: plugins on the path, no dags folder, triggers only by the class path that a task has stored.
TRIGGERS = """
import asyncio, importlib, json, pkgutil, sys
from airflow._shared.module_loading import import_string
from airflow.triggers.base import BaseTrigger
import sagemaker_batch
for module in pkgutil.walk_packages(sagemaker_batch.__path__, "sagemaker_batch."):
    if "trigger" in module.name:
        importlib.import_module(module.name)
def below(kind):
    for child in kind.__subclasses__():
        yield child
        yield from below(child)
found = {}
for kind in below(BaseTrigger):
    if kind.__module__.startswith("sagemaker_batch"):
        made = kind(**json.loads(sys.argv[1])[kind.__name__])
        path, arguments = made.serialize()
        again = import_string(path)(**json.loads(json.dumps(arguments)))
        found[path] = again.serialize() == (path, arguments)
print(json.dumps(found))
"""
EXECUTION = {"arn": "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/e"}
EXAMPLES = {"PipelineTrigger": EXECUTION, "HoldTrigger": EXECUTION, "PauseTrigger": {"until": 1.5}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Lay the bundle out as MWAA does: dags/ beside the unpacked plugins, and nothing of the repository."""
    folder = tmp_path_factory.mktemp("mwaa")
    bundle.build(load_environment("local"), folder / "bundle")
    with zipfile.ZipFile(folder / "bundle" / "plugins.zip") as archive:
        archive.extractall(folder / "plugins")
    (folder / "bundle" / "dags").rename(folder / "dags")
    return folder


def run(home, code, *arguments, path=()):
    """Run code as a component of MWAA would, after startup.sh was sourced."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "AWS_"))
    }
    variables |= MWAA | {
        "AIRFLOW_HOME": str(home / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONWARNINGS": "ignore",
    }
    startup = home / "bundle" / "startup.sh"
    command = ["sh", "-c", f'. "{startup}" && exec "$0" "$@"', sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=variables, cwd=home, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_dags_load_from_the_bundle(home):
    """Every use case has its DAGs, no import fails, and every module came out of plugins.zip under its own name."""
    found = run(home, DAGS, str(home / "dags"))
    use_cases = {path.stem for path in (REPO / "dags" / "use_cases").glob("*.yaml")}
    assert {f"{name}{suffix}" for name in use_cases for suffix in ("_train_baseline", "_batch_monitor")} <= set(
        found["dags"]
    )
    assert found["import_errors"] == {}
    assert found["plugin_errors"] == {}
    assert "sagemaker_batch" in found["plugins"]
    assert found["files"]
    assert all(file.startswith(str(home / "plugins")) for file in found["files"])
    assert found["bare"] == []


def test_each_trigger_comes_back_in_the_triggerer(home):
    """The triggerer has no dags folder: each trigger's class path and arguments must be enough."""
    (home / "dags").rename(home / "away")
    try:
        found = run(home, TRIGGERS, json.dumps(EXAMPLES), path=[home / "plugins"])
    finally:
        (home / "away").rename(home / "dags")
    assert found
    assert set(found.values()) == {True}


def test_the_startup_script_says_where_airflow_runs(home):
    """Sourced by sh, it sets the options of the section and the connection of the alerts, and no secret."""
    script = home / "bundle" / "startup.sh"
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    variables = run(home, code)
    environment = load_environment("local")
    assert variables["AIRFLOW__SAGEMAKER_BATCH__ENVIRONMENT"] == "local"
    assert variables["AIRFLOW__SAGEMAKER_BATCH__BUCKET"] == environment.bucket
    connection = json.loads(variables["AIRFLOW_CONN_SAGEMAKER_BATCH_ALERTS"])
    assert connection["extra"]["topic_arn"].endswith(":sagemaker-batch-alerts-local")
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.startswith("export AIRFLOW_") for line in commands)
    assert not re.search(r"(?i)secret|password|key", "".join(commands))


def test_the_requirements_are_what_mwaa_carries(home):
    """The constraint line stands first, and each pin is the version of MWAA's own constraints and of what is tested."""
    import importlib.metadata

    first, *rest = (home / "bundle" / "requirements.txt").read_text().splitlines()
    assert first == f'--constraint "{bundle.CONSTRAINT}"'
    constraints = dict(line.split("==") for line in CONSTRAINTS.read_text().splitlines() if "==" in line)
    pins = dict(line.split("==") for line in rest if line and not line.startswith("#"))
    assert pins
    for name, version in pins.items():
        assert constraints[name] == version == importlib.metadata.version(name)
    assert importlib.metadata.version("apache-airflow") == bundle.AIRFLOW_VERSION


def test_without_internet_the_bundle_carries_the_constraints():
    """Nothing is fetched: the line names a file of the bundle, where MWAA puts it."""
    mwaa = Mwaa(bucket="bucket", environment="analytics", internet=False)
    files = bundle.contents(load_environment("local").model_copy(update={"mwaa": mwaa}))
    first = files["requirements.txt"].decode().splitlines()[0]
    place = re.fullmatch(r'--constraint "/usr/local/airflow/(dags/[\w.-]+\.txt)"', first)
    assert place
    assert files[place[1]] == CONSTRAINTS.read_bytes()
    assert "http" not in files["requirements.txt"].decode()
    assert place[1] not in bundle.contents(load_environment("local"))


def test_a_bundle_is_the_same_bytes_each_time(tmp_path):
    """Two builds are equal, caches and hidden files of the working tree are in neither."""
    environment = load_environment("local")
    first, second = bundle.build(environment, tmp_path / "a"), bundle.build(environment, tmp_path / "b")
    assert first == second
    assert (tmp_path / "a" / bundle.SUMS).read_bytes() == (tmp_path / "b" / bundle.SUMS).read_bytes()
    names = bundle.members(first["plugins.zip"])
    assert ".airflowignore" in names
    assert "sagemaker_batch_plugin.py" in names
    assert not [name for name in [*names, *first] if "__pycache__" in name or name.endswith(".pyc")]
    assert not [name for name in first if name.startswith("include")]


def test_a_folder_that_is_no_bundle_is_left_alone(tmp_path):
    """`--out` pointed at a person's folder destroys nothing."""
    (tmp_path / "thesis.txt").write_text("years of work")
    assert bundle.main(["build", "--out", str(tmp_path)]) == 1
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
