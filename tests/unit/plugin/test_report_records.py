"""The figures of earlier reports: one a day, those of the execution that stands."""

from datetime import date

from sagemaker_batch import names, records
from sagemaker_batch.report.write import read_report_records


def write(s3, bucket, day, execution, created):
    figures = {"batch_day": str(day), "execution": execution, "execution_created": created}
    records.write(s3, bucket, names.report_record_key("churn", day, execution), figures)


def test_the_newest_execution_counts_and_not_the_last_drawing(s3, bucket):
    """An old run's report that is drawn again does not become the day's; other days and the end stay out."""
    day = date(2026, 3, 3)
    for execution, created in [("new", "2026-03-05T06:00:00+00:00"), ("old", "2026-03-05T07:30:00+02:00"), ("bad", "")]:
        write(s3, bucket, day, execution, created)
    write(s3, bucket, date(2026, 3, 2), "before", "2026-03-03T06:00:00+00:00")
    write(s3, bucket, date(2026, 3, 4), "end", "2026-03-05T06:00:00+00:00")
    found = read_report_records(s3, bucket, "churn", date(2026, 3, 2), date(2026, 3, 4))
    assert [item["execution"] for item in found] == ["before", "new"]
