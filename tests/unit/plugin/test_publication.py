"""How a day becomes visible: the manifest, its races, and what keeps it from being written."""

import gzip
import json
import pathlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import jsonschema
import pytest

from sagemaker_batch import manifest, records
from sagemaker_batch.errors import InputNotReady, PublishError
from sagemaker_batch.inputs import check_unchanged, data_objects, list_input, why_not_ready
from sagemaker_batch.use_case import Ready

KEY, HISTORY = "churn/published/dt=2026-03-03.json", "churn/history/dt=2026-03-03/"
CONTRACT = json.loads((pathlib.Path(__file__).parents[3] / "docs/contracts/manifest.schema.json").read_text())
DAY_PREFIX = "churn/input/dt=2026-03-03/"


def arn(number):
    return f"arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/{number:012d}"


def content(number=1, hour=1, rows_out=7):
    return manifest.build(
        use_case="churn",
        batch_day="2026-03-03",
        predictions=[{"uri": "s3://b/churn/batches/dt=2026-03-03/x/predictions/features.csv.out", "rows": rows_out}],
        rows_in=7,
        rows_out=rows_out,
        model={
            "arn": "arn:aws:sagemaker:us-east-1:000000000000:model-package/g/1",
            "version": 1,
            "constraints_uri": "s3://b/c.json",
        },
        execution={"arn": arn(number), "created": f"2026-03-04T{hour:02d}:00:00+00:00", "status": "Succeeded"},
        verdict={"verdict": "clean", "violations": [], "violated_features": [], "uri": "s3://b/churn/verdicts/x.json"},
        inputs=[{"key": "k", "size": 1, "etag": "e", "version_id": "", "modified": "2026-03-04T00:00:00+00:00"}],
        code={"scripts_digest": "d", "dag_version": "v"},
        run={"dag_id": "d", "run_id": "r", "run_type": "backfill", "triggered_by": "me", "dag_version": "v"},
        now=datetime(2026, 3, 4, tzinfo=UTC),
    )


def published(s3, bucket):
    return json.loads(s3.get_object(Bucket=bucket, Key=KEY)["Body"].read())["execution_arn"]


def test_a_manifest_keeps_its_contract():
    """What consumers read is what docs/contracts promises."""
    jsonschema.validate(content(), CONTRACT, format_checker=jsonschema.FormatChecker())


def test_rows_that_disagree_publish_nothing():
    """One row short, and there is no manifest."""
    with pytest.raises(PublishError, match="7 rows in and 6 predictions"):
        content(rows_out=6)


def test_the_first_put_creates(s3, bucket):
    """There was none."""
    assert manifest.publish(s3, bucket, KEY, HISTORY, content()).how == "created"


def test_publishing_again_changes_nothing(s3, bucket):
    """A retry of the task finds its own manifest."""
    manifest.publish(s3, bucket, KEY, HISTORY, content())
    before = s3.head_object(Bucket=bucket, Key=KEY)["VersionId"]
    assert manifest.publish(s3, bucket, KEY, HISTORY, content()).how == "unchanged"
    assert s3.head_object(Bucket=bucket, Key=KEY)["VersionId"] == before


def test_a_newer_execution_replaces_and_keeps_the_former(s3, bucket):
    """The former manifest stands in the history under its execution."""
    manifest.publish(s3, bucket, KEY, HISTORY, content(1, hour=1))
    assert manifest.publish(s3, bucket, KEY, HISTORY, content(2, hour=2)) == manifest.Published("replaced", arn(1))
    kept = records.read(s3, bucket, f"{HISTORY}000000000001.json")
    assert kept.content["execution_arn"] == arn(1)


def test_an_older_execution_never_replaces_a_newer_one(s3, bucket):
    """The loser says who won."""
    manifest.publish(s3, bucket, KEY, HISTORY, content(2, hour=2))
    with pytest.raises(PublishError, match="published by a newer execution"):
        manifest.publish(s3, bucket, KEY, HISTORY, content(1, hour=1))
    assert published(s3, bucket) == arn(2)


class LostAnswer:
    """An S3 whose first put arrives and is never answered; botocore's own retry then meets its own object."""

    def __init__(self, s3, lost="put"):
        self.s3, self.losing = s3, True

    def __getattr__(self, name):
        return getattr(self.s3, name)

    def put_object(self, **request):
        if self.losing and request["Key"] == KEY:
            self.losing = False
            self.s3.put_object(**request)
        return self.s3.put_object(**request)


def test_a_lost_answer_is_found_by_reading_back(s3, bucket):
    """A 412 with our own execution in the object means that we had won."""
    assert manifest.publish(LostAnswer(s3), bucket, KEY, HISTORY, content()).how == "created"
    assert manifest.publish(LostAnswer(s3), bucket, KEY, HISTORY, content(2, hour=2)).how == "replaced"
    assert published(s3, bucket) == arn(2)


def test_of_several_at_once_the_newest_wins(s3, bucket):
    """Whatever the order, one winner stays, and it is the newest."""

    def attempt(number):
        try:
            return manifest.publish(s3, bucket, KEY, HISTORY, content(number, hour=number)).how
        except PublishError:
            return "refused"

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(attempt, range(1, 7)))
    assert published(s3, bucket) == arn(6)


@pytest.mark.parametrize(
    ("body", "rows"), [(b"", 0), (b"a,1\n", 1), (b"a,1\nb,2", 2), (b"a,1\r\nb,2\r\n", 2), (b"\n\na,1\n\n", 1)]
)
def test_rows_are_lines_that_say_something(s3, bucket, body, rows):
    """With or without a last newline."""
    s3.put_object(Bucket=bucket, Key="x.out", Body=body)
    assert manifest.count_rows(s3, bucket, "x.out") == rows


def test_rows_are_counted_across_chunks(s3, bucket, monkeypatch):
    """A line that a chunk cuts in two counts once."""
    monkeypatch.setattr(manifest, "CHUNK_BYTES", 3)
    s3.put_object(Bucket=bucket, Key="x.out", Body=b"abcd,1\nefgh,2\n" * 50)
    assert manifest.count_rows(s3, bucket, "x.out") == 100


def put(s3, bucket, name, body=b"a,b\n1,2\n"):
    s3.put_object(Bucket=bucket, Key=DAY_PREFIX + name, Body=body)


def prefix(bucket):
    return f"s3://{bucket}/{DAY_PREFIX}"


def test_input_is_pinned_with_its_versions(s3, bucket):
    """Key, size, ETag and version id name exactly what is to be scored."""
    put(s3, bucket, "a.csv")
    (found,) = list_input(s3, prefix(bucket))
    assert (found.key, found.size) == (DAY_PREFIX + "a.csv", 8)
    assert found.etag
    assert found.version_id


@pytest.mark.parametrize("change", ["replace", "delete", "add"])
def test_input_that_changes_under_a_run_is_an_error(s3, bucket, change):
    """Even the same bytes put again are another version."""
    put(s3, bucket, "a.csv")
    pinned = [item.as_dict() for item in list_input(s3, prefix(bucket))]
    check_unchanged(pinned, list_input(s3, prefix(bucket)), prefix(bucket))
    if change == "delete":
        s3.delete_object(Bucket=bucket, Key=DAY_PREFIX + "a.csv")
    else:
        put(s3, bucket, "b.csv" if change == "add" else "a.csv")
    with pytest.raises(InputNotReady, match="changed while the run was at work"):
        check_unchanged(pinned, list_input(s3, prefix(bucket)), prefix(bucket))


def ready(**rule):
    return Ready.model_validate(rule)


def test_a_day_without_objects_is_not_ready(s3, bucket):
    """The message names the prefix that was looked at."""
    assert prefix(bucket) in why_not_ready(
        list_input(s3, prefix(bucket)), prefix(bucket), ready(files=["*.csv"]), datetime.now(UTC)
    )


def test_a_marker_makes_a_day_ready(s3, bucket):
    """Data alone are not enough, nor is the marker alone; and the marker is no data."""
    rule, now = ready(success_object="_SUCCESS"), datetime.now(UTC)
    put(s3, bucket, "a.csv", gzip.compress(b"x"))
    assert "_SUCCESS is not among them" in why_not_ready(list_input(s3, prefix(bucket)), prefix(bucket), rule, now)
    put(s3, bucket, "_SUCCESS", b"")
    objects = list_input(s3, prefix(bucket))
    assert why_not_ready(objects, prefix(bucket), rule, now) == ""
    assert [item.key for item in data_objects(objects, rule)] == [DAY_PREFIX + "a.csv"]
    assert "no data" in why_not_ready(objects[:1], prefix(bucket), rule, now)


def test_every_pattern_needs_a_file_and_quiet(s3, bucket):
    """All expected files are there, and none changed a moment ago."""
    put(s3, bucket, "east-1.csv")
    objects, now = list_input(s3, prefix(bucket)), datetime.now(UTC)
    assert "'west-*.csv'" in why_not_ready(objects, "p", ready(files=["east-*.csv", "west-*.csv"]), now)
    assert "less than 600 s ago" in why_not_ready(objects, "p", ready(files=["*.csv"], quiet_seconds=600), now)
    assert why_not_ready(objects, "p", ready(files=["*.csv"]), now) == ""
