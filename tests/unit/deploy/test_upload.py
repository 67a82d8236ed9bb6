"""Uploading the bundle of Amazon MWAA."""

import pytest

from include.infrastructure.environment import EnvironmentFileError, Mwaa
from include.infrastructure.upload import upload

BUCKET = "mwaa-bucket"
FILES = {"dags/batch_monitor.py": b"one", "dags/old.py": b"two", "plugins.zip": b"zip", "startup.sh": b"export A=1\n"}


@pytest.fixture
def bucket(aws, environment):
    aws("s3").create_bucket(Bucket=BUCKET)
    aws("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    aws("s3").put_object(Bucket=BUCKET, Key="dags/of_another_team.py", Body=b"theirs")
    return environment.model_copy(update={"mwaa": Mwaa(bucket=BUCKET, environment="analytics")})


def keys(aws):
    return {item["Key"] for item in aws("s3").list_objects_v2(Bucket=BUCKET)["Contents"]}


def test_an_upload_changes_only_what_differs_and_says_the_way_back(aws, bucket, capsys):
    """A second upload puts nothing; a changed plugins.zip comes with the command to take it and the one to go back."""
    first = upload(bucket, FILES)
    assert set(first) == set(FILES)
    capsys.readouterr()
    assert upload(bucket, FILES) == {}
    # The command once more: whoever was interrupted has not seen it.
    again = capsys.readouterr().out
    assert "Nothing differed" in again
    assert f"--plugins-s3-path plugins.zip --plugins-s3-object-version {first['plugins.zip']}" in again
    assert f"--startup-script-s3-path startup.sh --startup-script-s3-object-version {first['startup.sh']}" in again
    changed = {name: content for name, content in FILES.items() if name != "dags/old.py"} | {"plugins.zip": b"new"}
    second = upload(bucket, changed)
    assert set(second) == {"plugins.zip"}
    said = capsys.readouterr().out
    assert "--name analytics" in said
    assert f"--plugins-s3-object-version {second['plugins.zip']}" in said
    assert f"--plugins-s3-object-version {first['plugins.zip']}" in said
    assert keys(aws) >= {"dags/batch_monitor.py", "dags/of_another_team.py", "plugins.zip"}
    assert "dags/old.py" not in keys(aws)


def test_a_bucket_without_versions_is_refused_before_anything_is_put(aws, bucket):
    """MWAA takes plugins.zip by its version; a command with an empty one would help nobody."""
    aws("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(EnvironmentFileError, match="keeps no versions"):
        upload(bucket, FILES)
    assert keys(aws) == {"dags/of_another_team.py"}


def test_an_environment_without_mwaa_says_what_to_add(environment):
    """Nobody's bucket is guessed."""
    with pytest.raises(EnvironmentFileError, match="names no MWAA"):
        upload(environment, FILES)
