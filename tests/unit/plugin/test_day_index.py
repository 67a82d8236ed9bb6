"""The index of days: what its keys say, and which of several runs stands."""

from datetime import UTC, date, datetime

from sagemaker_batch import day_index
from sagemaker_batch.report import marks
from sagemaker_batch.views import calendar
from tests.unit.plugin.made_days import record, violation


def test_a_key_says_what_the_record_says(s3, bucket):
    """Day, execution, verdict, model version, violated and monitored features, rows."""
    day_index.enter(s3, bucket, record("warned", [violation("a"), violation("b")]))
    (entry,) = day_index.read_entries(s3, bucket, "churn")
    assert entry.written is not None
    assert (entry.day, entry.execution, entry.verdict) == (date(2026, 3, 3), "abc123", "warned")
    assert (entry.version, entry.violated, entry.monitored, entry.rows) == (3, 2, 20, 4)
    assert entry.created == datetime(2026, 3, 3, 6, tzinfo=UTC)


def test_a_day_that_could_not_be_read_has_no_rows(s3, bucket):
    """And is entered all the same, once however often it is judged."""
    for _ in range(2):
        day_index.enter(s3, bucket, record("failed", rows_in=None))
    (entry,) = day_index.read_entries(s3, bucket, "churn")
    assert (entry.verdict, entry.rows) == ("failed", None)


def test_the_newest_execution_stands_and_of_it_the_last_judgement():
    """An execution judged twice (its task was cleared) has the verdict of the second time."""
    lines = [
        ("20260303T060000.aaa.clean.v1.0of9.5rows", 9),
        ("20260304T060000.bbb.failed.v1.0of9.5rows", 1),
        ("20260304T060000.bbb.held.v1.4of9.5rows", 2),
    ]
    entries = [
        day_index.parse(f"dt=2026-03-03/{name}", datetime(2026, 3, written + 1, tzinfo=UTC)) for name, written in lines
    ]
    for order in (entries, entries[::-1]):
        assert day_index.standing(order)[date(2026, 3, 3)].verdict == "held"


def test_a_published_day_says_so_until_another_execution_stands(s3, bucket):
    """A second entry beside the verdict; a later run that is held stands in front of it."""
    day_index.enter(s3, bucket, record())
    day_index.enter_published(s3, bucket, record())
    day = date(2026, 3, 3)
    assert day_index.standing(day_index.read_entries(s3, bucket, "churn"))[day].published
    later = record("held", execution="zzz999")
    later["execution"]["created"] = "2026-03-05T06:00:00+00:00"
    day_index.enter(s3, bucket, later)
    stands = day_index.standing(day_index.read_entries(s3, bucket, "churn"))[day]
    assert (stands.verdict, stands.published) == ("held", False)


def test_what_a_person_decided_on_a_held_day_stands_beside_it(s3, bucket):
    """Released and discarded days need nobody any more, and the calendar says which they are."""
    day, held = date(2026, 3, 3), record("held")
    day_index.enter(s3, bucket, held)

    def shown():
        entries = day_index.read_entries(s3, bucket, "churn")
        assert [item.is_verdict for item in entries].count(True) == 1
        return calendar.days(entries, [], {}, date(2026, 3, 5))[day].mark

    assert shown() is marks.HELD
    day_index.enter_discarded(s3, bucket, held)
    assert shown() is marks.DISCARDED
    s3.delete_object(Bucket=bucket, Key=f"{day_index.entry_key(held)}.discarded")
    day_index.enter_published(s3, bucket, held)
    assert shown() is marks.RELEASED


def test_a_key_of_another_form_is_left_alone():
    """As a later version may write it."""
    assert day_index.parse("dt=2026-03-03/v2/whatever") is None


def test_reading_begins_where_it_is_asked_to(s3, bucket):
    """Neighbours and earlier days are not read."""
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        day_index.enter(s3, bucket, record(day=day))
    day_index.enter(s3, bucket, record(use_case="churn_two"))
    found = day_index.read_entries(s3, bucket, "churn", date(2026, 3, 2))
    assert [entry.day.day for entry in found] == [2, 3]
