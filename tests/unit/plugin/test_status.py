"""Statuses of pipeline executions."""

import botocore.session
import pytest

from sagemaker_batch.errors import ExecutionError
from sagemaker_batch.status import MEANINGS, UNSUCCESSFUL, Meaning, is_terminal, meaning


def botocore_statuses():
    model = botocore.session.get_session().get_service_model("sagemaker")
    return model.shape_for("PipelineExecutionStatus").enum


def test_every_status_of_botocore_has_a_meaning():
    """A status that a newer botocore brings fails here before it fools a user."""
    assert set(botocore_statuses()) <= set(MEANINGS)


def test_only_succeeded_is_success():
    """Stopped and CompletedWithFailures are no success, whatever other sensors say."""
    assert [name for name, found in MEANINGS.items() if found is Meaning.SUCCEEDED] == ["Succeeded"]
    assert {"Stopped", "Failed", "CompletedWithFailures"} == UNSUCCESSFUL


def test_stopping_is_not_the_end():
    """An execution that is being stopped may still spend money."""
    assert not is_terminal("Stopping")
    assert is_terminal("Stopped")


def test_an_unknown_status_is_refused_loudly():
    """Neither success nor failure is guessed."""
    with pytest.raises(ExecutionError, match="'Hibernating', which this version does not know"):
        meaning("Hibernating")
