"""Threads for the blocking calls of our triggers, and the way into them from an event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# All triggers of a triggerer share the event loop's own threads, four more than it has cores. botocore repeats a call
# that was throttled within its thread, so that in a storm all of them sleep, and nothing else comes to its turn.
# These are made as they are needed, and one that sleeps costs next to nothing.
LOOKS = 64
LOOKING = ThreadPoolExecutor(LOOKS, "sagemaker-batch-look")
# What a person ended must not go on because others look: never the same threads.
ENDING = ThreadPoolExecutor(16, "sagemaker-batch-end")


async def in_thread(threads: ThreadPoolExecutor, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what the call returns, made in one of the threads; it goes on when whoever awaits it is cancelled."""
    # asgiref's bridge lets the hook ask the triggerer for its connection from the thread; asyncio's would not.
    from asgiref.sync import sync_to_async

    made = sync_to_async(call, thread_sensitive=False, executor=threads)
    # Cancelled itself, asgiref raises another CancelledError, without the message by which the triggerer tells a
    # person's act from its own end: on_kill would not be called, and the execution would go on.
    answer = asyncio.ensure_future(made(*args, **kwargs))
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(answer)
