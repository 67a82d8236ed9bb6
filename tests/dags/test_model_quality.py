"""The model-quality DAG, run whole in one process: labels arrive, the pipeline is played, a record is left."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from sagemaker_batch import ground_truth, quality_index, records
from sagemaker_batch.model_quality import day_entry
from tests.dags.test_runs import ARN, CREATED, PACKAGE, House, PlayedSageMaker, contract
from tests.unit.plugin.made_quality import report, sums

pytestmark = pytest.mark.usefixtures("database")
NUMBERS = count(1)
LATE, EARLY = (datetime.now(UTC).date() - timedelta(days=days) for days in (10, 11))


class Played(PlayedSageMaker):
    """Executions that have judged before anyone looks; `violations` by day, `reports` replace a day's own."""

    def __init__(self, s3, bucket, violations=None, reports=None, failed=()):
        super().__init__(s3, bucket)
        # No two executions of SageMaker have the same id, whoever plays it.
        self.number = next(NUMBERS)
        self.by_day, self.reports, self.failed, self.days = violations or {}, reports or {}, set(failed), {}

    def describe_pipeline(self, PipelineName):  # noqa: N803 - boto3 names it so
        assert PipelineName == "churn-model-quality-local"
        parameters = [{"Name": name, "Type": "String"} for name in ground_truth.PARAMETERS]
        return {"PipelineDefinition": json.dumps({"Parameters": parameters})}

    def start_pipeline_execution(self, **request):
        self.started.append(request)
        sent = {item["Name"]: item["Value"] for item in request["PipelineParameters"]}
        day = sent["OutputPrefixUri"].rsplit("dt=", 1)[1]
        number = f"{self.number}x{len(self.started)}"
        arn = f"{ARN}:pipeline/churn-model-quality-local/execution/q{number}{day.replace('-', '')}"
        self.days[arn] = day
        prefix = sent["OutputPrefixUri"].removeprefix(f"s3://{self.bucket}/") + f"/{arn.rsplit('/', 1)[1]}/"
        if day not in self.failed:
            made = self.reports.get(day) or report()
            self.put(prefix + "report/ground_truth.json", made)
            self.put(prefix + "report/sums.json", sums())
            limits = {"accuracy": {"threshold": 0.8, "comparison_operator": "LessThanThreshold"}}
            self.put(prefix + "constraints/constraints.json", {"binary_classification_constraints": limits})
            self.put(prefix + "monitoring/constraint_violations.json", {"violations": self.by_day.get(day, [])})
        return {"PipelineExecutionArn": arn}

    def describe_pipeline_execution(self, PipelineExecutionArn):  # noqa: N803 - boto3 names it so
        status = "Failed" if self.days[PipelineExecutionArn] in self.failed else "Succeeded"
        moment = CREATED + timedelta(seconds=len(self.started))
        return {
            "PipelineExecutionStatus": status,
            "CreationTime": moment,
            "PipelineExecutionArn": PipelineExecutionArn,
            "FailureReason": "labels.csv is truncated" if status == "Failed" else "",
        }

    def describe_processing_job(self, ProcessingJobName):  # noqa: N803 - boto3 names it so
        found = self.by_day.get(ProcessingJobName)
        return {"ExitMessage": f"CompletedWithViolations: {len(found)}." if found else "Completed: no violations."}

    def describe_model_package(self, ModelPackageName):  # noqa: N803 - boto3 names it so
        found = super().describe_model_package(ModelPackageName)
        source = {"S3Uri": f"s3://{self.bucket}/baseline/quality.json"}
        found["DriftCheckBaselines"]["ModelQuality"] = {"Statistics": source, "Constraints": source}
        return found

    def paginate(self, **request):
        if self.listing != "list_pipeline_execution_steps":
            return super().paginate(**request)
        job = {"QualityCheck": {"CheckJobArn": f"{ARN}:processing-job/{self.days[request['PipelineExecutionArn']]}"}}
        step = {"StepName": "CheckModelQuality", "StepStatus": "Succeeded", "Metadata": job}
        return [{"PipelineExecutionSteps": [step]}]


@pytest.fixture
def house(dags, s3, bucket, monkeypatch):
    found = House(dags, s3, bucket, monkeypatch)
    metrics = {name: {"value": 0.9} for name in ("accuracy", "auc", "f1")}
    records.write(s3, bucket, "baseline/quality.json", {"binary_classification_metrics": metrics})
    for day in (EARLY, LATE):
        publish(found, day)
    return found


def publish(house, day, execution="scored1"):
    manifest = {
        "execution_arn": f"{ARN}:pipeline/churn-batch-monitor-local/execution/{execution}",
        "model_package_arn": PACKAGE,
    }
    records.write(house.s3, house.bucket, f"churn/published/dt={day}.json", manifest)


def label(house, day, text="id1,True.\n", name="labels.csv"):
    house.s3.put_object(Bucket=house.bucket, Key=f"churn/ground_truth/dt={day}/{name}", Body=text.encode())


def judged(house, sagemaker, **conf):
    """Run the DAG; return its state and the days that it judged, newest record of each."""
    state, _ = house.run(sagemaker, "model_quality", conf=conf)
    entries = quality_index.standing(quality_index.read_entries(house.s3, house.bucket, "churn"))
    found = {day: house.read(f"churn/quality/dt={day}/{entry.execution}.json") for day, entry in entries.items()}
    return state, found


DROP = [
    {
        "constraint_check_type": "LessThanThreshold",
        "description": "Metric accuracy with 0.7 was LessThanThreshold '0.8'",
        "metric_name": "accuracy",
    }
]


def test_labels_of_several_days_are_judged_in_one_run_and_a_drop_is_told(house):
    """Each day by an execution of its own, with the baseline of the version that made its predictions."""
    for day in (EARLY, LATE):
        label(house, day)
    sagemaker = Played(house.s3, house.bucket, {str(LATE): DROP})
    state, found = judged(house, sagemaker)
    assert state == "success"
    assert {day: item["verdict"] for day, item in found.items()} == {EARLY: "good", LATE: "dropped"}
    for item in found.values():
        contract("quality", item)
    assert found[LATE]["reasons"] == [DROP[0]["description"]]
    assert found[LATE]["metrics"]["accuracy"]["baseline"] == 0.9
    assert found[LATE]["metrics"]["accuracy"]["bound"] == 0.8
    assert (found[EARLY]["rolling"]["days"], found[LATE]["rolling"]["days"]) == (1, 2)
    assert len({request["ClientRequestToken"] for request in sagemaker.started}) == 2
    # The two starts are mapped, and run in any order.
    requests = [{item["Name"]: item["Value"] for item in made["PipelineParameters"]} for made in sagemaker.started]
    (sent,) = [request for request in requests if str(EARLY) in request["LabelsUri"]]
    assert sent == {
        "PredictionsUri": f"s3://{house.bucket}/churn/batches/dt={EARLY}/scored1/predictions/",
        "LabelsUri": f"s3://{house.bucket}/churn/ground_truth/dt={EARLY}/",
        "FeatureSchemaUri": f"s3://{house.bucket}/schema.json",
        "BaselineStatisticsUri": f"s3://{house.bucket}/baseline/quality.json",
        "BaselineConstraintsUri": f"s3://{house.bucket}/baseline/quality.json",
        "OutputPrefixUri": f"s3://{house.bucket}/churn/model_quality/dt={EARLY}",
        "RecordIdColumn": "Phone",
        "LabelColumn": "Churn?",
        "MinimumRows": "50",
        "MinimumShare": "0.5",
        "Tolerance": "0.05",
        "Sigmas": "3.0",
    }
    ((subject, text),) = house.inbox()
    assert subject == f"[critical] churn {LATE}: model quality has dropped"
    assert "accuracy: 0.9000 -> 0.9100" in text
    assert "docs/runbook.md#quality_dropped" in text


def test_a_day_is_judged_again_only_when_its_labels_or_predictions_change(house):
    """Late labels are counted; more labels that clear the model are told to those who heard of the drop."""
    label(house, EARLY)
    few = {**report(), "matched": 60}
    assert judged(house, Played(house.s3, house.bucket, {str(EARLY): DROP}, {str(EARLY): few}))[1]
    again = Played(house.s3, house.bucket)
    judged(house, again)
    assert again.started == []
    label(house, EARLY, name="more.csv")
    house.inbox()
    _, found = judged(house, Played(house.s3, house.bucket))
    assert (found[EARLY]["verdict"], found[EARLY]["labels"]["late"]) == ("good", 30)
    ((subject, _),) = house.inbox()
    assert subject == f"[update, was dropped] churn {EARLY}: good"
    publish(house, EARLY, "scored2")
    anew = Played(house.s3, house.bucket)
    _, found = judged(house, anew)
    assert len(anew.started) == 1
    assert found[EARLY]["labels"]["late"] == 0


def test_too_few_labels_are_unknown_and_page_nobody(house):
    """The reason stands in the record; nothing is said of the model."""
    label(house, EARLY)
    few = {**report(), "matched": 2, "checkable": 0, "reasons": ["2 predictions have a usable label; 50 are needed"]}
    state, found = judged(house, Played(house.s3, house.bucket, reports={str(EARLY): few}))
    assert (state, found[EARLY]["verdict"]) == ("success", "unknown")
    assert found[EARLY]["reasons"] == few["reasons"]
    contract("quality", found[EARLY])
    assert house.inbox() == []


def test_days_that_cannot_be_judged_do_not_keep_the_others(house):
    """Labels before predictions, and a file that is damaged: one waits, one fails with its reason."""
    unpublished = EARLY - timedelta(days=3)
    for day in (unpublished, EARLY, LATE):
        label(house, day)
    state, found = judged(house, Played(house.s3, house.bucket, failed=[str(EARLY)]))
    assert state == "failed"
    assert set(found) == {LATE}
    ((_, text),) = house.inbox()
    assert f"The labels of {EARLY} could not be compared" in text
    assert "labels.csv is truncated" in text


def test_a_run_by_hand_judges_the_one_day_it_names_again(house):
    """Also when nothing has changed; a day without labels fails with what is missing."""
    for day in (EARLY, LATE):
        label(house, day)
    judged(house, Played(house.s3, house.bucket))
    again = Played(house.s3, house.bucket)
    judged(house, again, batch_day=str(LATE))
    assert list(again.days.values()) == [str(LATE)]
    state, _ = judged(house, Played(house.s3, house.bucket), batch_day="2026-01-01")
    assert state == "failed"
    assert any("there are no labels below" in text for _, text in house.inbox())
    mistyped = Played(house.s3, house.bucket)
    state, _ = judged(house, mistyped, batchday=str(LATE))
    assert (state, mistyped.started) == ("failed", [])
    assert any("Did you mean batch_day?" in text for _, text in house.inbox())


def test_labels_that_change_under_a_run_are_judged_by_the_next(house):
    """What was read is not what lies there, so nothing is said."""
    label(house, EARLY)

    class Changing(Played):
        def start_pipeline_execution(self, **request):
            label(house, EARLY, "id1,True.\nid2,True.\n")
            return super().start_pipeline_execution(**request)

    _, found = judged(house, Changing(house.s3, house.bucket, {str(EARLY): DROP}))
    assert found[EARLY]["verdict"] == "unknown"
    assert "changed while the run was at work" in found[EARLY]["reasons"][0]
    _, found = judged(house, Played(house.s3, house.bucket))
    assert found[EARLY]["verdict"] == "good"


ACCOUNT = {
    "batch_day": "2026-03-03",
    "verdict": "dropped",
    "reasons": ["accuracy is below its bound"],
    "metrics": {"accuracy": 0.7, "auc": None},
    "model_version": 2,
    "matched": 499,
    "predictions": 700,
}


@pytest.mark.parametrize(
    ("account", "left_out", "note", "expected"),
    [
        (ACCOUNT, None, None, ("dropped", "critical", "accuracy is below its bound")),
        ({**ACCOUNT, "verdict": "unknown", "reasons": ["too few"]}, None, None, ("unknown", "none", "too few")),
        (None, "was never published", None, ("left out", "none", "was never published")),
        (None, None, {"task_id": "find_labels", "what": "S3 is down"}, ("failed", "error", "find_labels: S3 is down")),
        (
            {"batch_day": "2026-03-03", "verdict": "failed", "reasons": ["the labels are truncated"]},
            None,
            None,
            ("failed", "error", "the labels are truncated"),
        ),
        (None, None, None, ("failed", "error", "the run ended without saying why; see its tasks")),
    ],
)
def test_a_backfilled_day_says_in_the_digest_how_it_was_judged(account, left_out, note, expected):
    """Or why it was not."""
    entry = day_entry(account, left_out, note)
    assert (entry["verdict"], entry["severity"], *entry["reasons"]) == expected
    if account and account["verdict"] != "failed":
        assert entry["done"] == "499 of 700 predictions have a usable label, accuracy 0.7000"
        assert entry["model_version"] == 2
