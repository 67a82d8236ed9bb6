"""The report of a training: curves as the definitions say, safe with any name, beside the version in use."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sagemaker_batch.calibration import Bin, brier, expected_error, reliability
from sagemaker_batch.registry import ModelVersion
from sagemaker_batch.report import training_report
from sagemaker_batch.report.training_report import TrainingFacts, precision_recall, roc
from sagemaker_batch.report.write_training import write_training_report
from sagemaker_batch.use_case import load_use_case
from tests.unit.plugin.made_days import HOSTILE, PACKAGE
from tests.unit.plugin.test_run_report import Page, put

USE_CASE = Path(__file__).parents[3] / "dags" / "use_cases" / "churn.yaml"
MATRIX = {"0": {"0": 8, "1": 2}, "1": {"0": 1, "1": 9}}


def version(number=3, execution="train3", evaluation=""):
    return ModelVersion(
        arn=PACKAGE[:-1] + str(number),
        group="churn-local",
        version=number,
        status="PendingManualApproval",
        model_name="m",
        statistics_uri="s3://b/s",
        constraints_uri="s3://b/c",
        feature_schema_uri="s3://b/f",
        evaluation_uri=evaluation,
        training_data_uri="",
        execution_arn=f"arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/{execution}",
        created=datetime(2026, 2, number, tzinfo=UTC),
        approved_at=None,
        approved_by="",
    )


def metrics(accuracy, deviation=0.01):
    return {
        "confusion_matrix": MATRIX,
        "accuracy": {"value": accuracy, "standard_deviation": deviation},
        "auc": {"value": 0.9, "standard_deviation": None},
    }


def facts(**changes):
    made = {
        "use_case": "churn",
        "version": version(),
        "dataset": {"total": 100, "train": 70, "validation": 20, "test": 10},
        "metrics": metrics(0.85),
        "predictions": [(0.9, 1), (0.8, 1), (0.7, 0), (0.3, 1), (0.2, 0), (0.1, 0)],
        "importance": {"Day Mins": 0.7, HOSTILE: 0.3},
        "gate": "accuracy",
        "threshold": 0.7,
        "zone": "UTC",
    }
    return TrainingFacts(**{**made, **changes})


def test_the_curves_are_those_of_the_definitions():
    """By hand: six records, three of them positive."""
    points = facts().predictions
    third = pytest.approx(1 / 3)
    assert roc(points) == [(0, 0), (0, third), (0, pytest.approx(2 / 3)), (third, pytest.approx(2 / 3)), (third, 1),
                           (pytest.approx(2 / 3), 1), (1, 1)]  # fmt: skip
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in zip(roc(points), roc(points)[1:], strict=False))
    assert area == pytest.approx(8 / 9)  # the share of pairs that stand in the right order
    assert precision_recall(points)[3] == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert reliability(points)[0] == Bin(1, 0.1, 0, 1)


def test_calibration_is_that_of_the_definitions():
    """By hand: two records at 0.8, of which one is positive, and one at 0.1 that is not."""
    scored = [(0.8, 1.0), (0.8, 0.0), (0.1, 0.0)]
    assert brier(scored) == pytest.approx((0.04 + 0.64 + 0.01) / 3)
    assert expected_error(scored) == pytest.approx((0.3 * 2 + 0.1) / 3)


def test_equal_scores_are_one_step():
    """A model that says the same of everyone is the diagonal, not a staircase."""
    assert roc([(0.5, 1), (0.5, 0), (0.5, 1), (0.5, 0)]) == [(0, 0), (1, 1)]


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_one_class_has_no_curve(labels):
    """And the report says so."""
    page = Page(training_report.render(facts(predictions=[(0.5, label) for label in labels])))
    assert "one class only" in page.text


def test_the_report_says_what_a_reviewer_asks():
    """Figures, threshold, confusion, importance, how to approve; names that mean harm stay text."""
    page = Page(training_report.render(facts()))
    for said in (
        "Accuracy 85.0 % reaches the threshold of 70.0 %",
        "9 (90.0 %)",
        HOSTILE,
        "registry approve",
        "70.0 %",
    ):
        assert said in page.text
    assert "script" not in page.tags
    assert "misses the threshold" in Page(training_report.render(facts(threshold=0.9))).text


@pytest.mark.parametrize(("other", "word"), [(0.70, "better"), (0.95, "worse"), (0.86, "about the same")])
def test_a_difference_counts_only_beyond_its_spread(other, word):
    """Two standard deviations, of whichever version has the larger."""
    page = Page(training_report.render(facts(in_use=version(2), in_use_metrics=metrics(other))))
    assert "In use: version 2" in page.text
    assert word in page.text


def test_of_an_error_less_is_better():
    """A regression has no curves, and its error has fallen."""
    section = {"rmse": {"value": 1.0, "standard_deviation": 0.01}, "r2": {"value": 0.9, "standard_deviation": 0.01}}
    before = {"rmse": {"value": 2.0, "standard_deviation": 0.01}}
    points = [(float(value), value + 0.5) for value in range(40)]
    given = facts(metrics=section, predictions=points, gate="r2", in_use=version(2), in_use_metrics=before)
    page = Page(training_report.render(given))
    assert "better" in page.text
    assert "Predictions and outcomes" in page.text
    assert "Curves" not in page.text


class Registry:
    """A group of two versions, the older one approved."""

    class exceptions:  # noqa: N801 - botocore's name
        ClientError = ValueError

    def describe_model_package(self, ModelPackageName):  # noqa: N803 - boto3 names it so
        number = int(ModelPackageName[-1])
        source = {"S3Uri": "s3://unit-bucket/s.json"}
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageGroupName": "churn-local",
            "ModelPackageVersion": number,
            "ModelApprovalStatus": "Approved" if number == 2 else "PendingManualApproval",
            "CreationTime": datetime(2026, 2, number, tzinfo=UTC),
            "DriftCheckBaselines": {"ModelDataQuality": {"Statistics": source, "Constraints": source}},
            "CustomerMetadataProperties": {
                "ModelName": "m",
                "FeatureSchemaUri": "s3://unit-bucket/f.json",
                "EvaluationUri": f"s3://unit-bucket/t{number}/evaluation.json",
                "PipelineExecutionArn": f"arn:aws:sagemaker:us-east-1:0:pipeline/p/execution/train{number}",
            },
        }

    def get_paginator(self, _name):
        return self

    def paginate(self, **_request):
        return [{"ModelPackageSummaryList": [{"ModelPackageArn": PACKAGE[:-1] + "2"}]}]


def test_a_training_is_drawn_from_what_it_left(s3, bucket):
    """Beside the version that was in use; also where an older training left no importance."""
    for number, accuracy in ((2, 0.7), (3, 0.9)):
        content = {"dataset": {"test": 2}, "binary_classification_metrics": metrics(accuracy)}
        put(s3, bucket, f"t{number}/evaluation.json", content)
    put(s3, bucket, "t3/predictions.csv", b"prediction,probability,label\n1,0.9,1\n0,0.1,0\n")
    put(s3, bucket, "t3/feature_importance.json", {"features": {"Day Mins": 1.0}})
    uri = write_training_report(s3, Registry(), bucket, load_use_case(USE_CASE), PACKAGE, 0.7, [("Run", "")])
    assert uri == f"s3://{bucket}/churn/reports/training/train3.html"
    text = s3.get_object(Bucket=bucket, Key="churn/reports/training/train3.html")["Body"].read().decode()
    page = Page(text)
    for said in ("Version 3", "In use: version 2", "+20.0 points", "better", "Day Mins", "ROC curve, area 0.9"):
        assert said in page.text
    s3.delete_object(Bucket=bucket, Key="t3/feature_importance.json")
    write_training_report(s3, Registry(), bucket, load_use_case(USE_CASE), PACKAGE, 0.7, [])
    text = s3.get_object(Bucket=bucket, Key="churn/reports/training/train3.html")["Body"].read().decode()
    assert "Feature importance" not in Page(text).text
