"""The report of a batch run: complete, safe with any data, small, and written beside its verdict."""

import io
import json
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from sagemaker_batch.report import features, run_report, scores
from sagemaker_batch.report.page import inner
from sagemaker_batch.report.run_report import RunFacts
from sagemaker_batch.report.write import write_run_report
from sagemaker_batch.use_case import load_use_case
from tests.unit.plugin.made_days import (
    HOSTILE,
    HOSTILE_CATEGORY,
    PACKAGE,
    drift,
    numeric,
    record,
    textual,
    violation,
)

REPO = Path(__file__).parents[3]
CONTRACT = json.loads((REPO / "docs" / "contracts" / "report.schema.json").read_text())


class Page(HTMLParser):
    """What a browser would make of a report."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def drawn(given, baseline=(), today=(), drifts=(), sensitive=(), *, rule=None, **more):
    found = features.gather(
        {"features": list(baseline)},
        {"features": list(today)},
        given["violations"],
        {"features": list(drifts)},
        None,
        set(sensitive),
        rule,
    )
    facts = {
        "today_scores": None,
        "training_scores": None,
        "earlier": [],
        "rows_out": 4,
        "approval": {"by": "kim", "at": "2026-02-01T10:00:00+00:00"},
        "zone": "Europe/Berlin",
        "dag_id": "churn_batch_monitor",
        **more,
    }
    return run_report.render(RunFacts(record=given, features=found, **facts))


def test_names_and_values_that_mean_harm_stay_text():
    """Feature names, categories, descriptions and reasons are the sender's; none becomes an element or attribute."""
    given = record(
        violations=[violation(HOSTILE, "categorical_values_check", f"Observed {HOSTILE_CATEGORY}")],
        reasons=[HOSTILE, HOSTILE_CATEGORY],
        use_case="churn",
    )
    before, now = textual(HOSTILE, no=5), textual(HOSTILE, **{HOSTILE_CATEGORY: 5})
    report = drawn(given, [before, numeric(HOSTILE + "2")], [now, numeric(HOSTILE + "2", 1)])
    page = Page(report)
    assert not {"script", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not [name for name, _ in page.attributes if name == "style"]
    assert HOSTILE in page.text
    assert "\u202e" not in report


def test_a_report_loads_nothing():
    """One file: no address but those that a person may follow, and a policy that forbids the rest."""
    report = drawn(record(), [numeric("a")], [numeric("a")], links=[("Run", "https://airflow.example/run")])
    page = Page(report)
    loading = [value for name, value in page.attributes if name in {"src", "srcset", "data", "action"}]
    assert loading == []
    assert [value for name, value in page.attributes if name == "href"] == ["https://airflow.example/run"]
    assert "link" not in page.tags
    assert "url(" not in report
    (policy,) = [value for name, value in page.attributes if name == "content" and "src" in value]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "script-src" not in policy


@pytest.mark.parametrize("verdict", ["clean", "warned", "held", "failed"])
def test_every_verdict_says_what_a_person_asks(verdict):
    """Verdict, why, rows, model, approval; what to do where something is to be done."""
    violations = [violation("f1")] if verdict in {"warned", "held"} else []
    page = Page(drawn(record(verdict, violations), [numeric("f1")], [numeric("f1", 3)]))
    for said in ("Tue 3 Mar 2026", "violate their constraints", "version 3", "by kim", "4 scorable", "11:00 CET"):
        assert said in page.text
    assert ("What to do" in page.text) == (verdict in {"held", "failed"})
    assert ('{"batch_day": "2026-03-03"}' in page.text) == (verdict in {"held", "failed"})


def test_a_failed_day_without_any_report_is_drawn():
    """Nothing ran: no statistics, no rows, no predictions."""
    given = record("failed", rows_in=None, rows_scorable=None, monitored_features=0, reasons=["The monitor died."])
    page = Page(drawn(given, rows_out=None))
    assert "The monitor died." in page.text
    assert "There is no report on the features" in page.text


def test_a_day_that_the_drift_report_judged_says_what_either_found():
    """Each under its own name: what the drift report flags is not told as AWS's rule, nor the other way round."""
    said = "drift_report.json: distance 0.07 (p-value 1e-05) exceeds 0.05 at significance 0.001."
    given = record(violations=[violation("flag", description=said)], judged_by="drift_report")
    columns = [numeric("flag"), numeric("loud"), numeric("both")]
    drifts = [drift("flag", 0.07), drift("loud", 0.02), drift("both", 0.4)]
    page = Page(drawn(given, columns, columns, drifts, rule=[violation("loud"), violation("both")]))
    assert "Judged by the corrected distances: drift_report.json" in page.text
    assert "AWS\u2019s rule \u2713 holds Corrected distance distance 0.07 (p-value 1e-05) exceeds 0.05" in page.text
    held = page.text.split("Features that hold (2)")[1]
    assert held.count("violated") == 2
    assert "the corrected distance says drift" not in held
    assert "against a threshold" not in page.text
    judged = Page(drawn(record(violations=[violation("loud")]), columns, columns, drifts))
    assert "Judged by AWS\u2019s rule" in judged.text
    assert "no drift: 0.020 against a threshold of 0.1" in judged.text


def test_a_sensitive_feature_shows_distances_and_no_value():
    """Neither figures, categories, plots nor AWS's description of it."""
    given = record(violations=[violation("Salary", description="Value 777 is new")])
    report = drawn(
        given,
        [numeric("Salary", 41_000), textual("Faith", secret=3)],
        [numeric("Salary", 42_000), textual("Faith", covert=3)],
        [drift("Salary", 0.6)],
        ["Salary", "Faith"],
    )
    page = Page(report)
    assert "Salary" in page.text
    assert "0.600" in page.text
    for value in ("777", "41,0", "42,0", "41000", "42000", "secret", "covert"):
        assert value not in page.text
    assert "today" not in [value for name, value in page.attributes if name == "class" and value == "bar"]
    assert "bars" not in [value for name, value in page.attributes if name == "class"]


def test_violations_stand_worst_first_and_both_measures_beside_each_other():
    """A broken schema before drift, larger corrected distances first, and a word where the two measures differ."""
    given = record(
        violations=[violation("small"), violation("large"), violation("gone", "missing_column_check"), violation("n")]
    )
    found = features.gather(
        {"features": [numeric("small"), numeric("large"), numeric("n")]},
        {"features": [numeric("small"), numeric("large"), numeric("quiet")]},
        given["violations"],
        {"features": [drift("small", 0.01), drift("large", 0.7), drift("quiet", 0.3)]},
        {"monitoring_config": {"distribution_constraints": {"comparison_threshold": 0.2}}},
        set(),
    )
    assert [item.name for item in found] == ["gone", "large", "small", "n", "quiet"]
    assert [item.drifts for item in found] == [None, True, False, None, True]
    assert {item.threshold for item in found} == {0.2}
    page = Page(drawn(given, [], [], [drift("small", 0.01), drift("large", 0.7)]))
    assert page.text.count("The two differ") == 1


def test_two_hundred_violated_features_fit_in_a_megabyte():
    """Half numbers, half categories, all violated and all drawn."""
    names = [f"a rather long feature name, number {number}" for number in range(200)]
    many = {f"category {number}": number + 1 for number in range(60)}
    both = [textual(name, **many) if number % 2 else numeric(name) for number, name in enumerate(names)]
    drifts = [drift(name, 0.5) for name in names]
    report = drawn(record("held", [violation(name) for name in names]), both, both, drifts)
    assert report.count('class="card"') == 200
    assert len(report.encode()) < 1_000_000


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_scores_are_counted_wherever_a_chunk_ends(monkeypatch, size):
    """Also after an id with a quoted newline; what is no number from 0 to 1 is counted apart."""
    monkeypatch.setattr(scores, "CHUNK_BYTES", size)
    body = b'a,0.0\n"b,\nc",0.5\nd,1.0\ne,1.5\nf,oops\n\ng,0.999'
    found = scores.of_predictions([io.BytesIO(body)])
    assert (found.count, found.outside) == (4, 2)
    assert (found.counts[0], found.counts[10], found.counts[19]) == (1, 1, 2)
    assert found.mean == pytest.approx(2.499 / 4)
    trained = scores.of_evaluation(io.BytesIO(b"prediction,probability,label\n1,0.75,1\n0,0.25,0\n"))
    assert (trained.count, trained.mean) == (2, 0.5)


def test_predictions_of_a_regression_have_the_range_of_its_test_rows():
    """With half of it more on either side; days of one model share it."""
    trained = scores.of_evaluation(io.BytesIO(b"prediction,label\n10.0,11\n30.0,29\n"))
    assert (trained.low, trained.high, trained.count) == (0.0, 40.0, 2)
    today = scores.of_predictions([io.BytesIO(b"a,12.0\nb,39.0\nc,99.0\n")], trained.low, trained.high)
    assert (today.count, today.outside, today.counts[6]) == (2, 1, 1)


class Registry:
    """A model registry with one version."""

    def describe_model_package(self, ModelPackageName):  # noqa: N803 - boto3 names it so
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageGroupName": "churn-local",
            "ModelPackageVersion": 3,
            "ModelApprovalStatus": "Approved",
            "CreationTime": datetime(2026, 2, 1, tzinfo=UTC),
            "CustomerMetadataProperties": {
                "ApprovedBy": "kim",
                "ApprovedAt": "2026-02-01T10:00:00+00:00",
                "EvaluationUri": "s3://unit-bucket/training/evaluation.json",
            },
        }


def put(s3, bucket, key, content):
    s3.put_object(Bucket=bucket, Key=key, Body=content if isinstance(content, bytes) else json.dumps(content))


def test_a_report_is_written_with_what_the_run_left(s3, bucket):
    """The file and its figures; the next day's report compares with them."""
    use_case = load_use_case(REPO / "dags" / "use_cases" / "churn.yaml")
    put(s3, bucket, "baseline/statistics.json", {"dataset": {"item_count": 5000}, "features": [numeric("f1")]})
    put(s3, bucket, "baseline/constraints.json", {})
    put(s3, bucket, "training/predictions.csv", b"prediction,probability,label\n1,0.75,1\n")
    for day, execution in (("2026-03-03", "abc123"), ("2026-03-04", "def456")):
        prefix = f"churn/batches/dt={day}/{execution}/"
        put(s3, bucket, prefix + "monitoring/statistics.json", {"features": [numeric("f1", 3)]})
        put(s3, bucket, prefix + "monitoring/drift_report.json", {"features": [drift("f1", 0.4)]})
        put(s3, bucket, prefix + "predictions/features.csv.out", b"a,0.1\nb,0.2\nc,0.9\nd,0.95\n")
        given = record(violations=[violation("f1")], day=day, execution=execution)
        uri = write_run_report(s3, Registry(), bucket, use_case, given, [])
        assert uri == f"s3://{bucket}/churn/reports/dt={day}/{execution}.html"
    stored = s3.get_object(Bucket=bucket, Key=f"churn/reports/dt={day}/{execution}.html")
    assert stored["ContentType"] == "text/html; charset=utf-8"
    text = stored["Body"].read().decode()
    page = Page(text)
    for said in ("by kim", "mean 0.75", "lowest to highest of 1 earlier days", "5,000 rows", "every row has a score"):
        assert said in page.text
    assert inner(text).startswith("<header>")
    figures = json.loads(s3.get_object(Bucket=bucket, Key=f"churn/reports/dt={day}/{execution}.json")["Body"].read())
    jsonschema.validate(figures, CONTRACT)
    assert figures["rows_out"] == 4
    assert figures["features"]["f1"] == {
        "violated": ["baseline_drift_check"],
        "distance": 0.4,
        "psi": pytest.approx(1.2),
        "null_share": 0.0,
    }
    assert date.fromisoformat(figures["batch_day"]) == date(2026, 3, 4)
    assert PACKAGE in page.text
