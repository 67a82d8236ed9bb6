"""Removing what deployment made: again after it was made again, and with executions at work."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from include.infrastructure import messaging, removal, storage
from include.infrastructure.__main__ import main
from include.infrastructure.removal import _end_execution, _remove_versions
from include.infrastructure.site import DeploymentError, Site

ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"


class SageMaker:
    """Answers with one status after the other, and remembers what it was asked to stop."""

    def __init__(self, *statuses, refuses=""):
        self.statuses, self.refuses, self.stopped = list(statuses), refuses, 0

    def describe_pipeline_execution(self, **_):
        return {"PipelineExecutionStatus": self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]}

    def stop_pipeline_execution(self, **_):
        self.stopped += 1
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses, "Message": "no"}}, "StopPipelineExecution")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(removal, "STOP_PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize("refuses", ["", "ConflictException"])
def test_an_execution_has_ended_before_its_pipeline_goes(refuses):
    """Also one that is stopping already, or ends between two looks."""
    sagemaker = SageMaker("Executing", "Stopping", "Stopping", "Stopped", refuses=refuses)
    _end_execution(SimpleNamespace(sagemaker=sagemaker), ARN)
    assert (sagemaker.stopped, sagemaker.statuses) == (1, ["Stopped"])


def test_an_execution_that_has_ended_is_left_alone():
    """It was at work when the list was made."""
    sagemaker = SageMaker("Succeeded")
    _end_execution(SimpleNamespace(sagemaker=sagemaker), ARN)
    assert sagemaker.stopped == 0


def test_one_that_does_not_end_is_named(monkeypatch):
    """Nothing waits for ever, and nothing is removed under it."""
    monkeypatch.setattr(removal, "STOP_SECONDS", 0.0)
    with pytest.raises(DeploymentError, match=ARN):
        _end_execution(SimpleNamespace(sagemaker=SageMaker("Stopping")), ARN)


def test_what_was_made_again_is_removed_again(aws, capsys):
    """A token that was used once would be answered from memory, and remove nothing."""
    for _ in range(2):
        assert main(["apply"]) == 0
        assert aws("sagemaker").list_pipelines()["PipelineSummaries"]
        assert main(["destroy", "--yes"]) == 0
        assert aws("sagemaker").list_pipelines()["PipelineSummaries"] == []
    capsys.readouterr()


def test_the_bucket_gets_the_environments_tags_beside_those_of_others(aws, environment):
    """Its storage is a part of the costs; what another team or a stack has put on stays."""
    tagged = environment.model_copy(update={"tags": {"cost-center": "data"}})

    def bucket(which):
        with Site(which, [], act=True) as site:
            change = storage.bucket(site)
            return change.outcome, change.details

    assert bucket(environment)[0] == "created"
    theirs = [{"Key": "owner", "Value": "them"}]
    aws("s3").put_bucket_tagging(Bucket=environment.bucket, Tagging={"TagSet": theirs})
    assert bucket(environment)[0] == "unchanged"
    outcome, (line,) = bucket(tagged)
    assert (outcome, line.startswith("tags: ")) == ("updated", True)
    assert bucket(tagged)[0] == "unchanged"
    found = aws("s3").get_bucket_tagging(Bucket=environment.bucket)["TagSet"]
    assert {item["Key"]: item["Value"] for item in found} == {"owner": "them", "cost-center": "data"}


def test_the_topic_gets_the_environments_key(aws, environment):
    """Made with it, and an older topic without one is found and set right."""
    keyed = environment.model_copy(update={"kms_key": "arn:aws:kms:us-east-1:000000000000:key/k"})

    def topic(which):
        with Site(which, [], act=True) as site:
            return messaging.topic(site).outcome

    assert [topic(environment), topic(environment), topic(keyed), topic(keyed)] == [
        "created",
        "unchanged",
        "updated",
        "unchanged",
    ]


def test_objects_that_s3_kept_are_told():
    """S3 refuses single objects within an answer that is none: unread, they would count as removed."""
    answer = {"Errors": [{"Key": "churn/x", "Code": "AccessDenied"}]}
    s3 = SimpleNamespace(delete_objects=lambda **_: answer)
    site = SimpleNamespace(s3=s3, environment=SimpleNamespace(bucket="b"))
    with pytest.raises(DeploymentError, match=r"kept 1 of 2 objects of b, such as churn/x: AccessDenied"):
        _remove_versions(site, [{"Key": "churn/x", "VersionId": "1"}, {"Key": "churn/y", "VersionId": "1"}])
