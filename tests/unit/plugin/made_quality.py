"""What the model-quality pipeline leaves of a day, for what reads it."""

METRICS = ("accuracy", "auc", "f1", "precision", "recall", "brier", "calibration_error")


def report(**changes):
    return {
        "version": 1,
        "problem": "binary_classification",
        "predictions": 100,
        "label_rows": 95,
        "matched": 90,
        "missing": 10,
        "duplicates": 2,
        "contradictory": 1,
        "unknown_ids": 2,
        "empty": 0,
        "unreadable": 0,
        "without_id": 0,
        "positives": 30,
        "read_as_no": {"False.": 60},
        "checkable": 1,
        "reasons": [],
        "metrics": {name: {"value": 0.91, "standard_error": 0.02} for name in METRICS},
        "inputs": [{"name": "labels.csv", "size": 10, "md5": "0" * 32}],
        **changes,
    }


def sums(**changes):
    return {
        "version": 1,
        "problem": "binary_classification",
        "rows": 90,
        "tp": 25,
        "fp": 3,
        "fn": 5,
        "tn": 57,
        "squared_error": 9.0,
        "bins": [[9, 0.09 * (number + 1), number] for number in range(10)],
        "scores": {"0.1000": [57, 5], "0.9000": [3, 25]},
        **changes,
    }
