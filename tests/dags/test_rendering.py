"""What a run of each kind asks SageMaker for: templates rendered as a worker does."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sagemaker_batch.batch_day import read_request
from sagemaker_batch.errors import BadRun
from sagemaker_batch.registry import ModelVersion

NOW = datetime(2026, 3, 10, tzinfo=UTC)


class Xcoms:
    """A task instance that has what came before."""

    dag_id, run_id, task_id, map_index = "churn_batch_monitor", "r", "start_batch_monitor", -1

    def __init__(self, **values):
        self.values = values
        self.pushed = {}

    def xcom_pull(self, task_ids, key="return_value"):
        return self.values.get(task_ids)

    def xcom_push(self, key, value):
        self.pushed[key] = value


def render(dag, task_id, ti, **context):
    task = dag.task_dict[task_id]
    task.render_template_fields({"ti": ti, "dag": dag, "params": {}, **context}, dag.get_template_env())
    return task


@pytest.mark.parametrize("policy", ["latest", "as_of"])
def test_the_daily_start_carries_the_days_own_places(dags, policy):
    """Input, output and model come from what the run pinned; nothing is read from a clock or a logical date."""
    dag = dags("batch_monitor")["churn_batch_monitor"]
    given = {
        "batch_day": "2026-03-03",
        "prefix": "s3://b/in/dt=2026-03-03/",
        "output_prefix": "s3://b/out/dt=2026-03-03",
    }
    resolved = {"arn": "arn:p", "policy": policy, "constraints_uri": "s3://b/c.json"}
    task = render(dag, "start_batch_monitor", Xcoms(wait_for_batch=given, resolve_model=resolved))
    assert task.pipeline_name == "churn-batch-monitor-local"
    assert task.about == "2026-03-03"
    assert task.parameters == {
        "InputDataUri": "s3://b/in/dt=2026-03-03/",
        "OutputPrefixUri": "s3://b/out/dt=2026-03-03",
        "ModelPackageArn": "arn:p",
        "ConstraintsUri": "s3://b/c.json",
    }


@pytest.mark.parametrize(
    ("asked", "used"), [(None, "s3://dags-bucket/churn/training/input/"), ("s3://b/x/", "s3://b/x/")]
)
def test_the_monthly_start_takes_the_runs_data_or_the_use_cases_own(dags, asked, used):
    """The threshold is a Param as well."""
    dag = dags("train_baseline")["churn_train_baseline"]
    params = {"input_data_uri": asked, "accuracy_threshold": 0.8}
    task = render(dag, "start_training", Xcoms(), params=params)
    assert task.pipeline_name == "churn-train-baseline-local"
    assert (task.parameters["InputDataUri"], task.parameters["AccuracyThreshold"]) == (used, "0.8")


def test_the_sensor_waits_for_what_was_started(dags):
    """The ARN is the start's own return value."""
    dag = dags("batch_monitor")["churn_batch_monitor"]
    assert render(dag, "wait_for_batch_monitor", Xcoms(start_batch_monitor="arn:e")).execution_arn == "arn:e"


def intervals(dag, first, last):
    """Return the data intervals that the scheduler (or a backfill) makes of a range."""
    from airflow.serialization.serialized_objects import DagSerialization

    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    return [info.data_interval for info in serialized.iter_dagrun_infos_between(first, last)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland"])
def test_a_backfill_of_three_days_scores_these_three(dags, tmp_path, zone):
    """Asked for the 28th to the 30th of March, across Europe's change of clocks, in any zone."""
    dag = dags("batch_monitor")["churn_batch_monitor"]
    text = (
        (pytest_repo() / "dags" / "use_cases" / "churn.yaml").read_text().replace("timezone: UTC", f"timezone: {zone}")
    )
    (tmp_path / "churn.yaml").write_text(text)
    (dag,) = dags("batch_monitor", tmp_path).values()
    first, last = (datetime(2026, 3, day, tzinfo=ZoneInfo(zone)) for day in (28, 30))
    found = [
        read_request("backfill", item.start, item.end, {}, None, zone, datetime(2026, 4, 2, tzinfo=UTC)).day.day
        for item in intervals(dag, first, last)
    ]
    assert found == [28, 29, 30]


def test_an_asset_run_has_no_day_and_says_so():
    """It has no data interval: the day must be named, never derived."""
    with pytest.raises(BadRun, match="asset triggered run does not say which day"):
        read_request("asset_triggered", None, None, {"batch_day": None}, None, "UTC", NOW)


def version(number):
    moment = datetime(2026, 3, number, tzinfo=UTC)
    places = dict.fromkeys(["statistics_uri", "constraints_uri", "feature_schema_uri", "evaluation_uri"], "s3://b/k")
    return ModelVersion(
        arn=f"arn:p/{number}",
        group="churn-local",
        version=number,
        status="Approved",
        model_name="m",
        training_data_uri="",
        execution_arn="",
        created=moment,
        approved_at=moment,
        approved_by="me",
        **places,
    )


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ("latest", ("resolve", "churn-local", "")),
        ("arn:p/7", ("resolve", "churn-local", "arn:p/7")),
        ("as_of", ("as_of", "churn-local", datetime(2026, 3, 4, tzinfo=UTC))),
        ("published", ("resolve", "churn-local", "arn:p/5")),
    ],
)
def test_each_policy_asks_the_registry_its_own_question(dags, s3, bucket, monkeypatch, policy, asked):  # noqa: PLR0917 - fixtures
    """The answer travels as plain values, with the version's number."""
    from sagemaker_batch import registry

    s3.put_object(Bucket=bucket, Key="churn/published/dt=2026-03-03.json", Body=b'{"model_package_arn": "arn:p/5"}')
    questions = []
    for name in ("resolve", "as_of"):

        def answer(_client, *rest, name=name):
            questions.append((name, *rest))
            return version(5)

        monkeypatch.setattr(registry, name, answer)
    dag = dags("batch_monitor")["churn_batch_monitor"]
    given = {"batch_day": "2026-03-03", "day_ends": "2026-03-04T00:00:00+00:00", "policy": policy}
    resolved = dag.task_dict["resolve_model"].python_callable(ti=Xcoms(wait_for_batch=given))
    assert questions == [asked]
    assert (resolved["arn"], resolved["version"], resolved["policy"]) == ("arn:p/5", 5, policy)


def test_a_day_that_was_never_published_has_no_published_model(dags, s3):
    """The message says which manifest is missing, and what to use."""
    dag = dags("batch_monitor")["churn_batch_monitor"]
    given = {"batch_day": "2026-03-03", "day_ends": "2026-03-04T00:00:00+00:00", "policy": "published"}
    with pytest.raises(Exception, match=r"has no manifest .*Use latest or as_of"):
        dag.task_dict["resolve_model"].python_callable(ti=Xcoms(wait_for_batch=given))


def pytest_repo():
    from pathlib import Path

    return Path(__file__).parents[2]
