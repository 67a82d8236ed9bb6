"""A hundred use cases in one folder: every DAG is there, and a broken file among them stops nobody."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

REPO = Path(__file__).parents[2]
COUNT = 100
PARSE = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
begun = time.process_time()
bag = DagBag(sys.argv[1])
print(json.dumps({"dags": sorted(bag.dags), "errors": bag.import_errors, "seconds": time.process_time() - begun}))
"""


def test_a_hundred_use_cases_parse(tmp_path):
    """Two DAGs for each, within the time that Airflow gives a DAG file before it ends its parsing."""
    folder = tmp_path / "use_cases"
    folder.mkdir()
    examples = [path.read_text(encoding="utf-8") for path in sorted((REPO / "dags" / "use_cases").glob("*.yaml"))]
    for number in range(COUNT):
        content = yaml.safe_load(examples[number % len(examples)])
        content["description"] = f"Number {number}"
        (folder / f"case_{number:03}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    (folder / "broken.yaml").write_text("data: [", encoding="utf-8")
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__SAGEMAKER")},
        "AIRFLOW__SAGEMAKER_BATCH__USE_CASES_FOLDER": str(folder),
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(REPO / "dags")],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    wanted = [
        f"case_{number:03}{suffix}" for number in range(COUNT) for suffix in ("_train_baseline", "_batch_monitor")
    ]
    assert set(wanted) | {"broken_train_baseline", "broken_batch_monitor"} <= set(found["dags"])
    # CPU time of both files together, so that a busy machine does not fail it; Airflow gives each file 50 s.
    assert found["seconds"] < 50
