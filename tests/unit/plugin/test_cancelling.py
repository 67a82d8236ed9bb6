"""A trigger that is cancelled in the middle of a call still learns who cancelled it."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from sagemaker_batch import trigger as triggers
from sagemaker_batch.kill import Cause
from sagemaker_batch.trigger import PipelineTrigger

ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"


class Slow:
    """A client whose answer comes when the test lets it come."""

    def __init__(self):
        self.asked = threading.Event()
        self.answer = threading.Event()

    def describe_pipeline_execution(self, **_):
        self.asked.set()
        self.answer.wait(30)
        raise RuntimeError("nobody listens any more")


def test_a_persons_act_during_a_poll_keeps_its_message(monkeypatch):
    """Airflow calls on_kill only when the cancellation arrives with the message that it was sent with."""
    client = Slow()
    monkeypatch.setattr(PipelineTrigger, "_client", lambda _self: client)
    trigger = PipelineTrigger(ARN, poll_seconds=0.01, first_poll_seconds=0.01)

    async def cancelled():
        waiting = asyncio.create_task(anext(trigger.run()))
        assert await asyncio.to_thread(client.asked.wait, 30)
        waiting.cancel("a person's act")
        try:
            with pytest.raises(asyncio.CancelledError) as told:
                await waiting
        finally:
            client.answer.set()
        return told.value.args

    assert asyncio.run(cancelled()) == ("a person's act",)


def test_what_a_kill_has_begun_is_done_although_the_triggerer_cancels_it_again(monkeypatch):
    """Airflow 3.3.1 cancels a trigger at each round until it has ended, also in the middle of on_kill."""
    asked, answer, stopped = threading.Event(), threading.Event(), []

    def why(_ti):
        asked.set()
        answer.wait(30)
        return Cause.FAILED

    monkeypatch.setattr(triggers, "cause", why)
    monkeypatch.setattr(PipelineTrigger, "_client", lambda _self: "a client")
    monkeypatch.setattr("sagemaker_batch.execution.stop", lambda *given: stopped.append(given) or True)
    trigger = PipelineTrigger(ARN, stop_token="a token")
    trigger.task_instance = SimpleNamespace(task_id="start")

    async def killed():
        killing = asyncio.create_task(trigger.on_kill())
        assert await asyncio.to_thread(asked.wait, 30)
        killing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killing
        assert not stopped
        answer.set()
        await asyncio.wait(triggers.ENDINGS, timeout=30)

    asyncio.run(killed())
    assert stopped == [("a client", ARN, "a token")]
    assert not triggers.ENDINGS
