"""`control_plane` against a real account: `BATCH_TEST_AWS=1 BATCH_TEST_AWS_ROLE=arn:aws:iam::...:role/...`.

Credentials and region are boto3's own. It costs nothing: pipelines, model package groups, packages and tags are free,
and no execution starts a machine. The role must be one that SageMaker may assume; the caller needs
`sagemaker:*Pipeline*`, `sagemaker:*ModelPackage*`, `sagemaker:*Tags` and `iam:PassRole` on it. Everything made is
removed when a test ends, and what a killed run left is removed by the next one.
"""

from __future__ import annotations

import os

import boto3
import pytest

from tests.aws import control_plane

ENABLED = os.environ.get("BATCH_TEST_AWS") == "1"
pytestmark = [pytest.mark.aws, pytest.mark.skipif(not ENABLED, reason="needs a real AWS account (BATCH_TEST_AWS=1)")]
LEFT_BEHIND_SECONDS = 3600.0
# The built-in XGBoost image of us-east-1; another region names its own.
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


@pytest.fixture(scope="module")
def sagemaker():
    client = boto3.client("sagemaker")
    control_plane.sweep(client, LEFT_BEHIND_SECONDS)
    yield client
    client.close()


@pytest.mark.parametrize("check", control_plane.CHECKS, ids=lambda check: check.__name__)
def test_the_account_does_as_expected(sagemaker, check):
    """One check of control_plane, with its resources removed whatever comes of it."""
    role = os.environ.get("BATCH_TEST_AWS_ROLE")
    assert role, "Name a role that SageMaker may assume: BATCH_TEST_AWS_ROLE=arn:aws:iam::<account>:role/<name>"
    account = control_plane.Account(sagemaker, role, os.environ.get("BATCH_TEST_AWS_IMAGE", IMAGE))
    try:
        check(account)
    finally:
        account.clean()
