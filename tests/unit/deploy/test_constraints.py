"""`make constraints`: past days are checked again from their statistics, as the analyzer checked their data."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from include.infrastructure import constraints as command
from include.infrastructure.constraints import Material, account, gather
from include.infrastructure.environment import load_environment
from include.infrastructure.recheck import PastDay, recheck
from include.infrastructure.site import Site
from include.pipeline_scripts.monitor_analyzer import checks, constraints, statistics
from include.pipeline_scripts.monitor_analyzer.profile import profile_blocks
from sagemaker_batch import constraints as tuned
from sagemaker_batch import day_index
from sagemaker_batch.use_case import UseCase
from tests.unit.scripts.test_canary import Memory

CHURN = Path(__file__).parents[3] / "dags" / "use_cases" / "churn.yaml"
NAMES = ["minutes", "calls", "state", "plan"]


def profile(seed, *, rows=400, shift=0.0, missing=0.0, odd=0, watched=None, names=NAMES):
    """Describe seeded rows: two columns of numbers and two of texts, with damage as asked for."""
    dice = random.Random(seed)  # noqa: S311 - seeded rows
    minutes = ["" if dice.random() < missing else f"{dice.gauss(180 + shift, 50):.2f}" for _ in range(rows)]
    calls = [str(dice.randint(60, 160)) for _ in range(rows)]
    calls[:odd] = ["many"] * odd
    state = [dice.choice(["KS", "OH", "NJ"]) for _ in range(rows)]
    state[:odd] = ["XX"] * odd
    plan = [dice.choice(["yes", "no"]) for _ in range(rows)]
    columns = dict(zip(NAMES, (minutes, calls, state, plan), strict=True))
    return profile_blocks(names, [[columns[name] for name in names]], watched)


BASELINE = profile(1, rows=2000)
SUGGESTED = constraints.suggest(BASELINE)
FACTS = statistics.document(BASELINE)
DAYS = {
    "2026-03-01": {},
    "2026-03-02": {"shift": 60},
    "2026-03-03": {"missing": 0.04},
    "2026-03-04": {"odd": 3},
    "2026-03-05": {"names": ["minutes", "state", "plan"]},
}


def today(day, watched=None):
    return profile(day, watched=watched, **DAYS[day])


def own_report(day, limits):
    """What the analyzer says of the day's data itself."""
    parsed = constraints.parse(limits, "constraints.json")
    return checks.violations(today(day, parsed.watched), parsed, statistics.parse(FACTS, "statistics.json"))


def past(day):
    """The day as a run leaves it: judged by what the baseline suggests."""
    recorded = [
        {"feature": item.feature_name, "check": item.constraint_check_type, "description": item.description}
        for item in own_report(day, SUGGESTED)
    ]
    return PastDay(day, statistics.document(today(day)), recorded)


def use_case(**monitor):
    return UseCase.model_validate(
        {
            "name": "churn",
            "owners": ["unit"],
            "data": {
                "record_id": "id",
                "label": {"name": "churned", "positive": "yes"},
                "sensitive": ["state"],
                "ready": {"files": ["*.csv"]},
            },
            "monitor": monitor,
        }
    )


OVERRIDES = {
    "comparison_threshold": 0.5,
    "features": {"minutes": {"completeness": 0.9}, "calls": {"datatype_check_threshold": 0.9}},
}


@pytest.mark.parametrize(
    "given", [{}, OVERRIDES, {"comparison_method": "Simple"}, {"evaluate_constraints": "Disabled"}]
)
@pytest.mark.parametrize("day", DAYS)
def test_a_day_is_flagged_as_by_its_data(day, given):
    """Statistics and the day's own report tell what the analyzer says of the data by other constraints."""
    limits = tuned.merge(SUGGESTED, use_case(overrides=given).monitor.overrides, "s3://b/c")
    (checked,) = recheck([past(day)], limits, FACTS)
    expected = {(item.feature_name, item.constraint_check_type) for item in own_report(day, limits)}
    assert checked.flagged == expected
    assert checked.unknown == ()


def test_a_type_that_nobody_noted_is_called_unknown():
    """A day judged by a low threshold left no share of matching types; a stricter one cannot be answered for."""
    day = past("2026-03-04")
    (checked,) = recheck([PastDay(day.day, day.statistics, [])], SUGGESTED, FACTS)
    assert checked.unknown == ("calls",)
    assert not any(feature == "calls" for feature, _ in checked.flagged)


def material(days=DAYS):
    version = SimpleNamespace(version=3, constraints_uri="s3://b/3/constraints.json", created=datetime.now(UTC))
    return Material(version, SUGGESTED, FACTS, [past(day) for day in days], 1)


def test_the_table_shows_each_change_and_what_it_would_have_flagged():
    """A reader sees both values, the days that each change clears or adds, and the verdicts that follow."""
    text = "\n".join(account(use_case(overrides=OVERRIDES), material()))
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "minutes completeness 1 0.9 2 -> 1 less on: 2026-03-03" in rows
    (everywhere,) = [row for row in rows if row.startswith("(all) comparison_threshold 0.1 0.5")]
    assert "less on: 2026-03-02" in everywhere
    assert "minutes baseline_drift_check 1 day(s) 0 day(s)" in rows
    assert any(row.startswith("clean 1 day(s) 3 day(s)") for row in rows)
    assert any("1 more left no statistics" in row for row in rows)


def test_a_sensitive_columns_values_are_not_shown():
    """Who tunes a domain sees that it changed, not what is in it."""
    overrides = {"features": {"state": {"domains": ["SECRET"]}}}
    text = "\n".join(account(use_case(overrides=overrides), material()))
    assert "SECRET" not in text
    assert "KS" not in text
    assert "withheld: sensitive" in text


def test_without_overrides_and_days_it_says_so():
    """A new use case has nothing to compare, and that is an answer."""
    text = "\n".join(account(use_case(), material(days=())))
    assert "monitor.overrides of the use case changes no setting" in text
    assert "No day has been judged yet" in text


class Registry:
    """A group with one approved version, as boto3 tells of it."""

    exceptions = Memory.exceptions

    def close(self):
        """Hold nothing."""

    def get_paginator(self, _name):
        return self

    def paginate(self, **_request):
        return [{"ModelPackageSummaryList": [{"ModelPackageArn": "arn:p/3"}]}]

    def describe_model_package(self, **_request):
        source = {name: {"S3Uri": f"s3://b/3/{name.lower()}.json"} for name in ("Statistics", "Constraints")}
        return {
            "ModelPackageArn": "arn:p/3",
            "ModelPackageGroupName": "churn-local",
            "ModelPackageVersion": 3,
            "ModelApprovalStatus": "Approved",
            "CreationTime": datetime(2026, 3, 1, tzinfo=UTC),
            "DriftCheckBaselines": {"ModelDataQuality": source},
            "CustomerMetadataProperties": {"ModelName": "m", "FeatureSchemaUri": "s3://b/schema.json"},
        }


def judged(s3, day, *, verdict="clean", statistics=True):
    """Leave a day's record, its place in the index, and the statistics of its monitor."""
    past_day = past("2026-03-01")
    record = {
        "use_case": "churn",
        "batch_day": day,
        "verdict": verdict,
        "violations": past_day.recorded,
        "violated_features": [],
        "monitored_features": 4,
        "rows_in": 400,
        "model": {"version": 3},
        "execution": {"arn": "arn:e/abc123", "created": "2026-03-04T00:00:00+00:00"},
        "reports": {"statistics": f"s3://b/{day}/statistics.json"} if statistics else {},
    }
    s3.put_object(Key=f"churn/verdicts/dt={day}/abc123.json", Body=json.dumps(record))
    s3.put_object(Key=f"{day}/statistics.json", Body=json.dumps(past_day.statistics))
    s3.put_object(Key=day_index.entry_key(record), Body=b"")


def test_the_last_judged_days_and_the_approved_version_are_read_from_where_they_lie(capsys, monkeypatch, tmp_path):
    """As `make constraints` does: thirty days back from the newest; a day without statistics is counted apart."""
    s3 = Memory()
    s3.put_object(Key="3/constraints.json", Body=json.dumps(SUGGESTED))
    s3.put_object(Key="3/statistics.json", Body=json.dumps(FACTS))
    for day in ("2026-01-30", "2026-02-10", "2026-03-01"):
        judged(s3, day)
    judged(s3, "2026-02-20", verdict="failed", statistics=False)
    site = Site(load_environment("local"), [], act=False, clients={"s3": s3, "sagemaker": Registry()})
    found = gather(site, use_case(), 30)
    assert [item.day for item in found.days] == ["2026-02-10", "2026-03-01"]
    assert (found.without, found.version.version, found.suggested) == (1, 3, SUGGESTED)
    text = CHURN.read_text(encoding="utf-8")
    features = "  overrides: {features: {minuets: {completeness: 0.9}}}\n"
    (tmp_path / "churn.yaml").write_text(text.replace("  engine: managed\n", f"  engine: managed\n{features}"))
    monkeypatch.setattr(command, "Site", lambda *_args, **_more: site)
    assert command.main(["churn", "--use-cases", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "monitor.overrides.features.minuets: the baseline has no such feature. Did you mean minutes?" in said
