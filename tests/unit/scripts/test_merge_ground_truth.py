"""Labels joined to predictions: the figures against scikit-learn's, what is counted, and when a drop is one."""

import csv
import json
import random
import sys

import pytest

from sagemaker_batch import rolling
from tests.unit.scripts.made import CONTRACTS, SCRIPTS

np = pytest.importorskip("numpy")
sklearn_metrics = pytest.importorskip("sklearn.metrics")
BINARY = ("recall", "precision", "accuracy", "true_positive_rate", "true_negative_rate", "auc", "f0_5", "f1", "f2")
WORSE_ABOVE = ("false_positive_rate", "false_negative_rate")
TEXTS = {0: "no", 1: "yes"}


def schema(problem="binary_classification", **changes):
    return {
        "version": 1,
        "use_case": "churn",
        "record_id": "Id",
        "label": {"name": "Churn", "positive": "yes" if problem.startswith("binary") else None},
        "delimiter": ",",
        "features": [{"name": "Mins", "kind": "numeric", "dtype": "float", "categories": []}],
        "encoded": ["Mins"],
        "ignored": [],
        "sensitive": [],
        "rows": {"total": 10},
        "problem": problem,
        **changes,
    }


def baseline(values, problem="binary_classification"):
    greater = (*WORSE_ABOVE, "mae", "mse", "rmse")
    limits = {
        name: {
            "threshold": value,
            "comparison_operator": "GreaterThanThreshold" if name in greater else "LessThanThreshold",
        }
        for name, value in values.items()
    }
    prefix = problem.split("_classification")[0] if problem == "regression" else problem
    return {"version": 0.0, f"{prefix}_constraints": limits}


class Day:
    """The folders that the job gets."""

    def __init__(self, folder):
        self.folder = folder
        self.put("schema/feature_schema.json", json.dumps(schema()))
        self.put("statistics/statistics.json", json.dumps({"version": 0.0, "dataset": {"item_count": 500}}))
        limits = {**dict.fromkeys(BINARY, 0.8), **dict.fromkeys(WORSE_ABOVE, 0.2)}
        self.put("constraints/constraints.json", json.dumps(baseline(limits)))

    def put(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def predictions(self, scores):
        self.put("predictions/features.csv.out", "".join(f"{name},{score!r}\n" for name, score in scores.items()))

    def labels(self, rows, name="labels.csv", header="Id,Churn"):
        self.put(f"labels/{name}", "\n".join([header, *(",".join(row) for row in rows), ""]))

    def arguments(self):
        return [
            argument
            for name in ("predictions", "labels", "schema", "statistics", "constraints")
            for argument in (f"--{name}", self.folder / name)
        ]


@pytest.fixture
def day(tmp_path):
    return Day(tmp_path / "day")


def made(count, seed, noise=1.0):
    """Scores of records and what became of them: the higher the score, the likelier a yes."""
    generator = random.Random(seed)  # noqa: S311 - made-up records
    scores = {f"r{number}": round(generator.random(), 6) for number in range(count)}
    truth = {name: int(generator.random() < 0.5 + noise * (score - 0.5)) for name, score in scores.items()}
    return scores, truth


def merged(script, day, *arguments):
    job = script("merge_ground_truth.py", *day.arguments(), *arguments)
    assert job.code == 0, job.message
    report = job.json("report/ground_truth.json")
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(report, json.loads((CONTRACTS / "ground_truth.schema.json").read_text()))
    return job, report


def test_every_figure_is_scikit_learns(script, day):
    """To the last digits, for all metrics that a day is judged by or shown with."""
    scores, truth = made(700, 3)
    day.predictions(scores)
    day.labels([(name, TEXTS[value]) for name, value in truth.items()])
    job, report = merged(script, day)
    actual = np.array([truth[name] for name in scores])
    predicted = np.array(list(scores.values()))
    said = (predicted >= 0.5).astype(int)
    specificity = sklearn_metrics.recall_score(actual, said, pos_label=0)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(actual, said),
        "precision": sklearn_metrics.precision_score(actual, said),
        "recall": sklearn_metrics.recall_score(actual, said),
        "f1": sklearn_metrics.f1_score(actual, said),
        "f0_5": sklearn_metrics.fbeta_score(actual, said, beta=0.5),
        "f2": sklearn_metrics.fbeta_score(actual, said, beta=2),
        "auc": sklearn_metrics.roc_auc_score(actual, predicted),
        "brier": sklearn_metrics.brier_score_loss(actual, predicted),
        "true_negative_rate": specificity,
        "false_positive_rate": 1 - specificity,
    }
    found = {name: report["metrics"][name]["value"] for name in expected}
    assert found == pytest.approx(expected, abs=1e-12)
    assert report["matched"] == report["predictions"] == 700
    assert report["checkable"] == 1
    rows = job.rows("merged/merged.csv")
    assert rows[0] == ["prediction", "probability", "label"]
    assert [(int(row[0]), float(row[1]), int(row[2])) for row in rows[1:]] == list(
        zip(said.tolist(), predicted.tolist(), actual.tolist(), strict=True)
    )
    # The standard error of a share is known: the bootstrap must be near it.
    accuracy = report["metrics"]["accuracy"]
    known = (accuracy["value"] * (1 - accuracy["value"]) / 700) ** 0.5
    assert accuracy["standard_error"] == pytest.approx(known, rel=0.25)


def test_a_calibrated_day_has_a_small_calibration_error_and_a_shifted_one_a_large(script, day):
    """Ten bins; the error is the mean distance of what was said and what came true, weighted by rows."""
    errors = {}
    for noise in (1.0, 0.0):
        scores, truth = made(5000, 5, noise)
        day.predictions(scores)
        day.labels([(name, TEXTS[value]) for name, value in truth.items()])
        _, report = merged(script, day)
        bins = {}
        for name, score in scores.items():
            bins.setdefault(min(int(score * 10), 9), []).append((score, truth[name]))
        expected = sum(abs(sum(s for s, _ in rows) - sum(t for _, t in rows)) for rows in bins.values()) / 5000
        errors[noise] = report["metrics"]["calibration_error"]["value"]
        assert errors[noise] == pytest.approx(expected, abs=1e-9)
    assert errors[1.0] < 0.03
    assert errors[0.0] > 0.2


def test_what_cannot_be_used_is_counted_and_never_guessed(script, day):
    """Only one readable label of a scored record counts; each other row is in exactly one count."""
    scores, truth = made(200, 7)
    day.predictions(scores)
    names = list(scores)
    rows = [(name, TEXTS[truth[name]]) for name in names[:150]]
    rows += [(name, TEXTS[truth[name]]) for name in names[:5]]  # doubled
    rows += [(name, TEXTS[1 - truth[name]]) for name in names[5:8]]  # contradictory
    rows += [("stranger1", "yes"), ("stranger2", "no"), (names[160], ""), ("", "yes"), (names[9], "Yes")]
    day.labels(rows[:100])
    day.labels([(b, "x", a) for a, b in rows[100:]], "second.csv", "Churn,Other,Id")
    day.put("labels/_SUCCESS", "")
    job, report = merged(script, day)
    # "Yes" is not the text that means yes: it contradicts where the record's other label is one.
    contradictory = 3 + truth[names[9]]
    assert report["label_rows"] == len(rows)
    assert report["contradictory"] == contradictory
    assert report["duplicates"] == 5 + (1 - truth[names[9]])
    assert (report["unknown_ids"], report["empty"], report["without_id"]) == (2, 1, 1)
    assert report["matched"] == 150 - contradictory
    assert report["missing"] == 200 - report["matched"]
    assert report["read_as_no"]["Yes"] == 1
    assert len(job.rows("merged/merged.csv")) == 1 + report["matched"]


def test_too_few_labels_are_not_judged_by(script, day):
    """Each reason is said, with what there is and what is needed; the job succeeds."""
    scores, truth = made(200, 7)
    day.predictions(scores)
    positives = [name for name in scores if truth[name]][:2]
    negatives = [name for name in scores if not truth[name]][:20]
    day.labels([(name, TEXTS[truth[name]]) for name in (*positives, *negatives)])
    _, report = merged(script, day)
    assert report["checkable"] == 0
    assert [reason.split(";")[0] for reason in report["reasons"]] == [
        "22 predictions have a usable label",
        "11.0% of the predictions have a usable label",
        "2 usable labels say yes",
    ]


def test_labels_of_strangers_only_leave_an_empty_day(script, day):
    """Nothing matches, nothing is computed, and nothing breaks."""
    day.predictions({"r1": 0.2, "r2": 0.9})
    day.labels([("x", "yes")])
    job, report = merged(script, day)
    assert (report["matched"], report["checkable"], report["metrics"]) == (0, 0, {})
    assert job.json("report/sums.json")["rows"] == 0


def bounds_of(job):
    (limits,) = [value for key, value in job.json("constraints/constraints.json").items() if "constraints" in key]
    return {name: limit["threshold"] for name, limit in limits.items()}


def test_a_bound_leaves_room_for_tolerance_and_chance(script, day):
    """Threshold - tolerance * threshold - sigmas * error * sqrt(1 + n/m), mirrored where more is worse."""
    scores, truth = made(400, 3)
    day.predictions(scores)
    day.labels([(name, TEXTS[value]) for name, value in truth.items()])
    job, report = merged(script, day, "--tolerance=0.1", "--sigmas=2")
    found = bounds_of(job)
    assert set(found) == {*BINARY, *WORSE_ABOVE}
    chance = 2 * (1 + 400 / 500) ** 0.5
    errors = {name: item["standard_error"] for name, item in report["metrics"].items()}
    assert found["auc"] == pytest.approx(0.8 - 0.08 - chance * errors["auc"])
    assert found["false_positive_rate"] == pytest.approx(0.2 + 0.02 + chance * errors["false_positive_rate"])
    job, _ = merged(script, day, "--tolerance=0", "--sigmas=0")
    assert bounds_of(job) == {**dict.fromkeys(BINARY, 0.8), **dict.fromkeys(WORSE_ABOVE, 0.2)}


def test_a_figure_over_nothing_cannot_be_violated(script, day):
    """A day on which nobody is predicted to leave has no precision, and AWS's analyzer calls that 0."""
    scores, truth = made(100, 3)
    day.predictions(dict.fromkeys(scores, 0.3))
    day.labels([(name, TEXTS[value]) for name, value in truth.items()])
    job, report = merged(script, day)
    assert report["metrics"]["precision"] == {"value": None, "standard_error": None}
    assert bounds_of(job)["precision"] == 0.0
    assert bounds_of(job)["recall"] > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda day: day.labels([("r1", "yes")], header="Id,Left"), "labels.csv has no column 'Churn'"),
        (lambda day: day.put("labels/labels.csv", "Id,Churn\nr1,yes\nr2,n"), "labels.csv is truncated"),
        (lambda day: day.put("predictions/features.csv.out", "r1,0.2\nr1,0.3\n"), "stood on an earlier line"),
        (lambda day: day.put("predictions/features.csv.out", "r1\n"), "line 1: expected a record id and a score"),
        (lambda day: day.put("predictions/features.csv.out", ""), "predictions are empty or gone"),
        (lambda day: day.put("constraints/constraints.json", "{}"), "baseline cannot be read"),
        (lambda day: day.put("constraints/other.json", "{}"), "found 2"),
    ],
)
def test_damage_ends_the_job_with_its_reason(script, day, change, said):
    """And no record's id is in the message."""
    day.predictions({"r1": 0.2, "r2": 0.9})
    day.labels([("r1", "yes")])
    change(day)
    job = script("merge_ground_truth.py", *day.arguments())
    assert job.code == 1
    assert said in job.message
    assert "r1" not in job.message


def test_a_regression_has_its_own_figures(script, day):
    """mae, mse, rmse and r2 are scikit-learn's; a label that is no number is unreadable, not 0."""
    generator = random.Random(3)  # noqa: S311 - made-up numbers
    predictions = {f"b{number}": generator.gauss(100, 30) for number in range(300)}
    truth = {name: value + generator.gauss(2, 8) for name, value in predictions.items()}
    day.put("schema/feature_schema.json", json.dumps(schema("regression")))
    limits = baseline({"mae": 8.0, "mse": 100.0, "rmse": 10.0, "r2": 0.9}, "regression")
    day.put("constraints/constraints.json", json.dumps(limits))
    day.predictions(predictions)
    day.labels([*((name, repr(value)) for name, value in truth.items()), ("b1", "much"), ("b2", "nan")])
    job, report = merged(script, day)
    actual, said = np.array(list(truth.values())), np.array(list(predictions.values()))
    mse = sklearn_metrics.mean_squared_error(actual, said)
    expected = {
        "mae": sklearn_metrics.mean_absolute_error(actual, said),
        "mse": mse,
        "rmse": mse**0.5,
        "r2": sklearn_metrics.r2_score(actual, said),
    }
    assert {name: item["value"] for name, item in report["metrics"].items()} == pytest.approx(expected)
    assert (report["unreadable"], report["matched"], report["positives"]) == (2, 300, None)
    assert job.rows("merged/merged.csv")[0] == ["prediction", "label"]
    assert bounds_of(job)["rmse"] > 10.5
    assert bounds_of(job)["r2"] < 0.855


@pytest.fixture
def quality(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from tabular import quality as module

    yield module
    for name in [name for name in sys.modules if name.split(".")[0] == "tabular"]:
        del sys.modules[name]


def test_days_add_up_to_the_figures_of_all_rows_together(quality):
    """As if the days were one; only the AUC is off, by no more than it says."""
    days, every, truths = [], [], []
    for seed in range(5):
        scores, truth = made(300 + 50 * seed, seed)
        scores = np.array(list(scores.values()))
        labels = np.array(list(truth.values()), dtype=float)
        days.append({"problem": "binary_classification", **quality.binary_sums(labels, scores)})
        every.append(scores)
        truths.append(labels)
    scores, labels = np.concatenate(every), np.concatenate(truths)
    rows, found, error = rolling.figures(days)
    expected = quality.binary_figures(labels, scores)
    assert rows == len(labels)
    assert abs(found.pop("auc") - sklearn_metrics.roc_auc_score(labels, scores)) <= error < 0.001
    assert found == pytest.approx({name: expected[name] for name in found}, abs=1e-12)


def test_days_of_a_regression_add_up_too(quality):
    """r2 about the common mean, not about each day's own."""
    generator = np.random.default_rng(3)
    days, actual, said = [], [], []
    for number in range(3):
        labels = generator.normal(100 + 50 * number, 10, 100)
        predictions = labels + generator.normal(0, 5, 100)
        days.append({"problem": "regression", **quality.regression_sums(labels, predictions)})
        actual.append(labels)
        said.append(predictions)
    actual, said = np.concatenate(actual), np.concatenate(said)
    rows, found, error = rolling.figures(days)
    assert (rows, error) == (300, None)
    assert found == pytest.approx(
        {
            "mae": sklearn_metrics.mean_absolute_error(actual, said),
            "rmse": sklearn_metrics.root_mean_squared_error(actual, said),
            "r2": sklearn_metrics.r2_score(actual, said),
        }
    )


def test_a_label_files_texts_stay_secret_where_the_column_is_sensitive(script, day):
    """The report is read by people."""
    scores, truth = made(100, 3)
    day.predictions(scores)
    day.put("schema/feature_schema.json", json.dumps(schema(sensitive=["Churn"])))
    day.labels([(name, "yes" if value else "CANARY") for name, value in truth.items()])
    job, report = merged(script, day)
    assert report["read_as_no"] == {}
    assert "CANARY" not in job.text("report/ground_truth.json")


def test_the_texts_of_a_column_that_is_no_label_are_not_shown(script, day):
    """The wrong one was named, and it holds names: the report counts, and repeats none of them."""
    scores, truth = made(100, 3)
    day.predictions(scores)
    day.labels([(name, f"Jane {number} Doe") for number, name in enumerate(truth)])
    job, report = merged(script, day)
    assert (report["read_as_no"], report["positives"], report["checkable"]) == ({}, 0, 0)
    assert "Doe" not in job.text("report/ground_truth.json")


def test_ids_are_joined_as_the_transform_wrote_them(script, day):
    """An id may look like a number: 007 is not 7."""
    day.predictions({"007": 0.9, "7": 0.1})
    day.labels([("007", "yes"), ("7.0", "no")])
    job, report = merged(script, day)
    assert (report["matched"], report["unknown_ids"]) == (1, 1)
    assert list(csv.reader(job.text("merged/merged.csv").splitlines()))[1] == ["1", "0.9", "1"]
