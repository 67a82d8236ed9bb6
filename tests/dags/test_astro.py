"""What Astro checks of a project before it deploys: the DAGs load with everything around them mocked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

REPO = Path(__file__).parents[2]
# As `astro dev parse` does: unset variables, Airflow's variables and connections answer with made-up values.
PARSE = """
import json, os, sys
real = os.environ
def getenv(key, default=None):
    return real.get(key) or default or f"MOCKED_{key.upper()}_VALUE"
os.getenv = getenv
from airflow.models import Connection, Variable
from airflow.sdk.bases.hook import BaseHook
asked = []
BaseHook.get_connection = classmethod(lambda cls, key, *_, **__: asked.append(key) or Connection(key))
Variable.get = classmethod(lambda cls, key, *_, **__: asked.append(key) or "NON_DEFAULT_MOCKED_VARIABLE_VALUE")
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({
    "errors": bag.import_errors,
    "asked": asked,
    "dags": {
        dag_id: {"tags": sorted(dag.tags), "retries": dag.default_args.get("retries")}
        for dag_id, dag in bag.dags.items()
    },
}))
"""


def test_the_checks_of_an_astro_project_pass(tmp_path):
    """No import error, tags on every DAG, at least two retries, and nothing asked of Airflow while parsing."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW__SAGEMAKER", "AWS"))
    }
    variables |= {"AIRFLOW_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(REPO / "dags")],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert found["asked"] == []
    assert len(found["dags"]) >= 4
    for dag_id, dag in found["dags"].items():
        assert dag["tags"], dag_id
        assert dag["retries"] >= 2, dag_id


def test_the_settings_are_those_that_astro_reads():
    """Connections, pools and variables in the CLI's own shape, with every connection that a use case names."""
    settings = yaml.safe_load((REPO / "airflow_settings.yaml").read_text(encoding="utf-8"))["airflow"]
    assert set(settings) == {"connections", "pools", "variables"}
    known = {item["conn_id"] for item in settings["connections"]}
    for path in (REPO / "dags" / "use_cases").glob("*.yaml"):
        alerts = yaml.safe_load(path.read_text(encoding="utf-8"))["alerts"]
        named = {name for routes in alerts["routes"].values() for name in routes} | set(alerts["digest"])
        assert named <= known
    for item in settings["pools"]:
        assert set(item) == {"pool_name", "pool_slot", "pool_description"}
    assert (REPO / "Dockerfile").read_text(encoding="utf-8").startswith("FROM ")
    assert yaml.safe_load((REPO / ".astro" / "config.yaml").read_text(encoding="utf-8"))["project"]["name"]
