"""Who asked for what: actions and resources as IAM names them, by the key of the caller."""

from __future__ import annotations

import contextlib

import boto3
import pytest
from botocore.exceptions import ClientError

from sagemaker_local.admin.permissions import of_rest, of_sagemaker
from sagemaker_local.control import Control
from tests.sagemaker_local.conftest import ROLE

API_ONLY = True
REGION, ACCOUNT = "us-east-1", "000000000000"
AT = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"


def rest(operation, path="/", *, query="", form=b"", **headers):
    """Return the permissions of a request."""
    return of_rest(operation, path, query=query, headers=headers, form=form, region=REGION, account=ACCOUNT)


@pytest.mark.parametrize(
    ("operation", "request_", "wanted"),
    [
        ("StartPipelineExecution", {"PipelineName": "p"}, [("sagemaker:StartPipelineExecution", f"{AT}:pipeline/p")]),
        (
            "CreateTransformJob",
            {"ModelName": "m", "TransformJobName": "t"},
            [("sagemaker:CreateTransformJob", f"{AT}:transform-job/t")],
        ),
        (
            "CreateModel",
            {"ModelName": "m", "ExecutionRoleArn": ROLE, "Tags": [{"Key": "a", "Value": "b"}]},
            [
                ("sagemaker:CreateModel", f"{AT}:model/m"),
                ("iam:PassRole", ROLE),
                ("sagemaker:AddTags", f"{AT}:model/m"),
            ],
        ),
        (
            "DescribeModelPackage",
            {"ModelPackageName": f"{AT}:model-package/g/1"},
            [("sagemaker:DescribeModelPackage", f"{AT}:model-package/g/1")],
        ),
        ("ListPipelines", {}, [("sagemaker:ListPipelines", "*")]),
    ],
)
def test_a_request_of_sagemaker_needs_its_operation_and_what_it_hands_on(operation, request_, wanted):
    """The resource is the one that IAM checks; a role is passed, tags are added."""
    assert of_sagemaker(operation, request_, REGION, ACCOUNT) == wanted


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (rest("s3:HeadObject", "/b/a%20key"), [("s3:GetObject", "arn:aws:s3:::b/a key")]),
        (rest("s3:GetObject", "/b/k", query="versionId=3"), [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
        (rest("s3:ListObjectsV2", "/b", query="list-type=2"), [("s3:ListBucket", "arn:aws:s3:::b")]),
        (rest("s3:UploadPart", "/b/k"), [("s3:PutObject", "arn:aws:s3:::b/k")]),
        (
            rest("s3:CopyObject", "/b/k", **{"x-amz-copy-source": "c/j?versionId=1"}),
            [("s3:GetObjectVersion", "arn:aws:s3:::c/j"), ("s3:PutObject", "arn:aws:s3:::b/k")],
        ),
        (
            rest("s3:DeleteObjects", "/b", form=b"<Object><Key>k</Key><VersionId>1</VersionId></Object>"),
            [("s3:DeleteObjectVersion", "arn:aws:s3:::b/*")],
        ),
        (
            rest("lambda:Invoke", "/2015-03-31/functions/f/invocations"),
            [("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f")],
        ),
        (rest("sns:Publish", form=b"Action=Publish&TopicArn=arn%3At"), [("sns:Publish", "arn:t")]),
        (rest("iam:GetRole", form=b"RoleName=r"), [("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/r")]),
        (rest("sts:GetCallerIdentity"), []),
    ],
)
def test_a_request_of_the_rest_needs_what_iam_calls_it(asked, wanted):
    """Operations of the API go by IAM's names, on the ARN that they touch."""
    assert asked == wanted


def test_the_record_tells_callers_apart(local_aws, sagemaker):
    """A refused request counts too, and each stands under the key that signed it."""
    control = Control(local_aws.endpoint_url)
    control.reset_access()
    with contextlib.suppress(ClientError):
        sagemaker.describe_model(ModelName="nobody")
    other = boto3.client(
        "s3",
        endpoint_url=local_aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="somebody-else",
        aws_secret_access_key="any",
    )
    other.list_buckets()
    assert control.access() == {
        "callers": {
            "local": {"sagemaker:DescribeModel": [f"{AT}:model/nobody"]},
            "somebody-else": {"s3:ListAllMyBuckets": ["*"]},
        },
        "left_out": 0,
    }
