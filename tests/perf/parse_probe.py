"""What parsing the DAG files costs in this process, as JSON; run by test_parse.py in the Airflow environment.

Arguments: the folder of use cases, and the DAG whose task's process this is to be (or nothing). Processor time, so that
a busy machine does not count.
"""

import json
import os
import runpy
import sys
import time

os.environ["AIRFLOW__SAGEMAKER_BATCH__USE_CASES_FOLDER"] = sys.argv[1]
if len(sys.argv) > 2:
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = sys.argv[2]
    os.environ["_AIRFLOW_PARSING_CONTEXT_TASK_ID"] = "any"

begun = time.process_time()
import airflow.sdk  # noqa: E402 - what parsing is measured beside

sdk = time.process_time() - begun
begun = time.process_time()
nothing = runpy.run_path("dags/registry_watcher.py")
found = {"sdk": sdk, "passes": [], "dags": 0, "watcher": time.process_time() - begun}
assert not [value for value in nothing.values() if isinstance(value, airflow.sdk.DAG)]
for _ in range(3):
    begun = time.process_time()
    parsed = [runpy.run_path(f"dags/{name}.py") for name in ("batch_monitor", "train_baseline")]
    found["passes"].append(time.process_time() - begun)
    dags = {value.dag_id for names in parsed for value in names.values() if isinstance(value, airflow.sdk.DAG)}
    found["dags"] = len(dags)
sys.stdout.write(json.dumps(found) + "\n")
