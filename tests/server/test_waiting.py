"""Nobody waits for ever, and an end is never lost."""

from __future__ import annotations

import asyncio

import pytest

from dser_ext.server.waiting import in_time


def test_what_comes_in_time_is_given():
    async def main() -> None:
        assert await in_time(asyncio.sleep(0, "here"), 1) == "here"
        await asyncio.sleep(0.01)  # and nothing comes after it

    asyncio.run(main())


def test_what_comes_too_late_is_given_up():
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await in_time(asyncio.Event().wait(), 0.01)
        await asyncio.sleep(0)

    asyncio.run(main())


def test_what_goes_wrong_is_told():
    async def fail() -> None:
        raise OSError("broken")

    async def main() -> None:
        with pytest.raises(OSError, match="broken"):
            await in_time(fail(), 1)

    asyncio.run(main())


def test_who_is_told_to_end_as_it_comes_ends():
    async def main() -> None:
        coming = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(in_time(coming, 1))
        await asyncio.sleep(0)
        coming.set_result("here")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
