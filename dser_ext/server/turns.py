"""Turns: who may compute next. Work is done in steps of some tens of milliseconds, the callers' in turn.

So a short line does not wait for a long one, however many a caller has sent, and work that nobody waits for any more
ends with its step.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

Said = TypeVar("Said")
Result = TypeVar("Result")


class Turns:
    """Takes steps in so many threads, and urgent ones in as many again. Belongs to one event loop."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(2 * threads, thread_name_prefix="recognition")
        self._free = self._spare = threads
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many steps wait for their turn."""
        return sum(not turn.done() for turns in self._waiting.values() for turn in turns)

    async def work(
        self, caller: str, steps: Generator[Said, None, Result], said: Callable[[Said], None] | None = None
    ) -> Result:
        """Take all steps of a caller's work, and return what they come to.

        said: is told what every step yields. Raises what the steps raise. If the task is cancelled, no other step is
        taken, and the steps are closed.
        """
        try:
            while True:
                async with self._turn(caller):
                    over, result, what = await self._in_thread(lambda: _step(steps))
                if over:
                    return result  # type: ignore[return-value]
                if said is not None:
                    said(what)  # type: ignore[arg-type]
        finally:
            steps.close()

    async def once(self, caller: str, function: Callable[[], Result], *, urgent: bool = False) -> Result:
        """Do something that is one step.

        urgent: at once, beside the steps that are under way; where that is done already, before all callers that wait.
        """
        if not (urgent and self._spare):
            async with self._turn(caller, urgent):
                return await self._in_thread(function)
        self._spare -= 1
        try:
            return await self._in_thread(function)
        finally:
            self._spare += 1

    def close(self) -> None:
        """No more steps."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _turn(self, caller: str, urgent: bool = False) -> AsyncIterator[None]:
        if self._free:
            self._free -= 1
        else:
            await self._wait(caller, urgent)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, caller: str, urgent: bool) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        if urgent:
            self._waiting.move_to_end(caller, last=False)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given the turn in the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the turn to the caller that has waited longest since its last one."""
        while self._waiting:
            caller, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[caller] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        running = asyncio.get_running_loop().run_in_executor(self._executor, function)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():  # what it works on must not be closed under it
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            running.exception()
            raise


def _step(steps: Generator[Said, None, Result]) -> tuple[bool, Result | None, Said | None]:
    """Whether the steps are over, and what they came to, or what this one yields: a future takes no StopIteration."""
    try:
        return False, None, next(steps)
    except StopIteration as end:
        return True, end.value, None
