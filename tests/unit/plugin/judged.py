"""Verdict records as the daily DAG leaves them, for what reads the history."""

from sagemaker_batch import records

MODEL = "arn:p/3"


def record(day, verdict="held", drifted=4, check="baseline_drift_check", **changes):
    execution = changes.pop("execution", f"e{day}")
    features = [f"f{number}" for number in range(drifted)]
    return {
        "version": 1,
        "use_case": "churn",
        "batch_day": day,
        "uri": f"s3://unit-bucket/churn/verdicts/dt={day}/{execution}.json",
        "verdict": verdict,
        "severity": {"clean": "none", "warned": "warning", "held": "critical", "failed": "error"}[verdict],
        "action": {"held": "hold", "failed": "fail"}.get(verdict, "publish"),
        "reasons": ["4 of 10 monitored features violate their constraints"],
        "share": drifted / 10,
        "top_features": [],
        "violations": [{"feature": name, "check": check, "description": "far"} for name in features],
        "violated_features": features,
        "monitored_features": 10,
        "rows_in": 2,
        "rows_scorable": 2,
        "inputs": [],
        "model": {"arn": MODEL, "version": 3},
        "execution": {
            "arn": f"arn:pipeline/execution/{execution}",
            "status": "Succeeded",
            "created": f"{day}T23:00:00+00:00",
        },
        "run": {
            "dag_id": "churn_batch_monitor",
            "run_id": "r",
            "run_type": "scheduled",
            "triggered_by": "airflow",
            "dag_version": "",
        },
        **changes,
    }


def put(s3, bucket, *found):
    for item in found:
        key = item["uri"].removeprefix(f"s3://{bucket}/")
        records.write(s3, bucket, key, item)
