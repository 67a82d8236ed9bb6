import json
from datetime import date
from pathlib import Path

import pytest
import yaml

from sagemaker_batch.use_case import UseCase, UseCaseError, check_cron, json_schema, load_use_case

ROOT = Path(__file__).parents[3]
CHURN = ROOT / "dags" / "use_cases" / "churn.yaml"
TEXT = CHURN.read_text(encoding="utf-8")


@pytest.fixture
def broken(tmp_path):
    def write(before, after, name="churn"):
        assert before in TEXT
        path = tmp_path / f"{name}.yaml"
        path.write_text(TEXT.replace(before, after, 1), encoding="utf-8")
        with pytest.raises(UseCaseError) as caught:
            load_use_case(path)
        return caught.value

    return write


def line_of(text):
    return next(number for number, line in enumerate(TEXT.splitlines(), 1) if text in line)


def test_the_shipped_use_case_is_valid():
    """The use case in the repository loads and says where its data lies."""
    use_case = load_use_case(CHURN)
    assert use_case.name == "churn"
    assert use_case.input_uri("b", date(2026, 3, 3)) == "s3://b/churn/input/dt=2026-03-03/"
    assert use_case.training_input_uri("b") == "s3://b/churn/training/input/"


def test_an_unknown_key_names_file_line_key_and_the_likely_one(broken):
    """A misspelt key is answered with its place and the key that was meant."""
    error = broken("accuracy_threshold", "acuracy_threshold")
    line = line_of("accuracy_threshold")
    assert f"churn.yaml:{line}: model.acuracy_threshold: unknown key. Did you mean accuracy_threshold?" in str(error)
    assert error.name == "churn"


@pytest.mark.parametrize(
    ("before", "after", "key", "says"),
    [
        ('positive: "True."', "positive: True", "data.label.positive", "in quotes"),
        ("  record_id: Phone\n", "", "data.record_id", "missing"),
        ("engine: managed", "engine: manged", "monitor.engine", "Did you mean managed?"),
        ("approval: manual", "approval: airflw", "approval", "Did you mean airflow?"),
        ("  digest:", "  events:\n    drift_critcal: []\n  digest:", "alerts.events.drift_critcal", "drift_critical?"),
        ("critical_share: 0.3", "critical_share: 0.3\n  report: drift", "severity.report", "drift_report"),
        (
            "critical_share: 0.3",
            "critical_share: 0.3\n  drift: {nulls: 2}",
            "severity.drift.nulls",
            "less than or equal",
        ),
        (
            "engine: managed",
            "engine: managed\n  overrides:\n    features:\n      Day Mins:\n        completenes: 0.9",
            "monitor.overrides.features.Day Mins.completenes",
            "Did you mean completeness?",
        ),
        (
            "engine: managed",
            "engine: managed\n  overrides:\n    features:\n      Day Mins:\n        completeness: 95",
            "monitor.overrides.features.Day Mins.completeness",
            "less than or equal to 1",
        ),
        (
            "engine: managed",
            "engine: managed\n  overrides:\n    comparison_method: Robst",
            "monitor.overrides.comparison_method",
            "Did you mean Robust?",
        ),
        (
            "engine: managed",
            "engine: managed\n  overrides: {features: {State: {domains: [KS], domains_added: [OH]}}}",
            "monitor.overrides.features.State",
            "either domains",
        ),
        ("critical_share: 0.3", "critical_share: 1.3", "severity.critical_share", "less than or equal to 1"),
        ('"0 0 * * *"', '"0 25 * * *"', "schedule.batch", "0-23"),
        ("timezone: UTC", "timezone: Berlin", "schedule.timezone", "IANA"),
        ("num_round: 100", "num_round: [100]", "model.hyperparameters.num_round", "text or a number"),
        ('files: ["*.csv"]', "deadline_minutes: 1", "data.ready.deadline_minutes", "stands twice"),
        ("    quiet_seconds: 0\n", "    success_object: _SUCCESS\n", "data.ready", "either success_object or files"),
        ("record_id: Phone", "record_id: Churn?", "data", "must differ"),
        ("record_id: Phone", "input: s3://b/x/\n  record_id: Phone", "data", "needs {day}"),
        ("record_id: Phone", "input: s3://b/{date}/\n  record_id: Phone", "data.input", "unknown placeholder {date}"),
        ("retries: 2", "retries: 2\nname: other", "name", "called as its file"),
        ("retries: 2", "retries: 2\nretries: 3", "retries", "stands twice"),
    ],
)
def test_each_mistake_names_its_key(broken, before, after, key, says):
    """Whatever is wrong, the text names the dotted key and what to do."""
    error = broken(before, after)
    assert key in [problem.key for problem in error.problems]
    assert says in str(error)


def test_all_mistakes_come_in_one_text(broken):
    """A file with two mistakes is corrected in one round."""
    error = broken("engine: managed\n\nseverity:\n  critical_share: 0.3", "engine: x\n\nseverity:\n  share: 0.3")
    assert {problem.key for problem in error.problems} == {"monitor.engine", "severity.share"}


def test_a_file_that_is_no_yaml_keeps_its_name_and_schedule(broken):
    """The DAGs of a broken file keep ids and schedule, even when the YAML cannot be parsed."""
    error = broken('files: ["*.csv"]', 'files: ["*.csv"')
    assert error.name == "churn"
    assert "no YAML" in str(error)
    assert error.schedule == load_use_case(CHURN).schedule
    assert error.alerts == load_use_case(CHURN).alerts


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("start_date: 2026-01-01", "start_date: 2026-02-30"),
        ("\nschedule:", "\nschedule:foo"),
        ("\nalerts:", "\nalerts:none"),
    ],
)
def test_a_file_that_no_parser_takes_is_one_error_all_the_same(broken, before, after):
    """A day that no calendar has, a blank forgotten after a section: the other use cases run on."""
    error = broken(before, after)
    assert error.name == "churn"
    assert error.problems


def test_a_mistake_elsewhere_keeps_the_schedule(broken):
    """A wrong key in one section does not cost the schedule of another."""
    assert broken('batch: "0 0 * * *"', 'batch: "30 4 * * *"\n\nextra: 1').schedule.training == "0 2 1 * *"


@pytest.mark.parametrize("content", ["", "- a\n", "just text\n"])
def test_a_file_without_sections_is_refused(tmp_path, content):
    """An empty file, a list or a text is a clear error and no traceback."""
    path = tmp_path / "empty.yaml"
    path.write_text(content)
    with pytest.raises(UseCaseError, match=r"empty\.yaml"):
        load_use_case(path)


def test_a_missing_file_is_the_same_kind_of_error(tmp_path):
    """A file that vanished between listing and reading is reported, not raised as OSError."""
    with pytest.raises(UseCaseError, match="cannot be read"):
        load_use_case(tmp_path / "gone.yaml")


@pytest.mark.parametrize("name", ["Churn", "churn-2", "1churn", "a__b", "x" * 41])
def test_a_file_name_that_cannot_name_aws_things_is_refused(tmp_path, name):
    """The file name becomes pipeline and DAG names, so it must fit them."""
    path = tmp_path / f"{name}.yaml"
    path.write_text(TEXT)
    with pytest.raises(UseCaseError, match="file name is its name"):
        load_use_case(path)


@pytest.mark.parametrize(
    "cron", ["* * * *", "60 * * * *", "a * * * *", "5-1 * * * *", "@daily", "*/0 * * * *", "1 2 0 * *"]
)
def test_what_is_no_cron_is_refused(cron):
    """A schedule that Airflow could not read is refused before Airflow sees it."""
    with pytest.raises(ValueError, match="no cron"):
        check_cron(cron)


@pytest.mark.parametrize("cron", ["0 0 * * *", "*/5 1-3 1,15 * 0-6", "0 2 1 1-12/2 7"])
def test_a_cron_of_five_fields_is_accepted(cron):
    """Ranges, lists and steps are ordinary cron."""
    check_cron(cron)


def test_it_survives_a_round_trip_through_json():
    """Deployment stores the use case as JSON, and the views read back the same."""
    use_case = load_use_case(CHURN)
    assert UseCase.model_validate_json(use_case.model_dump_json()) == use_case


def test_the_committed_schema_is_current():
    """The schema that editors read is the one the code enforces."""
    committed = json.loads((ROOT / "docs/contracts/use_case.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema()


def test_the_schema_accepts_the_shipped_file_and_refuses_a_misspelt_key():
    """The exported schema judges as the loader does."""
    jsonschema = pytest.importorskip("jsonschema")
    content = json.loads(json.dumps(yaml.safe_load(TEXT), default=str))
    jsonschema.Draft202012Validator(json_schema()).validate(content)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate({**content, "modle": {}})


def test_a_regression_has_no_positive_text_and_its_own_metrics(tmp_path):
    """A label of another kind than the problem's is told, with what to change."""
    text = (Path(__file__).parents[3] / "dags" / "use_cases" / "energy_use.yaml").read_text(encoding="utf-8")
    path = tmp_path / "energy_use.yaml"
    for change, said in (
        (("metric: r2", "metric: auc"), "is no metric of a regression"),
        (("name: kwh_next_day", 'name: kwh_next_day\n    positive: "1"'), "has no meaning for a regression"),
        (("  problem: regression\n  metric: r2\n", ""), "data.label.positive is missing"),
    ):
        path.write_text(text.replace(*change), encoding="utf-8")
        with pytest.raises(UseCaseError, match=said):
            load_use_case(path)
