"""Turns: who may compute next. Work is done in steps of a fraction of a second, the callers' in turn.

So a short line does not wait for a long one, however many a caller has sent, and work that nobody waits for any more
ends with its step.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from dser_ext.server.journal import Caller

REMEMBERED = 4096  # callers

Said = TypeVar("Said")
Result = TypeVar("Result")


class Turns:
    """Takes steps in so many threads, and urgent ones in as many again. Belongs to one event loop."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(2 * threads, thread_name_prefix="recognition")
        self._free = self._spare = threads
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._given = 0
        self._latest: OrderedDict[str, int] = OrderedDict()  # number of the turn that each caller had last

    @property
    def waiting(self) -> int:
        """How many steps wait for their turn."""
        return sum(not turn.done() for turns in self._waiting.values() for turn in turns)

    async def work(
        self, caller: Caller, steps: Generator[Said, None, Result], said: Callable[[Said], None] | None = None
    ) -> Result:
        """Take all steps of a caller's work, and return what they come to.

        said: is told what every step yields. Raises what the steps raise. If the task is cancelled, no other step is
        taken, and the steps are closed.
        """
        try:
            while True:
                async with self._turn(caller):
                    over, result, what = await self._in_thread(caller, lambda: _step(steps))
                if over:
                    return result  # type: ignore[return-value]
                if said is not None:
                    said(what)  # type: ignore[arg-type]
        finally:
            steps.close()

    async def once(self, caller: Caller, function: Callable[[], Result], *, urgent: bool = False) -> Result:
        """Do something that is one step.

        urgent: at once, beside the steps that are under way; where that is done already, before all callers that wait.
        """
        if not (urgent and self._spare):
            async with self._turn(caller, urgent):
                return await self._in_thread(caller, function)
        self._spare -= 1
        try:
            return await self._in_thread(caller, function)
        finally:
            self._spare += 1

    def close(self) -> None:
        """No more steps."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _turn(self, caller: Caller, urgent: bool = False) -> AsyncIterator[None]:
        if self._free:
            self._free -= 1
            self._note(caller.name)
        else:
            start = time.perf_counter()
            await self._wait(caller.name, urgent)
            caller.waited_seconds += time.perf_counter() - start
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, caller: str, urgent: bool) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        if urgent:
            self._latest.pop(caller, None)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given the turn in the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the turn to the caller that has waited longest since its last one."""
        while self._waiting:
            caller = min(self._waiting, key=lambda name: self._latest.get(name, 0))
            turn = self._waiting[caller].popleft()
            if not self._waiting[caller]:
                del self._waiting[caller]
            if not turn.done():
                self._note(caller)
                turn.set_result(None)
                return
        self._free += 1

    def _note(self, caller: str) -> None:
        self._given += 1
        self._latest[caller] = self._given
        self._latest.move_to_end(caller)
        if len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)

    async def _in_thread(self, caller: Caller, function: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        running = asyncio.get_running_loop().run_in_executor(self._executor, function)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():  # what it works on must not be closed under it
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            running.exception()
            raise
        finally:
            caller.computed_seconds += time.perf_counter() - start


def _step(steps: Generator[Said, None, Result]) -> tuple[bool, Result | None, Said | None]:
    """Whether the steps are over, and what they came to, or what this one yields: a future takes no StopIteration."""
    try:
        return False, None, next(steps)
    except StopIteration as end:
        return True, end.value, None
