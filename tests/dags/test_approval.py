"""Deciding on a version: what a reviewer sees, what an answer leaves in the registry, and the rule."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sagemaker_batch import reviewer
from tests.dags.test_runs import ARN, House, PlayedSageMaker

pytestmark = pytest.mark.usefixtures("database")
CHURN = Path(__file__).parents[2] / "dags" / "use_cases" / "churn.yaml"
OLD, NEW = (f"{ARN}:model-package/churn-local/{number}" for number in (1, 2))


class Registry(PlayedSageMaker):
    """Version 1 is in use, version 2 comes of this run; both have an evaluation and statistics of their own."""

    def __init__(self, s3, bucket, accuracy=(0.8, 0.9), *, in_use=True):
        super().__init__(s3, bucket)
        created = {OLD: datetime(2026, 2, 1, tzinfo=UTC), NEW: datetime(2026, 3, 1, tzinfo=UTC)}
        self.packages = {}
        for number, arn in enumerate((OLD, NEW)):
            self.packages[arn] = {
                "ModelPackageArn": arn,
                "ModelPackageGroupName": "churn-local",
                "ModelPackageVersion": number + 1,
                "ModelApprovalStatus": "PendingManualApproval",
                "CreationTime": created[arn],
                "DriftCheckBaselines": {
                    "ModelDataQuality": {
                        name: {"S3Uri": f"s3://{bucket}/{number}/statistics.json"}
                        for name in ("Statistics", "Constraints")
                    }
                },
                "CustomerMetadataProperties": {
                    "ModelName": "m",
                    "FeatureSchemaUri": f"s3://{bucket}/schema.json",
                    "EvaluationUri": f"s3://{bucket}/{number}/evaluation.json",
                    "TrainingDataUri": f"s3://{bucket}/training/",
                },
            }
            metrics = {
                "accuracy": {"value": accuracy[number]},
                "confusion_matrix": {"0": {"0": 8, "1": 1}, "1": {"0": 2, "1": 4}},
            }
            self.put(f"{number}/evaluation.json", {"dataset": {"total": 100}, "binary_classification_metrics": metrics})
            rows = f"prediction,probability,label\n0,0.2,0\n1,0.8,{number}\n"
            s3.put_object(Bucket=bucket, Key=f"{number}/predictions.csv", Body=rows.encode())
            feature = {"name": "Day Mins", "inferred_type": "Fractional"}
            feature["numerical_statistics"] = {"mean": 100.0 + 30 * number, "std_dev": 10.0}
            self.put(f"{number}/statistics.json", {"features": [feature]})
        if in_use:
            self.packages[OLD]["ModelApprovalStatus"] = "Approved"

    def _write(self):
        """Training writes nothing that the tasks read but the evaluation."""

    def describe_model_package(self, ModelPackageName):  # noqa: N803 - boto3 names it so
        return self.packages[ModelPackageName]

    def update_model_package(self, ModelPackageArn, **changes):  # noqa: N803 - boto3 names it so
        self.packages[ModelPackageArn].update(changes)

    def paginate(self, **request):
        if self.listing != "list_model_packages":
            step = {"StepName": "RegisterModel", "StepStatus": "Succeeded", "Metadata": {"RegisterModel": {"Arn": NEW}}}
            return [{"PipelineExecutionSteps": [step]}]
        found = [
            item
            for item in sorted(self.packages.values(), key=lambda item: item["CreationTime"], reverse=True)
            if item["ModelApprovalStatus"] == request["ModelApprovalStatus"]
        ]
        return [{"ModelPackageSummaryList": found}]


@pytest.fixture
def monthly(dags, s3, bucket, monkeypatch, tmp_path):
    """Run the monthly DAG with an approval and, where it asks, an answer."""

    def run(approval, sagemaker, option="Approve", comment="looks right"):
        (tmp_path / "churn.yaml").write_text(CHURN.read_text().replace("approval: manual", f"approval: {approval}"))
        house = House(lambda file: dags(file, tmp_path), s3, bucket, monkeypatch)

        def answered(self, context):
            house.asked = (self.subject, self.body)
            event = {
                "chosen_options": [option],
                "params_input": {"comment": comment},
                "responded_at": datetime(2026, 3, 2, 9, tzinfo=UTC),
                "responded_by_user": {"id": "1", "name": "dana"},
            }
            return self.execute_complete(context, event)

        # dag.test waits for a real answer for ever; here the answer is there at once.
        monkeypatch.setattr(reviewer.AskReviewer, "execute", answered)
        house.asked = None
        state, tasks = house.run(sagemaker, "train_baseline", conf={})
        return house, state, tasks

    return run


def test_an_approval_is_recorded_with_who_when_and_why(monthly, s3, bucket):
    """In the registry's own fields, on one line."""
    sagemaker = Registry(s3, bucket)
    house, state, tasks = monthly("airflow", sagemaker, comment="fine\non   all segments")
    assert state == "success"
    assert (tasks["approve_model"], tasks["reject_model"]) == ("success", "skipped")
    package = sagemaker.packages[NEW]
    assert package["ModelApprovalStatus"] == "Approved"
    said = package["ApprovalDescription"]
    assert said.startswith("Approved by airflow/dana at 2026-03-02T09:00:00+00:00 (run ")
    assert said.endswith(": fine on all segments")
    assert "\n" not in said
    assert package["CustomerMetadataProperties"]["ApprovedBy"] == "airflow/dana"
    ((subject, text),) = house.inbox()
    assert subject == "[warning] churn: version 2 waits for approval"
    assert "docs/runbook.md#approval_waiting" in text


def test_the_page_lays_both_versions_side_by_side(monthly, s3, bucket):
    """Figures, confusion matrix, sizes, and how far the baselines are apart."""
    house, _, _ = monthly("airflow", Registry(s3, bucket))
    subject, body = house.asked
    assert subject == "Approve version 2 of churn?"
    for part in (
        "| accuracy | 0.9000 | 0.8000 | +0.1000 (better) |",
        "| rows of data | 100 | 100 | |",
        # Version 1 has two rows of no, at 0.2 and 0.8; of version 2 the latter is a yes.
        "| brier | 0.0400 | 0.3400 | -0.3000 (better) |",
        "| calibration error | 0.2000 | 0.5000 | -0.3000 (better) |",
        "| 0.8-0.9 | 0.800 | 1.000 | 1 | 0.800 | 0.000 | 1 |",
        "| actual yes | 2 | 4 |",
        "| Day Mins | mean 100 | mean 130 | 3.000 |",
        f"registry approve {NEW}",
    ):
        assert part in body


def test_a_rejection_leaves_the_version_in_use_alone(monthly, s3, bucket):
    """The version is rejected with the reason, and nothing is emitted."""
    sagemaker = Registry(s3, bucket)
    _, state, tasks = monthly("airflow", sagemaker, option="Reject", comment="too few rows")
    assert (state, tasks["approve_model"], tasks["reject_model"]) == ("success", "skipped", "success")
    assert sagemaker.packages[NEW]["ModelApprovalStatus"] == "Rejected"
    assert sagemaker.packages[OLD]["ModelApprovalStatus"] == "Approved"


def test_a_version_is_decided_once(monthly, s3, bucket):
    """Somebody rejected it in SageMaker while the question stood: the late answer is refused, and says by whom."""
    sagemaker = Registry(s3, bucket)
    sagemaker.packages[NEW]["ModelApprovalStatus"] = "Rejected"
    house, state, tasks = monthly("airflow", sagemaker)
    assert (state, tasks["approve_model"]) == ("failed", "failed")
    assert sagemaker.packages[NEW]["ModelApprovalStatus"] == "Rejected"
    assert any("is Rejected already, by somebody outside Airflow" in text for _, text in house.inbox())


@pytest.mark.parametrize(
    ("accuracy", "in_use", "asked"),
    [((0.8, 0.81), True, False), ((0.8, 0.809), True, True), ((0.8, 0.9), False, True)],
)
def test_the_rule_approves_only_what_is_better_by_the_margin(monthly, s3, bucket, accuracy, in_use, asked):  # noqa: PLR0917 - fixtures
    """At the margin of 0.01 it does, below it, or with nothing to compare with, a person is asked."""
    sagemaker = Registry(s3, bucket, accuracy, in_use=in_use)
    house, state, tasks = monthly("auto", sagemaker)
    assert state == "success"
    assert (house.asked is not None, tasks["ask_reviewer"] == "success") == (asked, asked)
    assert tasks["approve_model"] == "success"
    by = sagemaker.packages[NEW]["CustomerMetadataProperties"]["ApprovedBy"]
    assert by == ("airflow/dana" if asked else "rule")


def test_silence_fails_the_question_for_good_and_alerts(monthly, s3, bucket, monkeypatch):
    """Nobody is asked again by a retry; the version stays pending."""
    sagemaker = Registry(s3, bucket)

    def silent(self, _context):
        self.process_trigger_event_error({"error_type": "timeout", "error": "late"})

    monkeypatch.setattr(reviewer.AskReviewer, "execute_complete", lambda self, context, _event: silent(self, context))
    house, state, tasks = monthly("airflow", sagemaker)
    assert (state, tasks["ask_reviewer"], tasks["approve_model"]) == ("failed", "failed", "upstream_failed")
    assert sagemaker.packages[NEW]["ModelApprovalStatus"] == "PendingManualApproval"
    assert any("Nobody answered" in text and "#approval_waiting" in text for _, text in house.inbox())
