"""The watchdog and the held-predictions DAG, run whole in one process."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sagemaker_batch import alerts, messages, quality_index, records
from sagemaker_batch.errors import Undeliverable
from tests.dags.test_approval import OLD, Registry
from tests.dags.test_runs import DAY, House, PlayedSageMaker, contract, drift
from tests.unit.plugin.judged import record

pytestmark = pytest.mark.usefixtures("database")
CHURN = Path(__file__).parents[2] / "dags" / "use_cases" / "churn.yaml"
BEFORE = datetime.now(UTC).date() - timedelta(days=2)


@pytest.fixture
def house(dags, s3, bucket, monkeypatch, tmp_path):
    text = CHURN.read_text().replace("start_date: 2026-01-01", "start_date: 2025-01-01")
    (tmp_path / "churn.yaml").write_text(text + "\nretraining:\n  enabled: true\n")
    s3.put_object(Bucket=bucket, Key=f"churn/input/dt={DAY}/day.csv", Body=b"a,b\n1,2\n")
    return House(lambda file: dags(file, tmp_path), s3, bucket, monkeypatch)


def activate_assets():
    """Do the scheduler's part: only an active asset keeps its events."""
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        # The repository's own use case does not ask for retraining, so that Airflow has not met this one yet.
        wanted = "churn/retraining_requested"
        if session.scalar(select(AssetModel).where(AssetModel.name == wanted)) is None:
            session.add(AssetModel(name=wanted, uri=wanted, group="asset"))
            session.flush()
        active = {item.name for item in session.scalars(select(AssetActive))}
        for asset in session.scalars(select(AssetModel)):
            if asset.name not in active:
                session.add(AssetActive.for_asset(asset))


def judge(house, day, **changes):
    found = record(day.isoformat(), **changes)
    found["model"] = {"arn": OLD, "version": 1}
    records.write(house.s3, house.bucket, f"churn/verdicts/dt={day}/{found['execution']['arn'][-12:]}.json", found)


def test_a_day_that_never_got_a_run_is_told_once(house):
    """The day after it was due, and not again an hour later; a judged day is not missing."""
    since = (BEFORE - timedelta(days=1)).isoformat()
    records.write(house.s3, house.bucket, "churn/alerts/watch.json", {"version": 1, "since": since})
    for other in (-1, 1):
        judge(house, BEFORE + timedelta(days=other), verdict="clean", drifted=0)
    for _ in range(2):
        _, tasks = house.run(Registry(house.s3, house.bucket), "watchdog", conf={})
        assert tasks["check_days"] == "success"
    found = house.inbox()
    assert [subject for subject, _ in found] == [f"[error] churn {BEFORE}: no verdict"]
    assert "#batch_late" in found[0][1]


def test_a_new_installation_pages_nobody_for_its_past(house):
    """Days are expected from the first look on."""
    _, tasks = house.run(Registry(house.s3, house.bucket), "watchdog", conf={})
    assert tasks["check_days"] == "success"
    assert house.inbox() == []
    assert house.read("churn/alerts/watch.json")["since"] == datetime.now(UTC).date().isoformat()


def test_a_dead_route_makes_no_further_alerts(house, monkeypatch):
    """The look that cannot deliver fails, and so shows; an alert about it each hour would be as lost as the first."""
    lost = messages.missing_alert("churn", "churn_batch_monitor", DAY, {})

    def dead(_conn_id, _alert):
        raise ConnectionError("no answer")

    monkeypatch.setattr(alerts, "deliver_by_connection", dead)
    with pytest.raises(Undeliverable):
        alerts.send(house.s3, house.bucket, lost, ["sagemaker_batch_alerts"], owner="r")
    outbox = list(records.keys(house.s3, house.bucket, alerts.outbox_prefix("churn")))
    state, tasks = house.run(Registry(house.s3, house.bucket), "watchdog", conf={})
    assert (state, tasks["flush_alerts"], tasks["check_days"]) == ("failed", "failed", "success")
    assert [key for key, _ in records.keys(house.s3, house.bucket, alerts.outbox_prefix("churn"))] == [outbox[0][0]]


def test_an_approval_given_elsewhere_is_told_once(house):
    """By the asset's own events, which are committed with the task; nothing in use is nothing to tell."""
    sagemaker = Registry(house.s3, house.bucket, in_use=False)
    assert house.run(sagemaker, "watchdog", conf={})[1]["check_approvals"] == "skipped"
    activate_assets()
    # A version of this test's own: events of other tests stand in the same database.
    arn = f"{OLD}7"
    sagemaker.packages[arn] = {**sagemaker.packages[OLD], "ModelPackageArn": arn, "ModelApprovalStatus": "Approved"}
    tasks = [house.run(sagemaker, "watchdog", conf={})[1]["check_approvals"] for _ in range(2)]
    assert tasks == ["success", "skipped"]


def test_three_drifting_days_request_a_model_once(house):
    """The request is kept in S3, and the next look is refused by it."""
    sagemaker = Registry(house.s3, house.bucket)
    sagemaker.packages.popitem()
    assert house.run(sagemaker, "watchdog", conf={})[1]["consider_retraining"] == "skipped"
    activate_assets()
    for number in (3, 4, 5):
        judge(house, BEFORE - timedelta(days=number))
    records.write(house.s3, house.bucket, "churn/alerts/watch.json", {"version": 1, "since": "2099-01-01"})
    _, tasks = house.run(sagemaker, "watchdog", conf={})
    assert tasks["consider_retraining"] == "success"
    month = f"{datetime.now(UTC):%Y-%m}"
    request = house.read(f"churn/retraining/{month}/1.json")
    contract("retraining", request)
    assert request["kind"] == "drift"
    assert house.run(sagemaker, "watchdog", conf={})[1]["consider_retraining"] == "skipped"
    assert house.read(f"churn/retraining/{month}/2.json") is None


def test_dropped_quality_requests_a_model_too(house):
    """Of the version in use only, from the index alone; the request says which days."""
    sagemaker = Registry(house.s3, house.bucket)
    sagemaker.packages.popitem()
    activate_assets()
    day = BEFORE - timedelta(days=20)
    found = {
        "use_case": "churn",
        "batch_day": str(day),
        "verdict": "dropped",
        "metrics": {"accuracy": {"value": 0.6, "baseline": 0.9}},
        "rolling": {"metrics": {}},
        "labels": {"matched": 80, "predictions": 100},
        "signature": "0123456789ab",
        "model_package_version": int(OLD.rsplit("/", 1)[1]),
        "execution": {"arn": "arn:pipeline/execution/q1", "created": f"{day}T10:00:00+00:00"},
    }
    former = {**found, "model_package_version": found["model_package_version"] + 5, "batch_day": str(BEFORE)}
    for item in (found, former):
        quality_index.enter(house.s3, house.bucket, item)
    records.write(house.s3, house.bucket, "churn/alerts/watch.json", {"version": 1, "since": "2099-01-01"})
    assert house.run(sagemaker, "watchdog", conf={})[1]["consider_retraining"] == "success"
    request = house.read(f"churn/retraining/{datetime.now(UTC):%Y-%m}/1.json")
    contract("retraining", request)
    assert (request["kind"], request["days"]) == ("quality", [str(day)])


def test_a_version_that_waits_already_is_not_asked_for_again(house):
    """People have enough to decide."""
    for number in (3, 4, 5):
        judge(house, BEFORE - timedelta(days=number))
    _, tasks = house.run(Registry(house.s3, house.bucket), "watchdog", conf={})
    assert tasks["consider_retraining"] == "skipped"


def held(house):
    house.run(PlayedSageMaker(house.s3, house.bucket, drift("f1", "f2", "f3")))
    house.inbox()


def asked(house, action, **conf):
    return house.run(PlayedSageMaker(house.s3, house.bucket), "held_predictions", conf={"action": action, **conf})


def test_a_release_publishes_with_who_and_why(house):
    """The manifest keeps its contract and says so; those who heard of the hold hear of the release."""
    held(house)
    state, tasks = asked(house, "release", batch_day=DAY, reason="the campaign was announced")
    assert (state, tasks["release_predictions"], tasks["discard_predictions"]) == ("success", "success", "skipped")
    contract("manifest", house.manifest)
    assert house.manifest["released"]["reason"] == "the campaign was announced"
    assert house.manifest["verdict"] == "held"
    contract("held_decision", house.read(f"churn/held/dt={DAY}/abc123.json"))
    ((subject, text),) = house.inbox()
    assert subject == f"[update, was held] churn {DAY}: released"
    assert "the campaign was announced" in text


def test_a_release_that_cannot_be_published_leaves_the_day_held(house):
    """Its predictions are incomplete: nothing is decided, so that it is still listed and can be discarded."""
    held(house)
    key = f"churn/batches/dt={DAY}/abc123/predictions/features.csv.out"
    whole = house.s3.get_object(Bucket=house.bucket, Key=key)["Body"].read()
    house.s3.put_object(Bucket=house.bucket, Key=key, Body=whole[: whole.index(b"\n") + 1])
    assert asked(house, "release", batch_day=DAY, reason="the campaign was announced")[0] == "failed"
    assert "they must agree" in json.dumps(house.inbox())
    assert house.manifest is None
    assert house.read(f"churn/held/dt={DAY}/abc123.json") is None
    assert asked(house, "discard", batch_day=DAY, reason="half of it is lost")[0] == "success"


def test_a_discarded_day_stays_unpublished_and_cannot_be_released(house):
    """The second answer names the first."""
    held(house)
    assert asked(house, "discard", batch_day=DAY, reason="half a file")[0] == "success"
    state, tasks = asked(house, "release", batch_day=DAY, reason="no")
    assert (state, tasks["release_predictions"]) == ("failed", "failed")
    assert house.manifest is None
    assert any("was discarded by" in text for _, text in house.inbox())


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"action": "release"}, "say which day"),
        ({"action": "release", "batch_day": DAY}, "has no verdict"),
    ],
)
def test_an_action_that_cannot_be_done_says_why(house, conf, said):
    """And nothing is published."""
    state, _ = house.run(PlayedSageMaker(house.s3, house.bucket), "held_predictions", conf=conf)
    assert state == "failed"
    assert said in json.dumps(house.inbox())


def test_listing_does_nothing_else(house):
    """Every other task is skipped."""
    held(house)
    state, tasks = asked(house, "list")
    assert state == "success"
    assert {tasks[name] for name in ("release_predictions", "discard_predictions", "run_day_again")} == {"skipped"}


def test_a_watcher_stands_where_a_queue_is_named(dags, monkeypatch):
    """One trigger for the one queue, and who deletes comes after who tells; without a queue there is no DAG."""
    assert dags("registry_watcher") == {}
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_BATCH__REGISTRY_QUEUE", "https://queue")
    (dag,) = dags("registry_watcher").values()
    assert set(dag.task_ids) == {"tell_approvals", "delete_messages"}
    assert dag.task_dict["delete_messages"].upstream_task_ids == {"tell_approvals"}
    tell = dag.task_dict["tell_approvals"]
    told = [asset.name for asset in tell.inlets]
    assert told == ["sagemaker_batch/registry_events", "churn/model_approved", "energy_use/model_approved"]
    assert [alias.name for alias in tell.outlets] == ["sagemaker_batch/approvals"]
    (watched,) = dag.timetable.asset_condition.objects
    (watcher,) = watched.watchers
    assert watcher.trigger.serialize()[1] == {"queue_url": "https://queue"}
