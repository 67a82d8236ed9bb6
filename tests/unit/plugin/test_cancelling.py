"""A trigger that is cancelled in the middle of a call still learns who cancelled it."""

import asyncio
import threading

import pytest

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
