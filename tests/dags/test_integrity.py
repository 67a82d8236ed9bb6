"""The DAG files: they load, say what they need, and survive a broken use case."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable

REPO = Path(__file__).parents[2]
DAILY = {
    "wait_for_batch": {"resolve_model"},
    "resolve_model": {"start_batch_monitor"},
    "start_batch_monitor": {"wait_for_batch_monitor"},
    "wait_for_batch_monitor": {"assess_batch"},
    "assess_batch": {"branch_on_violations", "write_report"},
    "write_report": {"close_run"},
    "branch_on_violations": {"publish_predictions", "alert_warning", "hold_predictions", "alert_critical"},
    "publish_predictions": {"close_run"},
    "alert_warning": {"close_run"},
    "hold_predictions": {"close_run"},
    "alert_critical": {"close_run"},
    "close_run": set(),
}
MONTHLY = {
    "start_training": {"wait_for_training"},
    "wait_for_training": {"read_candidate"},
    "read_candidate": {"review_candidate", "write_training_report"},
    "write_training_report": set(),
    "review_candidate": {"alert_approval"},
    "alert_approval": set(),
}
FILES = ["batch_monitor", "train_baseline", "watchdog", "held_predictions", "model_quality"]
WATCHDOG = {"check_days": set(), "check_approvals": set(), "flush_alerts": set()}
HELD = {
    "list_held": {"branch_on_action"},
    "branch_on_action": {"release_predictions", "discard_predictions", "run_day_again"},
    "release_predictions": set(),
    "discard_predictions": set(),
    "run_day_again": set(),
}
QUALITY = {
    "find_labels": {"start_model_quality"},
    "start_model_quality": {"wait_for_model_quality"},
    "wait_for_model_quality": {"judge_quality"},
    "judge_quality": {"tell_quality"},
    "tell_quality": {"close_run"},
    "close_run": set(),
}
# A group of tasks that is drawn once for each day is a function of its own.
FUNCTIONS = {"model_quality": ["build", "compare_day"]}
REVIEWED = {"ask_reviewer": {"approve_model", "reject_model"}, "approve_model": set(), "reject_model": set()}


def edges(dag):
    return {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}


@pytest.mark.parametrize(
    ("file", "dag_id", "expected"),
    [
        ("batch_monitor", "churn_batch_monitor", DAILY),
        ("train_baseline", "churn_train_baseline", MONTHLY),
        ("watchdog", "churn_watchdog", WATCHDOG),
        ("held_predictions", "churn_held_predictions", HELD),
        ("model_quality", "churn_model_quality", QUALITY),
    ],
)
def test_tasks_and_edges_are_the_designs(dags, file, dag_id, expected):
    """No edge leads from an alert to publish or hold: a skipped alert would skip them."""
    assert edges(dags(file)[dag_id]) == expected


@pytest.mark.parametrize(
    ("approval", "expected"),
    [
        ("airflow", {"review_candidate": {"ask_reviewer", "alert_approval"}, "alert_approval": set(), **REVIEWED}),
        (
            "auto",
            {
                "review_candidate": {"branch_on_rule"},
                "branch_on_rule": {"approve_model", "ask_reviewer", "alert_approval"},
                "alert_approval": set(),
                **REVIEWED,
            },
        ),
    ],
)
def test_approval_in_airflow_and_by_rule_have_their_own_tasks(dags, tmp_path, approval, expected):
    """The question hangs on nothing but the review, and a waiting run leaves room for the next ones."""
    text = (REPO / "dags" / "use_cases" / "churn.yaml").read_text().replace("approval: manual", f"approval: {approval}")
    (tmp_path / "churn.yaml").write_text(text)
    dag = dags("train_baseline", tmp_path)["churn_train_baseline"]
    assert edges(dag) == {**MONTHLY, **expected}
    assert dag.max_active_runs > 1


@pytest.mark.parametrize("file", FILES)
def test_every_dag_says_whose_it_is_and_retries(dags, file):
    """Owners, tags, a page of documentation, retries and a callback on failure."""
    for dag in dags(file).values():
        assert dag.doc_md
        assert dag.tags
        # The watchdog's own would tell each hour of the alerts that it cannot deliver.
        assert dag.has_on_failure_callback == (file != "watchdog")
        if dag.schedule is not None:
            assert isinstance(dag.timetable, CronDataIntervalTimetable)
        for task in dag.tasks:
            assert task.owner != "airflow"
            assert task.retries >= 2
            # A lost alert must not make another.
            assert task.on_failure_callback or task.task_id == "flush_alerts"


@pytest.mark.parametrize(
    ("file", "start"), [("batch_monitor", "start_batch_monitor"), ("train_baseline", "start_training")]
)
def test_starts_share_the_capped_pool_and_days_are_finished_before_others_begin(dags, file, start):
    """Only starts take its slots; a later task of a day weighs more than an earlier one of another."""
    for dag in dags(file).values():
        assert [task.task_id for task in dag.tasks if task.pool == "sagemaker_executions"] == [start]
        assert {str(task.weight_rule) for task in dag.tasks} == {"upstream"}


def test_a_request_to_retrain_starts_the_training_early(dags, tmp_path):
    """By the calendar and by the asset; only where the use case wants it, and the watchdog then looks for a reason."""
    text = (REPO / "dags" / "use_cases" / "churn.yaml").read_text() + "\nretraining:\n  enabled: true\n"
    (tmp_path / "churn.yaml").write_text(text)
    dag = dags("train_baseline", tmp_path)["churn_train_baseline"]
    assert isinstance(dag.timetable, AssetOrTimeSchedule)
    assert isinstance(dag.timetable.timetable, CronDataIntervalTimetable)
    watchdog = dags("watchdog", tmp_path)["churn_watchdog"]
    assert [asset.name for asset in watchdog.task_dict["consider_retraining"].outlets] == ["churn/retraining_requested"]


@pytest.mark.parametrize("file", FILES)
def test_every_param_explains_itself(dags, file):
    """The trigger form shows a title, a description and a type for each."""
    for dag in dags(file).values():
        for name in dag.params:
            param = dag.params.get_param(name)
            assert {"title", "type"} <= set(param.schema), name
            assert param.description, name


@pytest.mark.parametrize("file", FILES)
def test_dags_serialize(dags, file):
    """The scheduler reads what the DAG processor wrote."""
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags(file).values():
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert set(again.task_dict) == set(dag.task_dict)


def test_the_closing_task_runs_whatever_failed_and_hides_nothing(dags):
    """A teardown does not decide the run's state; a plain last task would turn failed days green."""
    task = dags("batch_monitor")["churn_batch_monitor"].task_dict["close_run"]
    assert task.is_teardown
    assert not task.on_failure_fail_dagrun


def test_scheduled_runs_do_not_catch_up(dags):
    """Unpausing in June does not score January."""
    assert not dags("batch_monitor")["churn_batch_monitor"].catchup


@pytest.mark.parametrize("file", FILES)
def test_dag_files_import_no_aws(file):
    """Parsing must stay cheap: boto3 and the amazon provider come when a task runs."""
    code = (
        "import runpy, sys; import airflow.sdk; "
        f"runpy.run_path('dags/{file}.py'); "
        "print([m for m in sys.modules if m.split('.')[0] in ('boto3', 'botocore') or 'amazon.aws.hooks' in m])"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "plugins", **_home()}
    said = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=REPO, env=environment, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("file", FILES)
def test_dag_files_only_declare(file):
    """They define `build` and the loop that calls it; whatever works stands in plugins/."""
    tree = ast.parse((REPO / "dags" / f"{file}.py").read_text())
    assert [node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))] == FUNCTIONS.get(
        file, ["build"]
    )


@pytest.fixture
def folder(tmp_path):
    shutil.copy(REPO / "dags" / "use_cases" / "churn.yaml", tmp_path / "churn.yaml")
    text = (tmp_path / "churn.yaml").read_text().replace('batch: "0 0 * * *"', 'batch: "30 1 * * *"')
    (tmp_path / "fraud.yaml").write_text(text.replace("approval:", "aproval:"))
    return tmp_path


@pytest.mark.parametrize(("file", "suffix"), [(file, f"_{file}") for file in FILES])
def test_a_broken_use_case_keeps_its_dag_and_the_others_run_on(dags, folder, file, suffix):
    """One failing task says file, line and key; id and schedule stay."""
    found = dags(file, folder)
    assert set(found) == {f"churn{suffix}", f"fraud{suffix}"}
    broken = found[f"fraud{suffix}"]
    assert [task.task_id for task in broken.tasks] == ["use_case_is_broken"]
    assert "approval" in broken.doc_md
    if file == "batch_monitor":
        assert broken.timetable.expression == "30 1 * * *"


def test_a_use_case_without_labels_has_no_such_dag(dags, tmp_path):
    """Nothing to look at, nothing that is late, nothing in the list of DAGs; also where the file is broken."""
    text = (REPO / "dags" / "use_cases" / "churn.yaml").read_text()
    without = text.replace("quality:\n  tolerance: 0.05\n", "")
    assert without != text
    (tmp_path / "churn.yaml").write_text(without)
    (tmp_path / "fraud.yaml").write_text(without.replace("approval:", "aproval:"))
    assert dags("model_quality", tmp_path) == {}


def test_a_tasks_process_builds_only_its_own_dag(dags, folder, monkeypatch):
    """With a hundred use cases a task must not pay for ninety-nine others."""
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "churn_batch_monitor")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "resolve_model")
    assert set(dags("batch_monitor", folder)) == {"churn_batch_monitor"}


def _home():
    import os

    return {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW")}
