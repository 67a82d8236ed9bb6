"""The judgement of a demo: what counts as right, and what is named when it is not."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from local.alertbox import Alert, parse
from local.outcome import DayOutcome, failures, read_record, table

FIRST = date(2026, 3, 3)
KINDS = ("clean", "drifted", "nulls", "missing-column", "drifted")
DAYS = {FIRST + timedelta(days=number): kind for number, kind in enumerate(KINDS)}
DIGEST = Alert("d", "digest", "\n".join(str(day) for day in list(DAYS)[:4]), {"event": "digest"})
SINGLE = Alert("s", "held", str(list(DAYS)[4]), {"event": "verdict"})


def right() -> list[DayOutcome]:
    found = []
    for number, (day, kind) in enumerate(DAYS.items()):
        verdict = {"clean": "clean", "nulls": "warned"}.get(kind, "held")
        published = verdict != "held"
        rows = 700 if published else None
        found.append(
            DayOutcome(
                day=day,
                by_hand=number == 4,
                run_state="success",
                model_version=1,
                rows_given=700,
                rows_in=rows,
                rows_out=rows,
                rows_counted=rows,
                verdict=verdict,
                top=("Day Mins (baseline_drift)",) if verdict != "clean" else (),
                manifest_uri="s3://b/churn/published/x.json" if published else "",
                alerts=(SINGLE,) if number == 4 else (DIGEST,),
            )
        )
    return found


def changed(number: int, **values) -> list[DayOutcome]:
    outcomes = right()
    outcomes[number] = replace(outcomes[number], **values)
    return outcomes


def test_the_expected_end_of_the_generated_days_has_no_failure():
    """Clean published, nulls published with a warning, drifted and broken held, each told where it belongs."""
    assert failures(right(), DAYS) == []


@pytest.mark.parametrize(
    ("outcomes", "named"),
    [
        (changed(1, verdict="clean", manifest_uri="s3://x"), "expected the verdict held, got clean"),
        (changed(1, alerts=()), "no alert arrived"),
        (changed(0, manifest_uri="", verdict="", run_state="failed"), "expected the verdict clean, got none"),
        (changed(0, manifest_uri="", run_state="failed"), "nothing was published (its run is failed)"),
        (changed(0, rows_counted=699), "the predictions hold 699"),
        (changed(0, rows_in=699, rows_out=699, rows_counted=699), "700 in the file"),
        (changed(2, verdict="clean"), "expected the verdict warned"),
        (changed(2, alerts=()), "no alert arrived"),
        (changed(3, manifest_uri="s3://x"), "was published"),
        (changed(4, alerts=(DIGEST,)), "came in a digest"),
        (changed(3, alerts=(replace(DIGEST, attributes={}),)), "paged somebody by itself"),
        (changed(3, alerts=(replace(DIGEST, id="other"),)), "2 digests"),
        (changed(0, alerts=(SINGLE,)), "an alert arrived without need"),
    ],
)
def test_each_deviation_is_named(outcomes, named):
    """The demo says which day and what about it was not as it must be."""
    assert any(named in failure for failure in failures(outcomes, DAYS))


def test_own_days_are_not_held_to_the_generated_kinds():
    """With DAYS= any verdict is right as long as rows agree, what is good is published, and alerts arrived."""
    assert failures(changed(0, manifest_uri=""), {}) != []
    assert failures(changed(0, verdict="warned"), {}) == []
    assert failures(changed(1, alerts=()), {}) != []


def test_the_table_has_a_row_a_day_with_feature_names():
    """A person sees verdict, violations by feature, alert and manifest of each day."""
    lines = table(right()).splitlines()
    assert len(lines) == 2 + len(DAYS)
    assert "Day Mins (baseline_drift)" in lines[3]
    assert "not published" in lines[3]
    assert "digest" in lines[3]


def test_a_verdict_record_is_read():
    """Verdict, version, top features and reasons come from the record, not from the demo."""
    record = {
        "verdict": "held",
        "model": {"version": 3},
        "reasons": ["because"],
        "top_features": [{"feature": "Day Mins", "checks": ["baseline_drift_check"]}],
    }
    assert read_record(record) == ("held", 3, ("Day Mins (baseline_drift)",), ("because",))


def test_snss_envelope_is_opened():
    """The inbox shows the message that was published, not the envelope that it travelled in."""
    body = (
        '{"Type": "Notification", "MessageId": "1", "Subject": "s", "Message": "2026-03-03 held", '
        '"Timestamp": "t", "MessageAttributes": {"event": {"Type": "String", "Value": "digest"}}}'
    )
    alert = parse({"MessageId": "0", "Body": body})
    assert alert.is_digest
    assert alert.concerns(date(2026, 3, 3))
    assert not alert.concerns(date(2026, 3, 4))
    assert parse({"MessageId": "0", "Body": "plain"}).text == "plain"
