"""Figures over several days, from each day's sums (report/sums.json of the model-quality pipeline). Pure."""

import math
from collections.abc import Sequence
from typing import Any


def figures(days: Sequence[dict[str, Any]]) -> tuple[int, dict[str, float | None], float | None]:
    """Return rows, metrics, and how far off the AUC may be; None for what is undefined.

    The AUC is the Mann-Whitney statistic over probabilities rounded to four decimals: pairs of a positive and a
    negative that share one count half, so it is off by at most half of their share.
    """
    told = [item for item in days if item["rows"]]
    rows = sum(item["rows"] for item in told)
    if not rows:
        return 0, {}, None
    if told[0]["problem"] == "regression":
        return rows, _regression(told, rows), None
    metrics, error = _binary(told, rows)
    return rows, metrics, error


def _binary(days: Sequence[dict[str, Any]], rows: int) -> tuple[dict[str, float | None], float | None]:
    hit, false_alarm, missed, rest = (sum(item[name] for item in days) for name in ("tp", "fp", "fn", "tn"))
    precision, recall = _share(hit, hit + false_alarm), _share(hit, hit + missed)
    f1 = None
    if precision is not None and recall is not None:
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    bins = [
        [sum(values) for values in zip(*column, strict=True)] for column in zip(*(d["bins"] for d in days), strict=True)
    ]
    auc, error = _auc(days)
    return {
        "accuracy": (hit + rest) / rows,
        "auc": auc,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "brier": math.fsum(item["squared_error"] for item in days) / rows,
        "calibration_error": sum(abs(predicted - observed) for _, predicted, observed in bins) / rows,
    }, error


def _auc(days: Sequence[dict[str, Any]]) -> tuple[float | None, float | None]:
    cells: dict[str, list[int]] = {}
    for item in days:
        for score, (negatives, positives) in item["scores"].items():
            cell = cells.setdefault(score, [0, 0])
            cell[0] += negatives
            cell[1] += positives
    negatives, positives = (sum(cell[side] for cell in cells.values()) for side in (0, 1))
    pairs = negatives * positives
    if not pairs:
        return None, None
    below, won, tied = 0, 0.0, 0
    for score in sorted(cells, key=float):
        here_negative, here_positive = cells[score]
        won += here_positive * (below + here_negative / 2)
        tied += here_positive * here_negative
        below += here_negative
    return won / pairs, tied / pairs / 2


def _regression(days: Sequence[dict[str, Any]], rows: int) -> dict[str, float | None]:
    mean = math.fsum(item["rows"] * item["label_mean"] for item in days) / rows
    # The spread about the common mean: within the days, and of the days' own means.
    spread = math.fsum(
        part for item in days for part in (item["label_spread"], item["rows"] * (item["label_mean"] - mean) ** 2)
    )
    squared = math.fsum(item["squared_error"] for item in days)
    return {
        "mae": math.fsum(item["absolute_error"] for item in days) / rows,
        "rmse": math.sqrt(squared / rows),
        "r2": 1 - squared / spread if spread else None,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
