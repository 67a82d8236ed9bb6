"""One digest for a backfill, whoever ends last, dies, fails or comes in between."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sagemaker_batch import alerts, backfill, digest, records
from sagemaker_batch.errors import Undeliverable

STARTED = "2026-03-10T00:00:00+00:00"
LAST = "close_run"


class Airflow:
    """Runs of one DAG, as a task can ask for them."""

    def __init__(self, monkeypatch):
        self.runs, self.asked = {}, []
        monkeypatch.setattr(backfill, "run_detail", self.detail)

    def add(self, name, run_type="backfill", state="running", last=None, started=STARTED):
        self.runs[name] = SimpleNamespace(
            run_id=name,
            run_type=run_type,
            state=state,
            last=last,
            clear_number=0,
            start_date=datetime.fromisoformat(started) if started else None,
            data_interval_start=datetime(2026, 3, int(name[-1]), tzinfo=UTC),
        )

    def end(self, name, state="success", last="success"):
        self.runs[name].state, self.runs[name].last = state, last

    def detail(self, _dag_id, run_id):
        self.asked.append(run_id)
        return self.runs.get(run_id)

    def get_task_states(self, dag_id, task_ids):
        assert (dag_id, task_ids) == ("d", [LAST])
        return {name: {LAST: run.last} for name, run in self.runs.items()}

    def look(self, entered):
        return backfill.standing(self, "d", LAST, entered)


class Phone:
    def __init__(self, *dead):
        self.dead, self.heard = set(dead), []

    def __call__(self, conn_id, what):
        if conn_id in self.dead:
            raise ConnectionError("no answer")
        self.heard.append(what.body)


@pytest.fixture
def airflow(monkeypatch):
    found = Airflow(monkeypatch)
    for name in ("run-1", "run-2", "run-3"):
        found.add(name)
    return found


def entry(name, verdict="clean", *, backfilled=True, clear_number=0, started=STARTED):
    return {
        "run_id": name,
        "clear_number": clear_number,
        "started": started,
        "backfilled": backfilled,
        "batch_day": f"2026-03-0{name[-1]}",
        "verdict": verdict,
        "severity": {"clean": "none", "held": "critical", "failed": "error"}[verdict],
        "done": "published",
        "reasons": ["because"],
        "features": ["Day Mins"],
        "model_version": 3,
        "rows": 700,
    }


@pytest.fixture
def close(s3, bucket, airflow):
    def closing(what, phone, **changes):
        return digest.close_run(s3, bucket, "churn", "d", what, ["team"], airflow.look, deliver=phone, **changes)

    return closing


def test_the_last_day_sends_one_digest_that_names_each(airflow, close):
    """With verdict, model version, rows and top features; days that failed are in it as well."""
    phone = Phone()
    assert "run-3 is still at work" in close(entry("run-1"), phone)
    airflow.end("run-1")
    assert "run-3 is still at work" in close(entry("run-2", "failed"), phone)
    airflow.end("run-2", "failed")
    assert close(entry("run-3", "held"), phone) == "digest of 3 day(s): sent"
    (body,) = phone.heard
    for part in ("2026-03-01: clean, model version 3, 700 rows", "2026-03-02: failed", "2026-03-03: held", "Day Mins"):
        assert part in body


def test_days_that_wait_in_the_queue_are_waited_for(airflow, close):
    """All days of a backfill are queued when it is made; none of these has started."""
    phone = Phone()
    for name in ("run-2", "run-3"):
        airflow.add(name, state="queued", started="")
    assert "still at work" in close(entry("run-1"), phone)
    assert phone.heard == []


def test_a_scheduled_run_beside_it_holds_nothing_up(airflow, close):
    """It may wait hours for its input, and is no day of the digest."""
    phone = Phone()
    airflow.add("scheduled-7", "scheduled")
    airflow.add("manual-8", "manual")
    for name in ("run-2", "run-3"):
        del airflow.runs[name]
    assert close(entry("run-1"), phone) == "digest of 1 day(s): sent"


def test_a_day_that_is_reprocessed_under_its_old_run_id_is_waited_for(airflow, close):
    """Airflow clears the scheduled run and calls it a backfill's: the name does not tell, the type does."""
    for name in ("run-2", "run-3"):
        airflow.end(name)
    airflow.add("scheduled__2026-03-04", "backfill")
    assert "scheduled__2026-03-04 is still at work" in close(entry("run-1"), Phone())


@pytest.mark.parametrize("order", [("run-2", "run-3"), ("run-3", "run-2")])
def test_days_that_end_at_once_send_one_digest(s3, bucket, airflow, close, order):
    """Each has entered before either looks, so both take themselves for the last; the conditional put lets one send."""
    phone = Phone()
    close(entry("run-1"), phone)
    airflow.end("run-1")
    first, second = order
    started = []

    def second_looks_as_well(entered):
        if not started:
            started.append(True)
            started.append(close(entry(second), phone))
        return airflow.look(entered)

    said = digest.close_run(s3, bucket, "churn", "d", entry(first), ["team"], second_looks_as_well, deliver=phone)
    assert started[1] == "digest of 3 day(s): sent"
    assert said == "no backfilled day is waiting for a digest"
    assert len(phone.heard) == 1


def test_a_digest_on_its_way_is_not_sent_beside(s3, bucket, airflow, close):
    """A run that ends while the digest is being delivered finds its day covered."""
    for name in ("run-2", "run-3"):
        airflow.end(name)
    other, said = Phone(), []
    airflow.add("manual-8", "manual")

    def slow(_conn_id, _what):
        said.append(close(entry("manual-8", backfilled=False), other))

    assert close(entry("run-1"), slow) == "digest of 1 day(s): sent"
    assert other.heard == []
    assert said == ["every backfilled day is in a digest that another run sends"]
    assert close(entry("manual-8", backfilled=False), other) == "no backfilled day is waiting for a digest"


def test_a_repeated_last_task_does_not_send_again(airflow, close):
    """Its worker died after the digest had gone."""
    phone = Phone()
    for name in ("run-2", "run-3"):
        airflow.end(name)
    close(entry("run-1"), phone)
    close(entry("run-1"), phone)
    assert len(phone.heard) == 1
    assert close(entry("manual-8", backfilled=False), phone) == "no backfilled day is waiting for a digest"


def test_a_day_whose_last_task_died_is_entered_as_failed(airflow, close):
    """Nobody waits for it, the digest names it, and the next one does not name it again."""
    phone = Phone()
    airflow.end("run-2", "failed", last="failed")
    airflow.end("run-3")
    close(entry("run-1"), phone)
    assert "2026-03-02: failed" in phone.heard[0]
    assert "run run-2 ended without saying why" in phone.heard[0]
    airflow.end("run-1")
    airflow.add("run-4")
    close(entry("run-4"), phone)
    assert "2026-03-02" not in phone.heard[1]


def test_the_batch_day_of_a_day_that_died_is_in_the_use_case_s_zone(airflow, close):
    """Midnight in Berlin is the evening before in London."""
    phone = Phone()
    airflow.end("run-2", "failed", last="failed")
    airflow.runs["run-2"].data_interval_start = datetime(2026, 3, 1, 23, tzinfo=UTC)
    airflow.end("run-3")
    close(entry("run-1"), phone, timezone="Europe/Berlin")
    assert "2026-03-02: failed" in phone.heard[0]


def test_a_run_that_was_deleted_meanwhile_is_no_day(airflow, close):
    """It stood in the list of states, and is gone when we ask for it."""
    airflow.end("run-2")
    airflow.runs["run-3"] = SimpleNamespace(last=None, run_type="gone", state="gone")
    assert close(entry("run-1"), Phone()) == "digest of 1 day(s): sent"


def test_a_daily_run_asks_airflow_nothing(airflow, close):
    """Without a waiting entry there is no digest, so years of runs cost no question."""
    assert close(entry("run-1", backfilled=False), Phone()) == "no backfilled day is waiting for a digest"
    assert airflow.asked == []


def test_a_digest_that_could_not_be_delivered_comes_with_the_next_run(airflow, close):
    """Its entries stay until someone has heard."""
    for name in ("run-2", "run-3"):
        airflow.end(name)
    with pytest.raises(Undeliverable):
        close(entry("run-1"), Phone("team"))
    airflow.end("run-1")
    phone = Phone()
    assert close(entry("manual-8", backfilled=False), phone) == "digest of 1 day(s): sent"
    assert len(phone.heard) == 1


def test_the_days_of_a_digest_that_a_flush_delivered_wait_no_longer(s3, bucket, airflow, close):
    """Else every later run would ask Airflow for all runs, and read them again."""
    for name in ("run-2", "run-3"):
        airflow.end(name)
    with pytest.raises(Undeliverable):
        close(entry("run-1"), Phone("team"))
    airflow.end("run-1")
    phone = Phone()
    assert alerts.flush(s3, bucket, "churn", owner="manual-8", deliver=phone) == []
    close(entry("manual-8", backfilled=False), phone)
    assert len(phone.heard) == 1
    assert list(records.keys(s3, bucket, digest.open_prefix("churn", "d"))) == []
    moved = digest.closed_key(digest.entry_key("churn", "d", "run-1", 0, STARTED))
    (record, _), *_ = records.keys(s3, bucket, "churn/alerts/digest/")
    assert records.read(s3, bucket, moved).content["digest"] == record


@pytest.mark.parametrize("again", [{"clear_number": 1}, {"started": "2026-03-11T00:00:00+00:00"}])
def test_a_day_that_runs_again_has_a_digest_of_its_own(airflow, close, again):
    """Cleared, or deleted and made again under the same run id: the first digest does not swallow it."""
    phone = Phone()
    for name in ("run-2", "run-3"):
        airflow.end(name)
    close(entry("run-1"), phone)
    assert close(entry("run-1", **again), phone) == "digest of 1 day(s): sent"
    assert len(phone.heard) == 2


def test_a_cleared_day_is_waited_for_although_it_had_entered(airflow, close):
    """Its entry is that of the run before the clear."""
    phone = Phone()
    airflow.end("run-3")
    close(entry("run-1"), phone)
    airflow.runs["run-1"].clear_number = 1
    assert "run-1 is still at work" in close(entry("run-2"), phone)


def test_the_record_of_the_digest_lists_what_it_covers(s3, bucket, airflow, close):
    """And the entries move away with its name."""
    for name in ("run-2", "run-3"):
        airflow.end(name)
    close(entry("run-1"), Phone())
    key = digest.entry_key("churn", "d", "run-1", 0, STARTED)
    (record, _), *_ = records.keys(s3, bucket, "churn/alerts/digest/")
    assert records.read(s3, bucket, record).content["covers"] == [key]
    assert records.read(s3, bucket, key) is None
    assert records.read(s3, bucket, digest.closed_key(key)).content["digest"] == record


def test_a_sender_that_died_before_delivery_is_replaced(airflow, close, monkeypatch):
    """The next run finds entries whose digest's lease has run out."""
    monkeypatch.setattr(alerts, "LEASE", timedelta(0))
    for name in ("run-2", "run-3"):
        airflow.end(name)

    def die(_conn_id, _what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        close(entry("run-1"), die)
    phone = Phone()
    assert close(entry("manual-8", backfilled=False), phone) == "digest of 1 day(s): sent"
    assert len(phone.heard) == 1


def test_the_backfills_of_two_dags_of_a_use_case_have_a_digest_each(s3, bucket, airflow, close):
    """The daily DAG's days are at work when the one day of model quality has ended: neither waits for the other."""
    assert "run-3 is still at work" in close(entry("run-1"), Phone())
    phone, nobody = Phone(), lambda _entered: backfill.Standing(None, [])
    quality = {**entry("run-1"), "verdict": "good", "done": "500 of 700 predictions have a usable label"}
    said = digest.close_run(s3, bucket, "churn", "churn_model_quality", quality, ["team"], nobody, deliver=phone)
    assert said == "digest of 1 day(s): sent"
    (body,) = phone.heard
    assert body.startswith("churn: a backfill of 1 day(s) of model quality has ended: 1 good.")
    assert len(list(records.keys(s3, bucket, digest.open_prefix("churn", "d")))) == 1
