"""Bad input of every kind, each through a real Airflow: one clear message where a person looks, nothing published."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from local.airflow import ENVIRONMENT
from local.alertbox import Alert
from local.rest import FINAL_STATES
from sagemaker_batch import names
from tests.integration.bad_input import ALL, DAYS, ERROR, HELD, INACCURATE, RUNS, WARNED, Case
from tests.integration.conftest import Laptop

# The session's house and all runs at once are made within the first test.
pytestmark = pytest.mark.timeout(900)
ENDS = {ERROR: "failed", HELD: "success", WARNED: "success"}
SECONDS = 600.0
UNREACHABLE_ACCURACY = 0.999


@dataclass(frozen=True)
class Ended:
    """A case whose run has ended."""

    case: Case
    day: date | None
    run: dict[str, Any]
    states: dict[str, str]
    log: str
    alerts: list[Alert]


def start(house: Laptop, case: Case) -> tuple[date | None, str, str]:
    """Put the case's files and trigger its run; return day, DAG and run id."""
    if case is INACCURATE:
        return None, house.train_dag, house.trigger_dag(house.train_dag, {"accuracy_threshold": UNREACHABLE_ACCURACY})
    dag = names.batch_dag(case.use_case)
    if case.key == "future":
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        return tomorrow, dag, house.trigger(tomorrow)
    if case.make is None:
        return None, dag, house.trigger_dag(dag)
    day = house.new_day()
    for name, content in case.make(day).items():
        house.put_text(day, content, name, case.use_case)
    return day, dag, house.trigger(day, case.use_case)


@pytest.fixture(scope="module")
def ended(house: Laptop) -> dict[str, Ended]:
    """Run all cases at once and wait for all of them."""
    started = {case.key: start(house, case) for case in ALL}
    house.wait(
        lambda: all(house.api.run(dag, run_id)["state"] in FINAL_STATES for _, dag, run_id in started.values()),
        "all runs on bad input to end",
        SECONDS,
    )
    found = {}
    for case in ALL:
        day, dag, run_id = started[case.key]
        run = house.api.run(dag, run_id)
        states = house.states(run)
        log = house.log(run, case.task) if states.get(case.task) not in {None, "skipped", "upstream_failed"} else ""
        about = run_id if day is None else f"{case.use_case}, batch day {day}"
        alerts = [alert for alert in house.inbox.collect() if about in alert.text]
        found[case.key] = Ended(case, day, run, states, log, alerts)
    return found


@pytest.fixture(params=[*DAYS, *RUNS, INACCURATE], ids=lambda case: case.key)
def one(request: pytest.FixtureRequest, ended: dict[str, Ended]) -> Ended:
    return ended[request.param.key]


def manifest(house: Laptop, one: Ended) -> dict[str, Any] | None:
    return house.cloud.read_json(names.manifest_key(one.case.use_case, one.day)) if one.day else None


def verdicts(house: Laptop, one: Ended) -> list[dict[str, Any]]:
    if one.day is None:
        return []
    keys = house.cloud.keys(names.verdicts_prefix(one.case.use_case, one.day))
    return [house.cloud.read_json(key) or {} for key in keys]


def test_a_run_ends_as_the_page_says(one: Ended) -> None:
    """An error fails the named task and the run; held and warned days end well, having done what they must."""
    assert one.run["state"] == ENDS[one.case.end], one.states
    if one.case.end == ERROR:
        assert one.states[one.case.task] == "failed"
        assert one.states.get("publish_predictions") in {None, "upstream_failed"}
    else:
        held = one.case.end == HELD
        assert one.states["hold_predictions"] == ("success" if held else "skipped")
        assert one.states["alert_critical"] == ("success" if held else "skipped")
        assert one.states["publish_predictions"] == ("skipped" if held else "success")
        assert one.states["alert_warning"] == ("skipped" if held else "success")


def test_only_warned_days_are_published(house: Laptop, one: Ended) -> None:
    """No manifest exists for bad input, unless the page says `published`; then every row has its prediction."""
    found = manifest(house, one)
    if one.case.end != WARNED:
        assert found is None
    else:
        assert found is not None
        assert found["verdict"] == "warned"
        assert found["rows_in"] == found["rows_out"] > 600


def test_the_task_log_says_what_is_wrong(one: Ended) -> None:
    """Who opens the failed task's log reads the message of the page."""
    if one.case.end == ERROR:
        assert one.case.told_in(one.log), one.log[-3000:]


def test_one_alert_says_what_is_wrong(one: Ended) -> None:
    """Whatever is not clean is told once, by an alert of its own with the message of the page in it."""
    assert [alert.is_digest for alert in one.alerts] == [False], [alert.subject for alert in one.alerts]
    (alert,) = one.alerts
    assert one.case.told_in(alert.text), alert.text
    assert alert.attributes["severity"] == {ERROR: "error", HELD: "critical", WARNED: "warning"}[one.case.end]
    assert alert.attributes["event"] == one.case.event


def test_the_verdict_record_says_what_is_wrong(house: Laptop, one: Ended) -> None:
    """A day that was looked at leaves a record with verdict and reasons; one that was not leaves none."""
    found = verdicts(house, one)
    if not one.case.judged:
        assert found == []
        return
    (record,) = found
    assert record["verdict"] == {ERROR: "failed", HELD: "held", WARNED: "warned"}[one.case.end]
    assert one.case.told_in("\n".join(record["reasons"])), record["reasons"]


def test_an_unknown_category_is_counted(house: Laptop, ended: dict[str, Ended]) -> None:
    """A category that training never saw is scored as unknown and stands in the record by column."""
    (record,) = verdicts(house, ended["category"])
    assert record["unknown_categories"] == {"State": 1}


def test_a_model_below_the_threshold_is_not_registered(house: Laptop, ended: dict[str, Ended]) -> None:
    """The Fail step ends the execution before anything is registered, and its message has both accuracies."""
    assert [package["ModelPackageVersion"] for package in house.cloud.packages()] == [1]
    assert f"{UNREACHABLE_ACCURACY}" in ended[INACCURATE.key].log


def test_a_broken_use_case_keeps_its_dags(house: Laptop, ended: dict[str, Ended]) -> None:
    """Both DAGs stay listed, each with the one task that tells the mistake, and no file fails to import."""
    assert house.api.pages("/importErrors", "import_errors") == []
    for dag in (names.batch_dag("broken"), names.train_dag("broken")):
        tasks = house.api.request("GET", f"/dags/{dag}/tasks")["tasks"]
        assert [task["task_id"] for task in tasks] == ["use_case_is_broken"]
    assert set(ended["broken"].states) == {"use_case_is_broken"}


def test_an_undeclared_parameter_starts_nothing(house: Laptop, ended: dict[str, Ended]) -> None:
    """Parameters are compared with the deployed pipeline before anything is started."""
    assert ended["undeclared"].states["start_batch_monitor"] == "failed"
    assert house.cloud.executions(names.batch_pipeline("undeclared", ENVIRONMENT)) == []
