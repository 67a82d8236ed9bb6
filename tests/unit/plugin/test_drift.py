"""A day judged by drift_report.json: what it flags, and what still comes from the violations."""

import json
import random
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from sagemaker_batch.assess import judge
from sagemaker_batch.drift import findings
from sagemaker_batch.errors import MonitorError
from sagemaker_batch.use_case import load_use_case
from sagemaker_batch.use_case.monitor import DriftThresholds
from sagemaker_batch.verdict import Evidence, decide
from sagemaker_batch.violations import Violation

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs" / "contracts" / "drift_report.schema.json").read_text())
QUIET = {"null_share": {"baseline": 0.0, "today": 0.0}, "sensitive": True}
NUMBER = {"type": {"baseline": "Integral", "today": "Integral"}}
TEXT = {"type": {"baseline": "String", "today": "String"}}
DISTANCES = {"psi": 0.1, "jensen_shannon": 0.1, "out_of_range_share": 0.0}


def number(name, distance, p_value, **more):
    return {"name": name, **NUMBER, **QUIET, **DISTANCES, "ks": {"distance": distance, "p_value": p_value}, **more}


def category(name, distance, test, unknown=0.0, new=0, **more):
    return {
        "name": name,
        **TEXT,
        **QUIET,
        **DISTANCES,
        "l_infinity": distance,
        "chi_squared": test,
        "out_of_range_share": unknown,
        "new_category_count": new,
        "vanished_category_count": 0,
        **more,
    }


def flags(*features, **thresholds):
    report = {
        "version": 1,
        "rows": {"baseline": 10, "today": 10},
        "columns": {"missing": [], "extra": []},
        "features": list(features),
    }
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    found = findings(report, DriftThresholds(**thresholds), "s3://b/drift_report.json")
    return [(item.feature, item.check) for item in found]


def test_significance_and_size_are_both_needed():
    """A large distance by chance and a certain one of no size are no drift; both together are."""
    assert flags(number("a", 0.3, 0.01), number("b", 0.04, 1e-12), number("c", 0.3, 1e-12)) == [
        ("c", "baseline_drift_check")
    ]
    assert flags(number("a", 0.3, 0.01), significance=0.05) == [("a", "baseline_drift_check")]
    assert flags(number("c", 0.3, 1e-12), distance=0.4) == []


def test_categories_move_or_are_new():
    """A changed mix is drift; values in new categories are unknown; without a test there is no drift."""
    moved = {"statistic": 99.0, "p_value": 1e-9}
    assert flags(category("a", 0.2, moved), category("b", 0.2, None), category("c", 0.01, None, 0.02, 1)) == [
        ("a", "baseline_drift_check"),
        ("c", "categorical_values_check"),
    ]
    assert flags(category("c", 0.01, None, 0.02, 1), unknown=0.05) == []


def test_missing_values_are_counted_against_the_baseline():
    """What the baseline misses too is no finding; what comes on top is; a column without values has no share."""
    assert flags(number("a", 0.0, 1.0, null_share={"baseline": 0.2, "today": 0.205})) == []
    assert flags(number("a", 0.0, 1.0, null_share={"baseline": None, "today": 0.05})) == [("a", "completeness_check")]


def test_what_is_no_report_is_an_error():
    """A day is never clean because its report could not be read."""
    for content in (None, [], {}, {"features": [{}]}, {"features": [{"name": "a", "ks": {}}]}):
        with pytest.raises(MonitorError, match=r"s3://b/drift_report\.json is no drift report"):
            findings(content, DriftThresholds(), "s3://b/drift_report.json")


def judged(violations, drift):
    said = "CompletedWithViolations: Job completed successfully with 1 violations." if violations else "Completed: x"
    found = decide(
        Evidence(
            execution_status="Succeeded",
            execution_reason="",
            monitoring_status="Succeeded",
            exit_message=said,
            violations=violations,
            monitored=4,
            scorable=True,
            transform_status="Succeeded",
            drift=drift,
        ),
        critical_share=0.5,
    )
    return found.verdict, found.reasons[0]


def test_the_drift_report_decides_and_the_reason_says_so():
    """AWS's drift does not count, the report's does; with none of either the day is clean."""
    ours, theirs = Violation("a", "baseline_drift_check", "x"), Violation("b", "baseline_drift_check", "y")
    assert judged([theirs], []) == ("clean", "drift_report.json flags no feature.")
    assert judged([], [ours]) == (
        "warned",
        "1 of 4 monitored features (25.0%) are flagged by drift_report.json; below 50%.",
    )
    assert judged([theirs], [ours, theirs])[0] == "held"
    assert judged([theirs], None)[1] == "1 of 4 monitored features (25.0%) violate their constraints; below 50%."


def test_a_broken_schema_holds_whatever_the_drift_report_says():
    """A wrong type stays critical."""
    broken = Violation("a", "data_type_check", "text")
    assert judged([broken], []) == ("held", "Broken schema: a: text")


@pytest.fixture
def reports(tmp_path):
    """What the analyzer writes of a day on which a flag flipped, against the baseline before."""
    generator = random.Random(3)  # noqa: S311 - seeded data
    for name, share in (("before", 0.2), ("today", 0.8)):
        rows = [f"{int(generator.random() < share)},{generator.choice('xyz')}" for _ in range(900)]
        (tmp_path / f"{name}.csv").write_text("flag,kind\n" + "\n".join(rows) + "\n")
    for arguments in (
        ["profile", "before.csv", "--output", "baseline"],
        ["compare", "baseline", "today.csv", "--output", "out"],
    ):
        subprocess.run(
            [sys.executable, "-m", "monitor_analyzer", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT / "include" / "pipeline_scripts")},
            check=True,
            capture_output=True,
        )
    return {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    ("report", "verdict", "why"),
    [
        ("violations", "clean", "No constraint is violated."),
        ("drift_report", "held", "1 of 2 monitored features (50.0%) are flagged by drift_report.json"),
        ("absent", "failed", "AWS's own analyzer writes none: set monitor.engine to bundled"),
    ],
)
def test_a_flipped_flag_is_seen_by_the_drift_report_only(  # noqa: PLR0917 - fixtures and cases
    s3, bucket, reports, tmp_path, report, verdict, why
):
    """AWS's checks let it pass; judged by drift_report.json the day is held; without that report it fails."""
    path = tmp_path / "churn.yaml"
    text = (ROOT / "dags" / "use_cases" / "churn.yaml").read_text()
    asked = "violations" if report == "violations" else "drift_report"
    path.write_text(text.replace("critical_share: 0.3", f"critical_share: 0.3\n  report: {asked}"))
    use_case = load_use_case(path)
    prefix = "churn/batches/dt=2026-03-03/abc/"
    if report == "absent":
        del reports["drift_report.json"]
    for name, content in reports.items():
        s3.put_object(Bucket=bucket, Key=f"{prefix}monitoring/{name}", Body=json.dumps(content).encode())
    s3.put_object(Bucket=bucket, Key="baseline.json", Body=json.dumps(reports["statistics.json"]).encode())
    batch = {"scorable": True, "inputs": [], "rows_in": 900, "rows_scorable": 900}
    s3.put_object(Bucket=bucket, Key=f"{prefix}prepared/report/batch.json", Body=json.dumps(batch).encode())
    steps = [
        {"name": "MonitorBatchTransform-monitoring", "status": "Succeeded", "arn": "arn:x/check"},
        {"name": "MonitorBatchTransform-transform", "status": "Succeeded", "arn": ""},
    ]
    record = judge(
        s3,
        SimpleNamespace(describe_processing_job=lambda **_: {"ExitMessage": "Completed: no violations."}),
        bucket,
        use_case,
        date(2026, 3, 3),
        {
            "arn": "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abc",
            "status": "Succeeded",
            "created": "2026-03-04T00:00:00+00:00",
            "failure_reason": "",
            "failed_steps": [],
            "steps": steps,
        },
        {
            "input": {"prefix": f"s3://{bucket}/churn/input/dt=2026-03-03/", "objects": []},
            "model": {"statistics_uri": f"s3://{bucket}/baseline.json", "version": 3},
            "run": {},
        },
    )
    assert (record["verdict"], record["judged_by"]) == (verdict, asked)
    assert why in record["reasons"][0]
    if verdict == "held":
        [found] = record["violations"]
        assert (found["feature"], found["check"]) == ("flag", "baseline_drift_check")
        assert found["description"].startswith("drift_report.json: distance 0.")
        assert "drift" in record["reports"]
