"""Which day a run is about, which label files are a day's, and what the index of quality keeps."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sagemaker_batch import ground_truth, quality, quality_index
from sagemaker_batch.errors import BadRun
from sagemaker_batch.use_case import UseCaseError, load_use_case

CHURN = Path(__file__).parents[3] / "dags" / "use_cases" / "churn.yaml"
START = datetime(2026, 3, 3, 23, tzinfo=UTC)


@pytest.fixture
def use_case(tmp_path):
    def build(section):
        text = CHURN.read_text().replace("quality:\n  tolerance: 0.05\n", f"quality:\n{section}\n")
        assert "tolerance: 0.05" not in text
        (tmp_path / "churn.yaml").write_text(text)
        return load_use_case(tmp_path / "churn.yaml")

    return build


@pytest.mark.parametrize(
    ("run_type", "params", "day"),
    [
        ("scheduled", {}, None),
        ("manual", {"batch_day": None}, None),
        ("manual", {"batch_day": "2026-03-01"}, date(2026, 3, 1)),
        ("asset_triggered", {"batch_day": ""}, None),
        # The interval starts at 23:00 UTC, which is the next day in Berlin.
        ("backfill", {}, date(2026, 3, 4)),
    ],
)
def test_a_backfill_has_its_own_day_and_a_scheduled_run_looks_for_labels(run_type, params, day):
    """A run by hand may name one."""
    assert ground_truth.asked_day(run_type, START, params, "Europe/Berlin") == day


@pytest.mark.parametrize(
    ("run_type", "start", "asked", "said"),
    [
        ("backfill", START, "2026-03-01", "a backfill has its own days"),
        ("scheduled", START, "2026-03-01", "looks for new labels"),
        ("manual", None, "soon", "is no date"),
        ("backfill", None, None, "no data interval"),
    ],
)
def test_a_day_that_cannot_be_is_refused(run_type, start, asked, said):
    """A backfill that carried one day would judge that one again and again."""
    with pytest.raises(BadRun, match=said):
        ground_truth.asked_day(run_type, start, {"batch_day": asked}, "UTC")


def test_label_files_are_found_where_the_use_case_says(s3, bucket, use_case):
    """By day, from a day on; markers, other prefixes and folders of no day are left out."""
    case = use_case('  labels: "s3://{bucket}/truth/{use_case}/day={day}/final/"')
    for key in (
        "truth/churn/day=2026-03-01/final/a.csv",
        "truth/churn/day=2026-03-03/final/b.csv",
        "truth/churn/day=2026-03-03/final/c.csv",
        "truth/churn/day=2026-03-03/final/_SUCCESS",
        "truth/churn/day=2026-03-03/draft/d.csv",
        "truth/churn/day=2026-03-xx/final/e.csv",
        "truth/fraud/day=2026-03-03/final/f.csv",
    ):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    found = ground_truth.label_objects(s3, case, bucket, date(2026, 3, 2))
    assert {day: [item["key"][-5:] for item in files] for day, files in found.items()} == {
        date(2026, 3, 3): ["b.csv", "c.csv"]
    }
    assert set(ground_truth.label_objects(s3, case, bucket, date(2026, 3, 1), date(2026, 3, 1))) == {date(2026, 3, 1)}


def test_other_labels_or_other_predictions_are_another_comparison():
    """Whatever the order of the files."""
    files = [{"key": "a", "etag": "1"}, {"key": "b", "etag": "2"}]
    mark = ground_truth.signature(files, "arn:1")
    assert mark == ground_truth.signature(files[::-1], "arn:1")
    assert len({mark, ground_truth.signature(files, "arn:2"), ground_truth.signature(files[:1], "arn:1")}) == 3


def made(day="2026-03-03", execution="abc", created="2026-03-05T10:00:00+00:00", **changes):
    metrics = {
        "accuracy": {"value": 0.123456789, "baseline": 0.9},
        "auc": {"value": None, "baseline": 0.95},
        "rmse": {"value": 1.5e-7, "baseline": 123456.7},
        "true_positive_rate": {"value": 0.5, "baseline": 0.5},
    }
    return {
        "use_case": "churn",
        "batch_day": day,
        "verdict": "good",
        "metrics": metrics,
        "rolling": {"metrics": {"accuracy": 0.8}},
        "labels": {"matched": 90, "predictions": 100},
        "signature": "0123456789ab",
        "model_package_version": 3,
        "execution": {"arn": f"arn:x/{execution}", "created": created},
        **changes,
    }


def test_the_index_keeps_what_a_page_shows(s3, bucket):
    """Value, rolling and baseline of each figure; what is unknown stays unknown; strangers' keys are passed over."""
    quality_index.enter(s3, bucket, made())
    s3.put_object(Bucket=bucket, Key="churn/quality_days/dt=2026-03-04/of a later version", Body=b"")
    (entry,) = quality_index.read_entries(s3, bucket, "churn")
    assert (entry.day, entry.execution, entry.verdict, entry.version) == (date(2026, 3, 3), "abc", "good", 3)
    assert (entry.matched, entry.predictions, entry.signature) == (90, 100, "0123456789ab")
    assert entry.figures == {
        "accuracy": quality_index.Figure(0.123457, 0.8, 0.9),
        "auc": quality_index.Figure(None, None, 0.95),
        "rmse": quality_index.Figure(1.5e-07, None, 123457.0),
    }


def test_the_newest_look_at_a_day_stands(s3, bucket):
    """And the history is that of one version."""
    quality_index.enter(s3, bucket, made(verdict="dropped"))
    quality_index.enter(s3, bucket, made(execution="def", created="2026-03-06T10:00:00+00:00"))
    quality_index.enter(s3, bucket, made("2026-03-04", "ghi", verdict="dropped", model_package_version=4))
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package/churn-local/3"
    assert quality.history(s3, bucket, "churn", date(2026, 3, 1), arn) == [
        {"batch_day": "2026-03-03", "verdict": "good", "model_package_arn": arn}
    ]


def test_of_one_execution_the_last_judgement_stands():
    """Cleared, it may be judged otherwise; neither the verdict's name nor the figures decide which counts."""
    head, tail = "dt=2026-03-03/20260305T100000.abc.", ".v3.0123456789ab.90of100.accuracy=0.9~~"
    entries = [
        quality_index.parse(f"{head}{verdict}{tail}", datetime(2026, 3, 6, hour, tzinfo=UTC))
        for verdict, hour in (("good", 8), ("dropped", 9), ("unknown", 7))
    ]
    for order in (entries, entries[::-1]):
        assert quality_index.standing(order)[date(2026, 3, 3)].verdict == "dropped"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('  labels: "s3://{bucket}/truth/"', "labels needs {day} once"),
        ('  labels: "s3://{bucket}/{day}/{month}/"', "unknown placeholder {month}"),
        ("  metrics: [rmse]", "quality.metrics has 'rmse'; known here are accuracy, auc"),
        ("  tolerence: 0.1", "Did you mean tolerance?"),
    ],
)
def test_a_mistake_in_the_section_is_told(use_case, section, said):
    """With the key, as in every other section; and the DAG is known to be wanted."""
    with pytest.raises(UseCaseError) as caught:
        use_case(section)
    assert said in str(caught.value)
    assert caught.value.has_quality


def test_a_section_that_is_empty_takes_every_default(use_case):
    """`quality: {}` is enough for labels that are named as the data."""
    case = use_case("  {}")
    assert case.quality_metrics == ("accuracy", "auc", "f1")
    assert case.labels_uri("bucket", "2026-03-03") == "s3://bucket/churn/ground_truth/dt=2026-03-03/"
