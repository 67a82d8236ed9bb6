import csv
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "include" / "pipeline_scripts"
# Inside a job the folder is on PYTHONPATH; here it stands in for that.
sys.path.insert(0, str(SCRIPTS))

SHARED = Path(os.environ.get("BATCH_SHARED", ROOT.parent / "shared"))


@pytest.fixture
def shared_data():
    """The real samples, or a skip where they are not."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real samples are not here (BATCH_SHARED)")
    return SHARED / "data"


@pytest.fixture
def write_csv(tmp_path):
    """Write rows (the first is the header) as CSV and return the file."""

    def write(rows, name="data.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        return path

    return write


@pytest.fixture
def opt_ml(tmp_path):
    """Lay out /opt/ml for a job and return (root, run): run(environment) gives exit code, message, results."""
    root = tmp_path / "opt_ml"

    def run(**environment):
        from monitor_analyzer import container

        (root / "config").mkdir(parents=True, exist_ok=True)
        defaults = {"dataset_format": '{"csv": {"header": true}}', "output_path": str(root / "processing" / "output")}
        values = {**defaults, **{key: str(value) for key, value in environment.items()}}
        (root / "config" / "processingjobconfig.json").write_text(json.dumps({"Environment": values}))
        code = container.main(root)
        message = (root / "output" / "message").read_text()
        output = Path(values["output_path"])
        results = {path.name: json.loads(path.read_text()) for path in output.glob("*.json")}
        return code, message, results

    return root, run
