"""Workers: processes of this machine that recognise lines, one line at a time each.

A process of its own is what a decoder that crashes, or never comes back, can take down: its line is tried once more
and then given up, and all other lines go on.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections import Counter, deque
from multiprocessing import connection, get_context
from typing import Any

from dser_ext.batch.work import Outcome, Task, work_on
from dser_ext.errors import DserError

IN_HAND = 2  # tasks a worker has been given: the one it works on, and the next, so that it never waits
TRIES = 2  # of a line that takes its worker down
SILENCE_SECONDS = 300.0  # after which a worker that says nothing is ended; it says something for each second of work
STARTS_WITHOUT_WORK = 3  # workers that may die in a row before they were given anything
JOIN_SECONDS = 5.0


class Workers:
    """count: of processes. model, device: as of `Recognizer`. Starts them with the first tasks."""

    def __init__(self, count: int, model: str, device: str = "cpu", silence_seconds: float = SILENCE_SECONDS) -> None:
        self._arguments = (model, device)
        self._count, self._silence = count, silence_seconds
        self._workers: list[_Worker] = []
        self._waiting: deque[Task] = deque()  # to be given again, since their worker is gone
        self._crashes: Counter[str] = Counter()
        self._deaths = 0  # of workers that had not said anything yet, in a row
        self._lost: list[Outcome] = []

    @property
    def room(self) -> int:
        """How many more tasks can be taken."""
        in_hand = len(self._waiting) + sum(len(worker.tasks) for worker in self._workers)
        return self._count * IN_HAND - in_hand

    def submit(self, task: Task) -> None:
        """Take a task."""
        idle = min(self._workers, key=lambda worker: len(worker.tasks), default=None)
        if len(self._workers) < self._count and (idle is None or idle.tasks):
            idle = self._start()
        assert idle is not None
        idle.give(task)

    def wait(self) -> list[Outcome]:
        """What has come of some tasks; of none, if nothing has within half a second. Raises DserError if none can."""
        self._give_again()
        ready = connection.wait([worker.pipe for worker in self._workers], timeout=0.5)
        outcomes = []
        for worker in list(self._workers):
            if worker.pipe in ready:
                outcomes += self._hear_from(worker)
            elif worker.tasks and time.monotonic() - worker.last_word > self._silence:
                worker.process.kill()
                self._bury(worker, f"took its worker more than {self._silence:g} s without any progress")
        lost, self._lost = self._lost, []
        return outcomes + lost

    def close(self) -> None:
        """End the workers; what they have not finished is not done."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(JOIN_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
        self._workers.clear()

    def _start(self) -> _Worker:
        worker = _Worker(self._arguments)
        self._workers.append(worker)
        return worker

    def _hear_from(self, worker: _Worker) -> list[Outcome]:
        outcomes = []
        try:
            while worker.pipe.poll():
                said = worker.pipe.recv()
                worker.last_word = time.monotonic()
                self._deaths = 0
                if isinstance(said, Outcome):
                    worker.tasks.popleft()
                    outcomes.append(said)
                elif isinstance(said, str):  # it cannot even begin
                    raise DserError(said)
        except (EOFError, OSError):
            worker.process.join(JOIN_SECONDS)
            self._bury(worker, f"took its worker down ({_end(worker.process.exitcode)})")
        return outcomes

    def _bury(self, worker: _Worker, reason: str) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        if worker.last_word == worker.began:
            self._deaths += 1
            if self._deaths > STARTS_WITHOUT_WORK:
                raise DserError(f"workers end before they begin ({_end(worker.process.exitcode)}); try dser emote")
        if not worker.tasks:
            return
        task = worker.tasks.popleft()
        self._crashes[task.name] += worker.last_word != worker.began
        if self._crashes[task.name] >= TRIES:
            remedy = "it is damaged in a way that no decoder should fall for; export it again"
            self._lost.append(Outcome(task.name, f"{task.source}: {reason}, {TRIES} times; {remedy}"))
        else:
            self._waiting.append(task)
        self._waiting.extend(worker.tasks)

    def _give_again(self) -> None:
        """One at a time and to a worker with nothing else, so that a line that takes it down takes nothing with it."""
        while self._waiting:
            idle = next((worker for worker in self._workers if not worker.tasks), None)
            if idle is None:
                if len(self._workers) >= self._count:
                    return
                idle = self._start()
            idle.give(self._waiting.popleft())


class _Worker:
    """A process, the pipe to it, and what it was given."""

    def __init__(self, arguments: tuple[str, str]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, *arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.began = self.last_word = time.monotonic()

    def give(self, task: Task) -> None:
        if not self.tasks and self.last_word != self.began:
            self.last_word = time.monotonic()
        self.tasks.append(task)
        try:
            self.pipe.send(task)
        except OSError:
            pass  # it is gone, as its end of the pipe will tell


def _serve(pipe: Any, model: str, device: str) -> None:
    """A worker's life. It ends when the other end of the pipe is closed, in whatever way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the keyboard's interrupt goes to all; who gives the tasks decides
    from dser_ext.recognition.recognizer import Recognizer

    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()

    def take() -> None:
        """Read all the time, so that neither end waits for the other to read; without the other end there is no use."""
        try:
            while True:
                tasks.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(0)

    last = 0.0

    def alive() -> None:
        nonlocal last
        if time.monotonic() - last > 1:
            last = time.monotonic()
            pipe.send(None)

    threading.Thread(target=take, daemon=True).start()
    try:
        try:
            recognizer = Recognizer(model, device, threads=1)
        except DserError as error:
            pipe.send(str(error))
            return
        pipe.send(None)
        while True:
            task = tasks.get()
            alive()
            pipe.send(work_on(task, recognizer, alive))
    except OSError:
        return


def _end(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        try:
            return f"it ended by {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"it ended by signal {-exit_code}"
    return f"it ended with exit code {exit_code}"
