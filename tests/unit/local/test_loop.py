"""The drift story: its use case is churn's with a reviewer and retraining, and its table can be followed."""

from datetime import UTC, datetime

from local import loop
from sagemaker_batch.use_case import load_use_case


def test_the_storys_use_case_is_churns_with_what_the_loop_needs(tmp_path):
    """Nothing that is compiled into the pipelines differs, so that the deployed ones serve it."""
    shipped = load_use_case(loop.SHIPPED)
    made = load_use_case(loop.write_use_cases(tmp_path / "use_cases") / loop.SHIPPED.name)
    assert (made.approval, made.retraining.enabled, made.retraining.drift_days) == ("airflow", True, loop.DRIFTING_DAYS)
    assert made.schedule.start_date == datetime.now(UTC).date()
    for section in ("name", "data", "model", "monitor", "alerts", "severity"):
        assert getattr(made, section) == getattr(shipped, section)


def test_the_table_tells_what_happened_and_who_heard():
    """One line a step, and one below it for each alert."""
    rows = [
        loop.Row(
            "day 2026-03-03", "held", "version 1", ("[critical] churn 2026-03-03: held; again", "[warning] another")
        ),
        loop.Row("watchdog", "requests a model"),
    ]
    assert loop.table(rows).splitlines() == [
        "day 2026-03-03  version 1  held",
        "                           alert: [critical] churn 2026-03-03: held; again",
        "                           alert: [warning] another",
        "watchdog                   requests a model",
    ]
