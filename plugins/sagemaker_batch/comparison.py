"""A registered version beside the one in use, as a reviewer wants to see both: figures, data, baselines. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sagemaker_batch import calibration

FIGURES = ("accuracy", "auc", "precision", "recall", "f1", "brier", "calibration_error", "r2", "mae", "mse", "rmse")
# Of these, less is better.
LESS_IS_BETTER = {"brier", "calibration_error", "mae", "mse", "rmse"}
LARGEST = 5
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """What is known of one version: its evaluation and its data-quality statistics, as the pipeline wrote them.

    `scores` are (score, label) of the test rows, of a classifier only.
    """

    version: int
    arn: str
    created: str
    training_data: str
    evaluation: Document = field(default_factory=dict)
    statistics: Document = field(default_factory=dict)
    scores: Sequence[tuple[float, float]] = ()

    def metrics(self) -> Document:
        """Return the metrics of the evaluation's kind of problem, in SageMaker's shape."""
        return next((value for key, value in self.evaluation.items() if key.endswith("_metrics")), {})

    def figures(self) -> dict[str, float]:
        """Return the figures that the evaluation has, and how well calibrated the scores are, by name."""
        metrics = self.metrics()
        found = {name: metrics[name].get("value") for name in FIGURES if isinstance(metrics.get(name), dict)}
        figures = {name: float(value) for name, value in found.items() if value is not None}
        if self.scores:
            figures |= {
                "brier": calibration.brier(self.scores),
                "calibration_error": calibration.expected_error(self.scores),
            }
        return figures


@dataclass(frozen=True)
class Difference:
    """How far a column's baseline moved between two versions.

    `distance` is |difference of means| / standard deviation of the version in use for numbers, and half the sum of
    |differences of shares| (total variation, 0-1) for categories.
    """

    feature: str
    in_use: str
    candidate: str
    distance: float


def differences(in_use: Document, candidate: Document, sensitive: list[str]) -> list[Difference]:
    """Return the columns whose baselines differ, largest distance first; a column that only one side has comes first.

    Values of sensitive columns are withheld; their distance is not.
    """
    left = {item["name"]: item for item in in_use.get("features", [])}
    right = {item["name"]: item for item in candidate.get("features", [])}
    found = [_difference(name, left.get(name), right.get(name)) for name in sorted({*left, *right})]
    kept = [
        Difference(item.feature, "withheld", "withheld", item.distance) if item.feature in sensitive else item
        for item in found
        if item.distance > 0
    ]
    return sorted(kept, key=lambda item: (-item.distance, item.feature))


def _difference(name: str, left: Document | None, right: Document | None) -> Difference:
    if left is None or right is None:
        return Difference(name, "absent" if left is None else "present", "absent" if right is None else "present", 1e9)
    numbers = [item.get("numerical_statistics") for item in (left, right)]
    if numbers[0] and numbers[1]:
        means = [float(item["mean"]) for item in numbers if item]
        spread = float(numbers[0].get("std_dev") or 0)
        moved = abs(means[1] - means[0])
        # A column that was constant: any move is a full one.
        distance = moved / spread if spread else float(moved > 0)
        return Difference(name, f"mean {means[0]:.4g}", f"mean {means[1]:.4g}", distance)
    shares = [_shares(item) for item in (left, right)]
    if shares[0] and shares[1]:
        gone = {key: shares[1].get(key, 0) - shares[0].get(key, 0) for key in {*shares[0], *shares[1]}}
        most = max(sorted(gone), key=lambda key: abs(gone[key]))
        said = [f"{most!r} {side.get(most, 0):.1%}" for side in shares]
        return Difference(name, said[0], said[1], sum(abs(value) for value in gone.values()) / 2)
    kinds = [str(item.get("inferred_type", "")) for item in (left, right)]
    return Difference(name, kinds[0], kinds[1], float(kinds[0] != kinds[1]))


def _shares(feature: Document) -> dict[str, float]:
    distribution = feature.get("string_statistics", {}).get("distribution", {})
    buckets = distribution.get("categorical", {}).get("buckets", [])
    total = sum(item["count"] for item in buckets)
    return {str(item["value"]): item["count"] / total for item in buckets} if total else {}


def better(candidate: Side, in_use: Side | None, metric: str, margin: float) -> tuple[bool, str]:
    """Tell whether the rule approves, and why (not): better than the version in use by at least the margin."""
    theirs, ours = in_use.figures().get(metric) if in_use else None, candidate.figures().get(metric)
    if in_use is None:
        return False, "No version is in use yet, so there is nothing that it could be better than."
    if ours is None or theirs is None:
        who = candidate.version if ours is None else in_use.version
        return False, f"The evaluation of version {who} has no {metric}, so the two cannot be compared."
    # Rounded: 0.72 - 0.71 is not 0.01 in binary.
    gain = round(theirs - ours if metric in LESS_IS_BETTER else ours - theirs, 9)
    said = (
        f"{metric} {ours:.4f} against {theirs:.4f} of version {in_use.version} (better by {gain:.4f}, margin {margin})"
    )
    return gain >= margin, said


def table(candidate: Side, in_use: Side | None) -> list[str]:
    """Return both versions' figures as a Markdown table."""
    ours, theirs = candidate.figures(), in_use.figures() if in_use else {}
    head = f"version {in_use.version} (in use)" if in_use else "no version in use"
    lines = [f"| | version {candidate.version} (this one) | {head} | difference |", "|---|---|---|---|"]
    for name in FIGURES:
        if name in ours or name in theirs:
            both = name in ours and name in theirs
            moved = f"{ours[name] - theirs[name]:+.4f}{_verdict(name, ours[name], theirs[name])}" if both else ""
            lines.append(
                f"| {name.replace('_', ' ')} | {_number(ours.get(name))} | {_number(theirs.get(name))} | {moved} |"
            )
    rows = [side.evaluation.get("dataset", {}) if side else {} for side in (candidate, in_use)]
    for key, said in (("total", "rows of data"), ("item_count", "rows evaluated"), ("positive", "positive rows")):
        if any(key in side for side in rows):
            lines.append(f"| {said} | {rows[0].get(key, '')} | {rows[1].get(key, '')} | |")
    lines.append(f"| trained | {candidate.created} | {in_use.created if in_use else ''} | |")
    lines.append(f"| training data | {candidate.training_data} | {in_use.training_data if in_use else ''} | |")
    return lines


def confusion(side: Side) -> list[str]:
    """Return the confusion matrix as a Markdown table; nothing when the evaluation has none."""
    matrix = side.metrics().get("confusion_matrix")
    if not matrix:
        return []
    return [
        f"| version {side.version} | predicted no | predicted yes |",
        "|---|---|---|",
        *[f"| actual {said} | {matrix[key]['0']} | {matrix[key]['1']} |" for key, said in (("0", "no"), ("1", "yes"))],
    ]


def reliability(candidate: Side, in_use: Side | None) -> list[str]:
    """Return how often scores came true, both versions side by side, as a Markdown table; nothing without scores."""
    sides = [side for side in (candidate, in_use) if side and side.scores]
    if not sides:
        return []
    heads = [f"version {side.version}: mean score | came true | rows" for side in sides]
    bins = [{item.place: item for item in calibration.reliability(side.scores)} for side in sides]
    lines = [f"| score | {' | '.join(heads)} |", f"|---|{'---|' * 3 * len(sides)}"]
    for place in sorted(set().union(*bins)):
        cells = []
        for side in bins:
            item = side.get(place)
            cells += [f"{item.score:.3f}", f"{item.positive:.3f}", str(item.count)] if item else ["", "", ""]
        low = place / calibration.BINS
        lines.append(f"| {low:.1f}-{low + 1 / calibration.BINS:.1f} | {' | '.join(cells)} |")
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _verdict(name: str, ours: float, theirs: float) -> str:
    if ours == theirs:
        return ""
    return " (better)" if (ours > theirs) != (name in LESS_IS_BETTER) else " (worse)"
