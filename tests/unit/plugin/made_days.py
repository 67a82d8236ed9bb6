"""Days as a run leaves them: verdict record and reports, with names and categories that mean harm."""

HOSTILE = '<script>alert("x")</script>'
HOSTILE_CATEGORY = '"><img src=x onerror=alert(1)>\u202e'
ARN = "arn:aws:sagemaker:us-east-1:000000000000"
PACKAGE = f"{ARN}:model-package/churn-local/3"


def numeric(name, shift=0.0, missing=0):
    buckets = [
        {"lower_bound": shift + i, "upper_bound": shift + i + 1, "count": float(5 + i if i < 5 else 15 - i)}
        for i in range(10)
    ]
    common = {"num_present": 100 - missing, "num_missing": missing}
    figures = {"mean": 5 + shift, "std_dev": 2.0, "min": shift, "max": shift + 10, "sum": 1.0}
    numbers = {"common": common, **figures, "distribution": {"kll": {"buckets": buckets}}}
    return {"name": name, "inferred_type": "Fractional", "numerical_statistics": numbers}


def textual(name, **categories):
    buckets = [{"value": key, "count": value} for key, value in categories.items()]
    texts = {
        "common": {"num_present": sum(categories.values()), "num_missing": 0},
        "distinct_count": float(len(categories)),
        "distribution": {"categorical": {"buckets": buckets}},
    }
    return {"name": name, "inferred_type": "String", "string_statistics": texts}


def violation(feature, check="baseline_drift_check", description="Baseline drift distance: 0.50939474 exceeds 0.1"):
    return {"feature": feature, "check": check, "description": description}


def drift(name, distance, *, sensitive=False):
    return {
        "name": name,
        "sensitive": sensitive,
        "type": {"baseline": "Fractional", "today": "Fractional"},
        "null_share": {"baseline": 0.0, "today": 0.0},
        "ks": {"distance": distance, "p_value": 0.0001},
        "psi": distance * 3,
    }


def record(verdict="warned", violations=(), day="2026-03-03", execution="abc123", bucket="unit-bucket", **changes):
    severity, action = {
        "clean": ("none", "publish"),
        "warned": ("warning", "publish"),
        "held": ("critical", "hold"),
        "failed": ("error", "fail"),
    }[verdict]
    made = {
        "version": 1,
        "use_case": "churn",
        "batch_day": day,
        "uri": f"s3://{bucket}/churn/verdicts/dt={day}/{execution}.json",
        "verdict": verdict,
        "severity": severity,
        "action": action,
        "reasons": ["2 of 20 monitored features (10.0%) violate their constraints; below 30%."],
        "share": 0.1,
        "top_features": [],
        "violations": list(violations),
        "violated_features": sorted({item["feature"] for item in violations}),
        "monitored_features": 20,
        "rows_in": 4,
        "rows_scorable": 4,
        "unknown_categories": {"State": 2},
        "reports": {},
        "inputs": [
            {"key": f"churn/input/dt={day}/day.csv", "size": 12, "etag": "e", "version_id": "v", "modified": day}
        ],
        "model": {
            "policy": "latest",
            "arn": PACKAGE,
            "version": 3,
            "model_name": "m",
            "statistics_uri": f"s3://{bucket}/baseline/statistics.json",
            "constraints_uri": f"s3://{bucket}/baseline/constraints.json",
            "feature_schema_uri": f"s3://{bucket}/schema.json",
            "approved_at": "2026-02-01T10:00:00+00:00",
        },
        "execution": {
            "arn": f"{ARN}:pipeline/churn-batch-monitor-local/execution/{execution}",
            "status": "Succeeded",
            "created": f"{day}T06:00:00+00:00",
        },
        "run": {
            "dag_id": "churn_batch_monitor",
            "run_id": f"manual__{day}",
            "run_type": "manual",
            "triggered_by": "someone",
            "dag_version": "1",
        },
        "decided_at": f"{day}T06:30:00+00:00",
    }
    return {**made, **changes}
