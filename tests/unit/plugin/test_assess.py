"""What PrepareBatch read is what the run pinned, file by file."""

import pytest

from sagemaker_batch.assess import _check_sizes
from sagemaker_batch.errors import InputNotReady

PREFIX = "s3://bucket/churn/input/dt=2026-03-03/"


def check(pinned: dict[str, int], read: dict[str, int]) -> None:
    objects = [{"key": f"churn/input/dt=2026-03-03/{name}", "size": size} for name, size in pinned.items()]
    inputs = [{"name": name, "size": size, "md5": ""} for name, size in read.items()]
    _check_sizes({"inputs": inputs}, {"prefix": PREFIX, "objects": objects})


def test_folders_of_a_day_may_use_the_same_names():
    """Hourly files are called alike and differ in size."""
    day = {"hour=00/part-0.csv": 10, "hour=01/part-0.csv": 20}
    check(day, day)


def test_a_marker_that_was_pinned_need_not_be_read():
    """PrepareBatch reads data alone."""
    check({"a.csv": 10, "_done": 0}, {"a.csv": 10})


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ({"hour=00/part-0.csv": 10, "hour=01/part-0.csv": 21}, r"hour=01/part-0\.csv had 20 bytes .* and 21 when"),
        ({"hour=02/part-0.csv": 10}, r"dt=2026-03-03/hour=02/part-0\.csv, which was not there when the run began"),
    ],
)
def test_what_changed_under_the_run_is_named(read, said):
    """Another size, or a file that came later."""
    with pytest.raises(InputNotReady, match=said):
        check({"hour=00/part-0.csv": 10, "hour=01/part-0.csv": 20}, read)
