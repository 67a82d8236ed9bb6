"""`make constraints USE_CASE=churn` on the house that is up: what it says of past days is what was found on them."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from local import environment
from sagemaker_batch import names
from tests.integration.conftest import USE_CASE, Laptop
from tests.integration.played import Played

pytestmark = pytest.mark.timeout(600)
JUDGED = ("clean", "warned", "held")
# Nothing drifts by this, and half of one column may be missing.
OVERRIDES = """  overrides:
    comparison_threshold: 1.0
    features:
      Night Charge:
        completeness: 0.5
"""
PAIR = re.compile(r"^  (.+?)  +(\w+_check)  +(\d+) day\(s\)(?:  +(\d+) day\(s\))?$", re.MULTILINE)


def recorded(house: Laptop) -> dict[str, dict]:
    """Return the newest verdict record of each day that was judged."""
    found: dict[str, dict] = {}
    for key in house.cloud.keys(f"{USE_CASE}/verdicts/"):
        record = house.cloud.read_json(key) or {}
        before = found.get(record["batch_day"])
        if before is None or before["execution"]["created"] < record["execution"]["created"]:
            found[record["batch_day"]] = record
    return {day: record for day, record in found.items() if record["verdict"] in JUDGED}


def constraints(house: Laptop, folder: Path) -> str:
    """Return what the command prints."""
    command = [sys.executable, "-m", "local.constraints", "--use-case", USE_CASE, "--days", "1000"]
    done = subprocess.run(
        [*command, "--use-cases", str(folder)],
        env={**os.environ, "PYTHONPATH": environment.python_path(), "BATCH_HOME": str(house.house.state)},
        cwd=environment.REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_past_days_are_checked_again_as_they_were_and_by_each_change(
    house: Laptop, played: Played, tmp_path: Path
) -> None:
    """Days flagged by the suggested constraints are those of the verdict records; the changes clear what they must."""
    text = (environment.REPO / "dags" / "use_cases" / f"{USE_CASE}.yaml").read_text(encoding="utf-8")
    assert text.count("  engine: managed\n") == 1
    file = tmp_path / f"{USE_CASE}.yaml"
    file.write_text(text.replace("  engine: managed\n", f"  engine: managed\n{OVERRIDES}"), encoding="utf-8")
    records = recorded(house)
    flagged = Counter(
        pair
        for record in records.values()
        for pair in {(item["feature"], item["check"]) for item in record["violations"]}
    )
    said = constraints(house, tmp_path)
    assert f"Checked again: {len(records)} judged day(s)" in said
    told = {(feature, check): (int(before), int(after)) for feature, check, before, after in PAIR.findall(said)}
    assert {pair: before for pair, (before, _) in told.items() if before} == dict(flagged)
    for (feature, check), (_, after) in told.items():
        if check == "baseline_drift_check" or (feature, check) == ("Night Charge", "completeness_check"):
            assert after == 0, (feature, check)
    missing = played.backfilled["missing-column"].day
    for item in records[missing.isoformat()]["violations"]:
        if item["check"] == "missing_column_check":
            before, after = told[item["feature"], item["check"]]
            assert after == before > 0
    assert flagged["Night Charge", "completeness_check"] > 0
    days = {
        day
        for day, record in records.items()
        if any(item["feature"] == "Night Charge" for item in record["violations"])
    }
    cleared = {day for day in days if records[day]["verdict"] == "warned"}
    assert re.search(rf"Night Charge +completeness +1 +0\.5 +{len(days)} -> {len(days - cleared)} +less on: ", said), (
        said
    )
    assert names.s3_uri(house.cloud.bucket, "") in said
