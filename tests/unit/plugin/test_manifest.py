"""What the manifest does where it is hard: quotes, memory, and others at the same object at the same moment."""

import csv
import io
import tracemalloc

import pytest

from sagemaker_batch import manifest, records
from sagemaker_batch.errors import PublishError

KEY, HISTORY = "churn/published/dt=2026-03-03.json", "churn/history/dt=2026-03-03/"


def arn(number):
    return f"arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/{number:012d}"


def content(number, created):
    """Only what publishing looks at."""
    return {"execution_arn": arn(number), "execution_created": created}


def published(s3, bucket):
    return records.read(s3, bucket, KEY).content["execution_arn"]


class Meanwhile:
    """An S3 at which something happens just before each put to the manifest's key."""

    def __init__(self, s3, *happenings):
        self.s3, self.happenings, self.puts = s3, list(happenings), []

    def __getattr__(self, name):
        return getattr(self.s3, name)

    def put_object(self, **request):
        if request["Key"] == KEY and self.happenings:
            self.happenings.pop(0)()
        self.puts.append(request["Key"])
        return self.s3.put_object(**request)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'"a\nb",0.5\nc,0.25\n', 2),
        (b'"a ""quoted"" id",0.5\n"c, d",0.25', 2),
        (b'"\n\n\n",1\r\n\r\n"x",2\r\n', 2),
        (b'""\n', 1),
        (b" \n\t\n", 0),
    ],
)
def test_a_newline_within_quotes_belongs_to_its_record(s3, bucket, monkeypatch, body, rows):
    """Wherever a chunk happens to end."""
    s3.put_object(Bucket=bucket, Key="x.out", Body=body)
    for size in (1, 2, 3, 7, 1 << 20):
        monkeypatch.setattr(manifest, "CHUNK_BYTES", size)
        assert manifest.count_rows(s3, bucket, "x.out") == rows


def test_rows_are_those_that_a_csv_reader_finds(s3, bucket):
    """Python's own writer and reader agree with the count."""
    text = io.StringIO()
    rows = [["id\n1", "0.5"], ['a "b"', "1"], ["c,d", "2"], ["\n", "3"], ["plain", "4"]] * 40
    csv.writer(text).writerows(rows)
    s3.put_object(Bucket=bucket, Key="x.out", Body=text.getvalue().encode())
    assert manifest.count_rows(s3, bucket, "x.out") == len(list(csv.reader(io.StringIO(text.getvalue(), newline=""))))


def test_predictions_that_end_within_quotes_are_refused(s3, bucket):
    """A truncated object is no short one."""
    s3.put_object(Bucket=bucket, Key="x.out", Body=b'a,1\n"b,2\n')
    with pytest.raises(PublishError, match=r"x\.out ends within quotes: it is truncated"):
        manifest.count_rows(s3, bucket, "x.out")


class Endless:
    """A body of that many bytes without a newline, made as it is read."""

    def __init__(self, size):
        self.left = size

    def read(self, size):
        taken = min(size, self.left)
        self.left -= taken
        return b"x" * taken


def test_counting_holds_no_more_than_a_few_chunks():
    """Not even of an object that is one line of 200 MB."""

    class Client:
        def get_object(self, **_request):
            return {"Body": Endless(200 << 20)}

    tracemalloc.start()
    try:
        assert manifest.count_rows(Client(), "b", "k") == 1
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_each_refusal_has_a_name(s3, bucket):
    """A caller can tell rows that disagree from a newer execution and from a crowd; all are publishing errors."""
    manifest.publish(s3, bucket, KEY, HISTORY, content(2, "2026-03-04T02:00:00+00:00"))
    with pytest.raises(manifest.Superseded, match="does not replace it"):
        manifest.publish(s3, bucket, KEY, HISTORY, content(1, "2026-03-04T01:00:00+00:00"))
    for error in (manifest.RowCountMismatch, manifest.Superseded, manifest.PublishConflict):
        assert issubclass(error, PublishError)


def test_age_is_a_moment_and_not_a_text(s3, bucket):
    """Half past four in Berlin is before four in London, whatever the letters say."""
    manifest.publish(s3, bucket, KEY, HISTORY, content(2, "2026-03-04T04:00:00+00:00"))
    with pytest.raises(manifest.Superseded):
        manifest.publish(s3, bucket, KEY, HISTORY, content(1, "2026-03-04T04:30:00+01:00"))


def test_an_older_one_that_slips_in_before_our_first_put_is_replaced(s3, bucket):
    """The refused put is read back, the other is kept, and the newer execution stands in the end."""

    def older():
        manifest.publish(s3, bucket, KEY, HISTORY, content(1, "2026-03-04T01:00:00+00:00"))

    done = manifest.publish(Meanwhile(s3, older), bucket, KEY, HISTORY, content(2, "2026-03-04T02:00:00+00:00"))
    assert done == manifest.Published("replaced", arn(1))
    assert published(s3, bucket) == arn(2)
    assert records.read(s3, bucket, f"{HISTORY}000000000001.json").content["execution_arn"] == arn(1)


def test_a_newer_one_that_slips_in_before_our_replacement_stays(s3, bucket):
    """What we read is no longer there, so our put is refused and the newer one is found."""
    manifest.publish(s3, bucket, KEY, HISTORY, content(1, "2026-03-04T01:00:00+00:00"))

    def newer():
        manifest.publish(s3, bucket, KEY, HISTORY, content(3, "2026-03-04T03:00:00+00:00"))

    with pytest.raises(manifest.Superseded):
        manifest.publish(Meanwhile(s3, newer), bucket, KEY, HISTORY, content(2, "2026-03-04T02:00:00+00:00"))
    assert published(s3, bucket) == arn(3)


def test_the_former_manifest_is_kept_before_it_is_replaced(s3, bucket):
    """A worker that dies in between has lost nothing."""
    manifest.publish(s3, bucket, KEY, HISTORY, content(1, "2026-03-04T01:00:00+00:00"))
    seen = Meanwhile(s3)
    manifest.publish(seen, bucket, KEY, HISTORY, content(2, "2026-03-04T02:00:00+00:00"))
    assert seen.puts == [f"{HISTORY}000000000001.json", KEY]


def test_a_crowd_ends_in_an_error_and_not_in_a_loop(s3, bucket):
    """Somebody older writes before each of our puts, without end."""

    def shove(number):
        return lambda: records.write(s3, bucket, KEY, content(100 + number, "2026-03-04T01:00:00+00:00"))

    crowd = Meanwhile(s3, *[shove(number) for number in range(manifest.ATTEMPTS + 1)])
    with pytest.raises(manifest.PublishConflict, match="changed by others"):
        manifest.publish(crowd, bucket, KEY, HISTORY, content(2, "2026-03-04T02:00:00+00:00"))
