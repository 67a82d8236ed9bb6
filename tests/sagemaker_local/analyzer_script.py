"""A small analyzer by the container's contract, for tests of QualityCheck steps: it compares row counts.

Reads the Environment of processingjobconfig.json; writes statistics.json and constraints.json, and, when a baseline is
given and counts differ, constraint_violations.json.
"""

import json
import sys
from pathlib import Path

ml = Path(sys.argv[1])
environment = json.loads((ml / "config/processingjobconfig.json").read_text())["Environment"]
rows = sum(len(path.read_text().splitlines()) for path in Path(environment["dataset_source"]).glob("*.csv"))
output = Path(environment["output_path"])
(output / "statistics.json").write_text(json.dumps({"rows": rows}))
(output / "constraints.json").write_text(json.dumps({"rows": rows}))
message = "Completed: Job completed successfully with no violations."
if "baseline_constraints" in environment:
    expected = json.loads(Path(environment["baseline_constraints"]).read_text())["rows"]
    assert json.loads(Path(environment["baseline_statistics"]).read_text())["rows"] == expected
    if expected != rows:
        violation = {
            "feature_name": "rows",
            "constraint_check_type": "baseline_drift_check",
            "description": f"{rows} rows, {expected} in the baseline",
        }
        (output / "constraint_violations.json").write_text(json.dumps({"violations": [violation]}))
        message = "CompletedWithViolations: Job completed successfully with 1 violations."
(ml / "output/message").write_text(message)
