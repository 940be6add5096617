"""Work: what takes time, done in threads, so that the UI never waits; results are fetched once a frame."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


class CancelledError(Exception):
    """Nobody wants the result any more."""


@dataclass
class Task:
    """Something that is being done. stage, done, total: how far it is, in seconds of sound; total 0 if unknown."""

    name: str
    stage: str = ""
    done: float = 0.0
    total: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)

    def report(self, stage: str, done: float, total: float) -> None:
        """Say how far it is. Raises CancelledError if it is to stop."""
        if self.cancelled.is_set():
            raise CancelledError
        self.stage, self.done, self.total = stage, done, total

    def cancel(self) -> None:
        """Stop at the next report."""
        self.cancelled.set()


class Worker:
    """Does one task of a name at a time; starting another one of that name cancels the first."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._threads: set[threading.Thread] = set()
        self._finished: queue.SimpleQueue[tuple[Task, Callable[[], None]]] = queue.SimpleQueue()

    def task(self, name: str) -> Task | None:
        """What is being done under this name."""
        return self._tasks.get(name)

    def start(
        self,
        name: str,
        work: Callable[[Task], Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Do it in a thread; `then` or `failed` follow in `fetch`, unless it was cancelled."""
        self.cancel(name)
        task = self._tasks[name] = Task(name)

        def run() -> None:
            try:
                result = work(task)
            except CancelledError:
                return
            except Exception as error:
                reason = error
                self._finished.put((task, lambda: failed(reason)))
            else:
                self._finished.put((task, lambda: then(result)))

        thread = threading.Thread(target=run, name=f"dser {name}", daemon=True)
        self._threads = {each for each in self._threads if each.is_alive()} | {thread}
        thread.start()

    def cancel(self, name: str) -> None:
        """Stop what is done under this name, and forget its result."""
        if (task := self._tasks.pop(name, None)) is not None:
            task.cancel()

    def fetch(self) -> bool:
        """Take over what has been finished; whether anything was. Call it from the UI's thread."""
        any_ = False
        with suppress(queue.Empty):
            while True:
                task, follow = self._finished.get_nowait()
                if self._tasks.get(task.name) is task:
                    del self._tasks[task.name]
                    follow()
                    any_ = True
        return any_

    def close(self, patience_seconds: float = 5.0) -> None:
        """Cancel all, and wait for the threads."""
        for name in list(self._tasks):
            self.cancel(name)
        for thread in self._threads:
            thread.join(patience_seconds)
