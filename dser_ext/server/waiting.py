"""Waiting for something, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")


async def in_time(awaited: Awaitable[Result], seconds: float) -> Result:
    """What is awaited. Raises asyncio.TimeoutError if it takes longer.

    asyncio.wait_for loses the end of a call that comes together with what it waits for (before Python 3.12), and makes
    a task of its own each time.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    late = loop.call_later(seconds, task.cancel)
    try:
        return await awaited
    except asyncio.CancelledError as error:
        if loop.time() < late.when():
            raise
        raise asyncio.TimeoutError from error
    finally:
        late.cancel()
