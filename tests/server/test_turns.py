"""Turns are fair, none is lost or given twice, and nobody computes for those who have left."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.server.journal import Caller
from dser_ext.server.turns import Turns


def steps(count: int, seconds: float = 0.001, done: list | None = None, name: str = "") -> Generator[int, None, str]:
    for number in range(count):
        time.sleep(seconds)
        if done is not None:
            done.append(name)
        yield number
    return name


def test_work_is_done_step_by_step_and_its_result_comes_back():
    async def main() -> None:
        turns, told = Turns(1), []
        assert await turns.work(Caller("a"), steps(3, name="done"), told.append) == "done"
        assert told == [0, 1, 2]
        assert await turns.once(Caller("a"), lambda: 7) == 7

    asyncio.run(main())


def test_what_the_work_raises_comes_back_and_the_turn_goes_on():
    def fails() -> Generator[int, None, None]:
        yield 1
        raise OSError("broken")

    async def main() -> None:
        turns = Turns(1)
        with pytest.raises(OSError, match="broken"):
            await turns.work(Caller("a"), fails())
        assert await turns.once(Caller("a"), lambda: 7) == 7

    asyncio.run(main())


def test_a_short_line_does_not_wait_for_all_of_somebody_elses():
    done: list[str] = []

    async def main() -> None:
        turns = Turns(1)
        long = [asyncio.ensure_future(turns.work(Caller("many"), steps(30, done=done, name="many"))) for _ in range(5)]
        await asyncio.sleep(0.02)
        before = len(done)
        await turns.work(Caller("one"), steps(3, done=done, name="one"))
        assert len(done) - before <= 3 + 4 + 1  # turn about, and what was under way
        await asyncio.gather(*long)

    asyncio.run(main())


def test_what_is_urgent_comes_before_all_who_wait():
    done: list[str] = []

    async def main() -> None:
        turns = Turns(1)
        others = [
            asyncio.ensure_future(turns.work(Caller(f"{n}"), steps(9, done=done, name="other"))) for n in range(9)
        ]
        await asyncio.sleep(0.01)
        before = len(done)
        await turns.once(Caller("live"), lambda: done.append("live"), urgent=True)
        assert len(done) - before <= 3
        await asyncio.gather(*others)

    asyncio.run(main())


def test_who_leaves_takes_no_further_step():
    done: list[str] = []

    async def main() -> None:
        turns = Turns(1)
        working = asyncio.ensure_future(turns.work(Caller("a"), steps(1000, done=done)))
        await asyncio.sleep(0.05)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        count = len(done)
        await asyncio.sleep(0.05)
        assert len(done) == count < 1000

    asyncio.run(main())


def test_waiting_and_computing_are_told_apart():
    async def main() -> None:
        turns, first, second = Turns(1), Caller("a"), Caller("b")
        await asyncio.gather(turns.once(first, lambda: time.sleep(0.1)), turns.once(second, lambda: time.sleep(0.1)))
        assert first.waited_seconds < 0.05 < second.waited_seconds
        assert min(first.computed_seconds, second.computed_seconds) >= 0.1

    asyncio.run(main())


@settings(max_examples=30, deadline=None)
@given(
    threads=st.integers(1, 3),
    work=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=20),
)
def test_whoever_leaves_whenever_no_turn_is_lost_or_doubled(threads, work):
    running, most, lock = [0], [0], threading.Lock()

    def counted(count: int) -> Generator[None, None, int]:
        for _ in range(count):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.0005)
            with lock:
                running[0] -= 1
            yield
        return count

    async def main() -> None:
        turns = Turns(threads)
        tasks = [asyncio.ensure_future(turns.work(Caller(str(who)), counted(count))) for who, count, _ in work]
        leaving = [(task, after) for task, (_, _, after) in zip(tasks, work, strict=True) if after < 5]
        for task, after in sorted(leaving, key=lambda one: one[1]):
            await asyncio.sleep(after * 0.0003)
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for (_, count, _), result in zip(work, results, strict=True):
            assert result == count or isinstance(result, asyncio.CancelledError)
        assert most[0] <= threads
        assert turns.waiting == 0
        again = await asyncio.wait_for(asyncio.gather(*[turns.work(Caller("z"), counted(2)) for _ in range(4)]), 5)
        assert again == [2, 2, 2, 2]

    asyncio.run(main())
