"""The report of a training: figures, curves, calibration, importance, and the version in use beside it. Pure."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sagemaker_batch.calibration import BINS, reliability
from sagemaker_batch.registry import ModelVersion
from sagemaker_batch.report import charts, figures, page
from sagemaker_batch.report.markup import Html, named, tag

POINTS = 200
SHOWN_FEATURES = 25
WORDS = {
    "accuracy": "Accuracy",
    "accuracy_best_constant_classifier": "Always the larger class",
    "auc": "Area under the ROC curve",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "r2": "R\u00b2 (share of variance explained)",
    "rmse": "Root mean squared error",
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
}
# Of these figures less is better.
LESS_IS_BETTER = {"rmse", "mae", "mse"}
# Figures that are shares.
SHARES = {"accuracy", "accuracy_best_constant_classifier", "precision", "recall"}


@dataclass(frozen=True)
class TrainingFacts:
    """Everything that a training's report shows.

    `metrics` is the evaluation's section (name -> value and standard deviation); `predictions` are pairs of score and
    label on the test rows; `in_use` is the version that scored when the report was drawn, with its own metrics.
    """

    use_case: str
    version: ModelVersion
    dataset: dict[str, Any]
    metrics: dict[str, Any]
    predictions: Sequence[tuple[float, float]]
    importance: dict[str, float]
    gate: str
    threshold: float
    zone: str
    in_use: ModelVersion | None = None
    in_use_metrics: dict[str, Any] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)

    @property
    def binary(self) -> bool:
        """Whether the model tells two classes apart."""
        return "confusion_matrix" in self.metrics


def render(facts: TrainingFacts) -> str:
    """Return the report as one HTML file."""
    title = f"{facts.use_case}: training of version {facts.version.version}"
    return page.document(title, body(facts))


def body(facts: TrainingFacts) -> Html:
    """Return the report without its frame."""
    drawn = [_curves(facts), _confusion(facts), _calibration(facts)] if facts.binary else [_errors(facts)]
    parts = [_head(facts), _metrics(facts), *drawn, _importance(facts), _about(facts)]
    return Html("".join(part for part in parts if part is not None))


def roc(predictions: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the ROC curve: share of negatives and of positives that reach each threshold, from high to low.

    Records of the same score reach it together, so a tie is a slope and no staircase.
    """
    positives = sum(label for _, label in predictions)
    negatives = len(predictions) - positives
    if not positives or not negatives:
        return []
    found, hits, misses = [(0.0, 0.0)], 0.0, 0.0
    for tied in _by_score(predictions):
        hits += sum(label for _, label in tied)
        misses += sum(1 - label for _, label in tied)
        found.append((misses / negatives, hits / positives))
    return found


def precision_recall(predictions: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return recall and precision at each threshold, from high to low."""
    positives = sum(label for _, label in predictions)
    if not positives:
        return []
    found, hits, seen = [], 0.0, 0
    for tied in _by_score(predictions):
        hits += sum(label for _, label in tied)
        seen += len(tied)
        found.append((hits / positives, hits / seen))
    return [(0.0, found[0][1]), *found]


def _by_score(predictions: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    ordered = sorted(predictions, key=lambda item: -item[0])
    return [list(tied) for _, tied in itertools.groupby(ordered, key=lambda item: item[0])]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = max(1, len(points) // POINTS)
    return [*points[::step], points[-1]] if points else []


def _head(facts: TrainingFacts) -> Html:
    version, measured = facts.version, _value(facts.metrics, facts.gate)
    enough = measured is not None and measured >= facts.threshold
    said = (
        f"{WORDS.get(facts.gate, facts.gate)} {_shown(facts.gate, measured)} "
        f"{'reaches' if enough else 'misses'} the threshold of {_shown(facts.gate, facts.threshold)}."
    )
    counts = facts.dataset
    return tag(
        "header",
        tag("p", named(facts.use_case), " \u00b7 training report", class_="over"),
        tag("h1", f"Version {version.version} ", tag("span", version.status, class_="badge v-running")),
        tag("p", said, class_="lead"),
        page.facts(
            [
                ("Trained on", figures.count(counts.get("train"), "rows"), f"of {figures.count(counts.get('total'))}"),
                ("Stopped early by", figures.count(counts.get("validation"), "rows"), "validation"),
                ("Evaluated on", figures.count(counts.get("test"), "rows"), "never seen in training"),
                ("Registered", figures.moment(version.created, facts.zone), f"status {version.status}"),
            ]
        ),
    )


def _metrics(facts: TrainingFacts) -> Html:
    heads, styles = ["Figure", "This version", "Standard deviation"], ["", "n", "n"]
    if facts.in_use is not None:
        heads += [f"In use: version {facts.in_use.version}", "Difference", "Verdict"]
        styles += ["n", "n", ""]
    rows = []
    for name in facts.metrics:
        value = _value(facts.metrics, name)
        if value is None:
            continue
        row: list[Any] = [WORDS.get(name, name), _shown(name, value), _shown(name, _deviation(facts.metrics, name))]
        if facts.in_use is not None:
            other = _value(facts.in_use_metrics, name)
            row += [_shown(name, other), *_difference(facts, name, value, other)]
        rows.append(row)
    note = (
        "Each version is measured on the test rows of its own training, so small differences mean little; a difference "
        "is called better or worse where it exceeds two standard deviations."
        if facts.in_use is not None
        else "No version was in use when this one was trained, so there is nothing to compare with."
    )
    return tag(
        "section",
        tag("h2", "Figures on the test rows"),
        page.table(heads, rows, "Figures of the evaluation", styles),
        tag("p", note, class_="muted"),
    )


def _difference(facts: TrainingFacts, name: str, value: float, other: float | None) -> list[Any]:
    if other is None:
        return [figures.NONE, ""]
    gap = value - other
    spread = 2 * max(_deviation(facts.metrics, name) or 0.0, _deviation(facts.in_use_metrics, name) or 0.0)
    better = (gap < 0) == (name in LESS_IS_BETTER)
    word = "about the same" if abs(gap) <= spread else "\u25b2 better" if better else "\u25bc worse"
    sign = "+" if gap > 0 else "\u2212" if gap < 0 else "\u00b1"
    shown = f"{abs(gap) * 100:.1f} points" if name in SHARES else figures.number(abs(gap), 3)
    return [f"{sign}{shown}", word]


def _curves(facts: TrainingFacts) -> Html | None:
    first, second = _thinned(roc(facts.predictions)), _thinned(precision_recall(facts.predictions))
    if not first or not second:
        return tag("section", tag("h2", "Curves"), tag("p", "The test rows hold one class only."))
    rate = sum(label for _, label in facts.predictions) / len(facts.predictions)
    auc = figures.number(_value(facts.metrics, "auc"), 3)
    return tag(
        "section",
        tag("h2", "Curves"),
        tag(
            "div",
            tag(
                "figure",
                tag("figcaption", f"ROC curve, area {auc}"),
                charts.curve(
                    [("ideal", [(0, 0), (1, 1)]), ("", first)],
                    "share of negatives called positive",
                    "share of positives found",
                    f"ROC curve with an area of {auc}; the dotted line is guessing.",
                ),
            ),
            tag(
                "figure",
                tag("figcaption", f"Precision and recall; {figures.percent(rate)} are positive"),
                charts.curve(
                    [("ideal", [(0, rate), (1, rate)]), ("", second)],
                    "recall",
                    "precision",
                    f"Precision by recall; the dotted line is guessing, {figures.percent(rate)}.",
                ),
            ),
            class_="figures",
        ),
    )


def _confusion(facts: TrainingFacts) -> Html:
    matrix = facts.metrics["confusion_matrix"]
    rows = []
    for actual, word in (("0", "is negative"), ("1", "is positive")):
        total = sum(matrix[actual].values()) or 1
        cells = [
            f"{figures.count(matrix[actual][said])} ({figures.percent(matrix[actual][said] / total)})"
            for said in ("0", "1")
        ]
        rows.append([word, *cells])
    return tag(
        "section",
        tag("h2", "Confusion matrix"),
        tag("p", "Test rows by what they are and what the model says at a score of 0.5.", class_="muted"),
        page.table(["A row that", "said negative", "said positive"], rows, "Confusion matrix", ["", "n", "n"]),
    )


def _calibration(facts: TrainingFacts) -> Html | None:
    bins = [(item.score, item.positive, item.count) for item in reliability(facts.predictions)]
    if not bins:
        return None
    rows: list[list[Any]] = [
        [figures.percent(mean), figures.percent(share), figures.count(held)] for mean, share, held in bins
    ]
    return tag(
        "section",
        tag("h2", "Calibration"),
        tag("p", "How often a score comes true: on the dotted line scores are probabilities.", class_="muted"),
        tag(
            "div",
            charts.curve(
                [("ideal", [(0, 0), (1, 1)]), ("", [(mean, share) for mean, share, _ in bins])],
                "mean score",
                "share of positives",
                "Calibration curve; the table has its points.",
            ),
            page.table(["Mean score", "Are positive", "Records"], rows, "Calibration", ["", "n", "n"]),
            class_="figures",
        ),
    )


def _errors(facts: TrainingFacts) -> Html | None:
    """Draw predictions beside outcomes of a regression, as deciles of the prediction."""
    ordered = sorted(facts.predictions)
    if not ordered:
        return None
    size = max(1, len(ordered) // BINS)
    rows: list[list[Any]] = []
    for begin in range(0, len(ordered), size):
        part = ordered[begin : begin + size]
        said, was = sum(item[0] for item in part) / len(part), sum(item[1] for item in part) / len(part)
        rows.append(
            [figures.number(said), figures.number(was), figures.number(said - was, 3), figures.count(len(part))]
        )
    return tag(
        "section",
        tag("h2", "Predictions and outcomes"),
        tag("p", "Test rows from the lowest to the highest prediction, in tenths.", class_="muted"),
        page.table(
            ["Mean prediction", "Mean outcome", "Difference", "Records"],
            rows,
            "Predictions and outcomes",
            ["", "n", "n", "n"],
        ),
    )


def _importance(facts: TrainingFacts) -> Html | None:
    if not facts.importance:
        return None
    ordered = sorted(facts.importance.items(), key=lambda item: (-item[1], item[0]))
    top = ordered[0][1] or 1.0
    rows = [
        tag(
            "tr",
            tag("th", named(name, 40), scope="row"),
            tag("td", charts.bar(share / top)),
            tag("td", figures.percent(share), class_="n"),
        )
        for name, share in ordered[:SHOWN_FEATURES]
    ]
    more = len(ordered) - SHOWN_FEATURES
    head = tag("tr", [tag("th", word, scope="col") for word in ("Feature", "Importance", "Share of gain")])
    return tag(
        "section",
        tag("h2", "Feature importance"),
        tag("p", "Each feature's share of what the trees' splits gained in training.", class_="muted"),
        tag("table", tag("thead", head), tag("tbody", rows), class_="bars importance"),
        tag("p", f"and {more:,} more features.", class_="muted") if more > 0 else None,
    )


def _about(facts: TrainingFacts) -> Html:
    version = facts.version
    rows: list[tuple[str, Any]] = [
        ("Model package", version.arn),
        ("Execution", version.execution_arn.rsplit("/", 1)[-1]),
        ("Approve it with", tag("code", f"python -m sagemaker_batch.registry approve {version.arn}")),
    ]
    opened = [
        tag("li", tag("a", words, href=address, class_="up") if address else words) for words, address in facts.links
    ]
    return tag(
        "section",
        tag("h2", "Where it comes from"),
        tag("dl", [[tag("dt", label), tag("dd", value)] for label, value in rows], class_="about"),
        tag("ul", opened, class_="links") if opened else None,
    )


def _value(metrics: dict[str, Any], name: str) -> float | None:
    item = metrics.get(name)
    value = item.get("value") if isinstance(item, dict) else None
    return float(value) if isinstance(value, (int, float)) else None


def _deviation(metrics: dict[str, Any], name: str) -> float | None:
    item = metrics.get(name)
    value = item.get("standard_deviation") if isinstance(item, dict) else None
    return float(value) if isinstance(value, (int, float)) else None


def _shown(name: str, value: float | None) -> str:
    return figures.percent(value) if name in SHARES else figures.number(value, 4)
