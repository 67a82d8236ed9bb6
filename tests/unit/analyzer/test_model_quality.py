# ruff: noqa: S311 - seeded data, nothing secret
"""Model quality of a binary classifier: AWS's documented example, scikit-learn's figures, checks."""

import random

import pytest
from monitor_analyzer import model_quality

ENVIRONMENT = {
    "analysis_type": "MODEL_QUALITY",
    "problem_type": "BinaryClassification",
    "inference_attribute": "prediction",
    "probability_attribute": "probability",
    "ground_truth_attribute": "label",
}


def rows(count, seed=1, noise=0.0):
    generator = random.Random(seed)
    result = [["prediction", "probability", "label"]]
    for _ in range(count):
        probability = round(generator.random(), 3)
        truth = int(generator.random() < (0.5 if generator.random() < noise else probability))
        result.append([int(probability >= 0.5), probability, truth])
    return result


def test_the_documented_example_gives_the_documented_figures(opt_ml, write_csv):
    """Four rows of AWS's documentation: confusion matrix, rates and the constant classifier."""
    data = [["prediction", "label"], [0, 0], [1, 0], [1, 0], [1, 1]]
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "probability_attribute"}
    code, _, results = opt_ml[1](dataset_source=write_csv(data), **environment)
    metrics = results["statistics.json"]["binary_classification_metrics"]
    assert code == 0
    assert metrics["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}
    expected = {
        "recall": 1.0,
        "precision": 1 / 3,
        "accuracy": 0.5,
        "recall_best_constant_classifier": 1.0,
        "precision_best_constant_classifier": 0.25,
        "accuracy_best_constant_classifier": 0.25,
        "true_positive_rate": 1.0,
        "true_negative_rate": 1 / 3,
        "false_positive_rate": 2 / 3,
        "false_negative_rate": 0.0,
    }
    for name, value in expected.items():
        assert metrics[name] == {"value": pytest.approx(value), "standard_deviation": "NaN"}, name


def test_figures_agree_with_scikit_learn(opt_ml, write_csv):
    """AUC, F scores, precision, recall and accuracy equal scikit-learn's; 500 rows carry deviations."""
    sklearn = pytest.importorskip("sklearn.metrics")
    data = rows(500)
    _, _, results = opt_ml[1](dataset_source=write_csv(data), **ENVIRONMENT)
    metrics = results["statistics.json"]["binary_classification_metrics"]
    predicted, scores, truth = zip(*data[1:], strict=True)
    expected = {
        "auc": sklearn.roc_auc_score(truth, scores),
        "precision": sklearn.precision_score(truth, predicted),
        "recall": sklearn.recall_score(truth, predicted),
        "accuracy": sklearn.accuracy_score(truth, predicted),
        "f0_5": sklearn.fbeta_score(truth, predicted, beta=0.5),
        "f1": sklearn.f1_score(truth, predicted),
        "f2": sklearn.fbeta_score(truth, predicted, beta=2),
    }
    for name, value in expected.items():
        assert metrics[name]["value"] == pytest.approx(value, rel=1e-12), name
        assert 0 < metrics[name]["standard_deviation"] < 0.1


def test_a_worse_model_violates_its_baseline_and_an_equal_one_does_not(opt_ml, write_csv):
    """Constraints of the baseline hold for the same data and not for noisier predictions."""
    root, run = opt_ml
    run(dataset_source=write_csv(rows(500)), output_path=root / "baseline", **ENVIRONMENT)
    baseline = {
        "baseline_constraints": root / "baseline" / "constraints.json",
        "baseline_statistics": root / "baseline" / "statistics.json",
    }
    _, message, results = run(dataset_source=write_csv(rows(500)), **baseline, **ENVIRONMENT)
    assert results["constraint_violations.json"] == {"violations": []}
    _, message, results = run(dataset_source=write_csv(rows(500, 2, noise=0.9)), **baseline, **ENVIRONMENT)
    found = {item["metric_name"]: item for item in results["constraint_violations.json"]["violations"]}
    assert message == f"CompletedWithViolations: Job completed successfully with {len(found)} violations."
    assert found["auc"]["constraint_check_type"] == "LessThanThreshold"
    assert found["auc"]["description"].startswith("Metric auc with 0.")
    assert found["false_positive_rate"]["constraint_check_type"] == "GreaterThanThreshold"


def test_the_threshold_makes_labels_of_probabilities(opt_ml, write_csv):
    """Without an inference column, probabilities at or above the threshold are a 1."""
    data = [["probability", "label"], [0.6, 1], [0.7, 1], [0.8, 0]]
    environment = {**ENVIRONMENT, "inference_attribute": "", "probability_threshold_attribute": "0.7"}
    _, _, results = opt_ml[1](dataset_source=write_csv(data), **environment)
    matrix = results["statistics.json"]["binary_classification_metrics"]["confusion_matrix"]
    assert matrix == {"0": {"0": 0, "1": 1}, "1": {"0": 1, "1": 1}}


def test_columns_of_headerless_data_are_named_by_position(opt_ml, write_csv):
    """`0` means the first column, as in AWS's examples."""
    _, message, results = opt_ml[1](
        dataset_source=write_csv([[1, 1], [0, 0]]),
        dataset_format='{"csv": {"header": false}}',
        analysis_type="MODEL_QUALITY",
        problem_type="BinaryClassification",
        inference_attribute="0",
        ground_truth_attribute="_c1",
    )
    assert results["statistics.json"]["binary_classification_metrics"]["accuracy"]["value"] == 1.0, message


def test_regression_has_its_own_figures(opt_ml, write_csv):
    """mae, mse, rmse and r2 of a regression."""
    _, _, results = opt_ml[1](
        dataset_source=write_csv([["p", "y"], [1, 1], [2, 4], [6, 4]]),
        analysis_type="MODEL_QUALITY",
        problem_type="Regression",
        inference_attribute="p",
        ground_truth_attribute="y",
    )
    values = {key: item["value"] for key, item in results["statistics.json"]["regression_metrics"].items()}
    assert values == pytest.approx({"mae": 4 / 3, "mse": 8 / 3, "rmse": (8 / 3) ** 0.5, "r2": 1 - 8 / 6})


@pytest.mark.parametrize(
    ("data", "change", "what"),
    [
        ([["prediction", "probability", "label"], [1, 0.9, ""]], {}, "'label' in data row 1 is missing"),
        ([["prediction", "probability", "label"], [1, 0.9, 2]], {}, "neither 0 nor 1"),
        ([["prediction", "probability", "label"], [1, 1.9, 1]], {}, "is no probability"),
        ([["prediction", "score", "label"], [1, 0.9, 1]], {}, "no column 'probability'"),
        ([["prediction", "probability", "label"]], {}, "no rows"),
        ([["prediction", "probability", "label"], [1, 0.9, 1]], {"problem_type": "Ranking"}, "'Ranking' is not one of"),
    ],
)
def test_predictions_that_cannot_be_judged_are_refused(opt_ml, write_csv, data, change, what):
    """A missing label, a wrong column or an unknown problem type is one error with column and row."""
    code, message, results = opt_ml[1](dataset_source=write_csv(data), **{**ENVIRONMENT, **change})
    assert (code, results) == (255, {})
    assert what in message


def test_a_curve_has_its_ends_and_bounded_length():
    """ROC runs from (0, 0) to (1, 1); long curves are thinned to a thousand points."""
    generator = random.Random(1)
    records = [(generator.randrange(2), 0, generator.random()) for _ in range(5000)]
    roc, _ = model_quality.curves(records)
    assert (roc[0], roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
    thinned = model_quality._thinned(roc)
    assert len(thinned) == 1000
    assert (thinned[0], thinned[-1]) == (roc[0], roc[-1])
