# ruff: noqa: E402, T201 - configuration comes before Airflow; the probe talks through its stdout
"""The pages on a port of their own, in a process of their own: an Airflow database with 100 daily DAGs, auth on.

    .venv/bin/python tests/perf/pages_probe.py PORT USE_CASES

Prints a login token when it is ready. /spent says how much CPU and wall time the last page took.
"""

import os
import sys
import tempfile
import time

PORT, USE_CASES = int(sys.argv[1]), int(sys.argv[2])
os.environ.update(
    AIRFLOW_HOME=tempfile.mkdtemp(prefix="airflow-pages-"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="False",
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="reader:viewer",
    AIRFLOW__API_AUTH__JWT_SECRET="a secret of this probe alone, which ends with it " + "x" * 32,
    AIRFLOW__SAGEMAKER_BATCH__ENVIRONMENT="perf",
    AIRFLOW__SAGEMAKER_BATCH__BUCKET="pages",
    AIRFLOW__SAGEMAKER_BATCH__REGION="us-east-1",
    AWS_ACCESS_KEY_ID="x",
    AWS_SECRET_ACCESS_KEY="x",
)

import uvicorn
from airflow.api_fastapi.app import get_auth_manager, init_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from fastapi import FastAPI

from sagemaker_batch.views.mount import LazyApp


class Measured:
    """Keeps the process's CPU and wall seconds of the last request, to its last byte."""

    def __init__(self, app):
        self.app, self.spent = app, {}

    async def __call__(self, scope, receive, send):
        cpu, wall = time.process_time(), time.perf_counter()
        await self.app(scope, receive, send)
        self.spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


initdb()
with create_session() as session:
    session.merge(DagBundleModel(name="made"))
    session.flush()
    for number in range(USE_CASES):
        dag_id = f"use_case{number}_batch_monitor"
        session.merge(DagModel(dag_id=dag_id, bundle_name="made", fileloc="f", is_paused=False, is_stale=False))
app = FastAPI()
init_auth_manager(app)
measured = Measured(LazyApp())
app.mount("/sagemaker-batch", measured)
app.get("/spent")(lambda: measured.spent)
token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="reader", role="viewer"))
print(token, flush=True)
uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
