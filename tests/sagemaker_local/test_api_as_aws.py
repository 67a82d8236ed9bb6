"""The checks that are written for a real account, against ours; and that they leave nothing behind."""

from __future__ import annotations

import pytest

from tests.aws import control_plane
from tests.sagemaker_local.conftest import ROLE


@pytest.fixture
def account(sagemaker):
    made = control_plane.Account(sagemaker, ROLE, "image")
    yield made
    made.clean()


@pytest.mark.parametrize("check", control_plane.CHECKS, ids=lambda check: check.__name__)
def test_we_do_as_an_account_does(account, check):
    """The same assertions as tests/aws, where COVERAGE.md's column for AWS will come from."""
    check(account)


def test_cleaning_leaves_nothing(sagemaker):
    """Also after a check that broke off half way, and for what a killed run left."""
    account = control_plane.Account(sagemaker, ROLE, "image")
    account.pipeline()
    account.name("pipeline")
    group = account.group()
    account.package(group)
    account.clean()
    left = control_plane.Account(sagemaker, ROLE, "image")
    name = left.pipeline()
    left.package(left.group())
    assert name in control_plane.sweep(sagemaker, older_than_seconds=-60)
    assert control_plane.sweep(sagemaker, older_than_seconds=-60) == []
    prefix = {"PipelineNamePrefix": control_plane.PREFIX.rstrip("-")}
    assert sagemaker.list_pipelines(**prefix)["PipelineSummaries"] == []
