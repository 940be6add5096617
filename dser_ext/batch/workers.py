"""Workers: processes of this machine that recognise lines, one line at a time each.

A process of its own is what a decoder that crashes, or never comes back, can take down: its line is tried once more
and then given up, and all other lines go on.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections import Counter, deque
from contextlib import suppress
from multiprocessing import connection, get_context
from typing import Any

from dser_ext.batch.work import HUNG, SILENCE_SECONDS, Outcome, Task, work_on
from dser_ext.errors import DserError

IN_HAND = 2  # tasks a worker has been given: the one it works on, and the next, so that it never waits
TRIES = 2  # of a line that takes its worker down
STARTS_WITHOUT_WORK = 3  # workers that may die in a row before they were given anything
JOIN_SECONDS = 5.0


class Workers:
    """count: of processes, which start with the first tasks. model, device: as of `Recognizer`.

    silence_seconds: as of `work_on`.
    """

    def __init__(self, count: int, model: str, device: str = "cpu", silence_seconds: float = SILENCE_SECONDS) -> None:
        self._arguments = model, device, silence_seconds
        self._count = count
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
        heard = [self._hear_from(worker) for worker in list(self._workers) if worker.pipe in ready]
        lost, self._lost = self._lost, []
        return [outcome for outcomes in heard for outcome in outcomes] + lost

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
                if isinstance(said, str):  # it cannot even begin
                    raise DserError(said)
                worker.ready, self._deaths = True, 0
                if isinstance(said, Outcome):
                    worker.tasks.popleft()
                    outcomes.append(said)
        except (EOFError, OSError):
            worker.process.join(JOIN_SECONDS)
            self._bury(worker)
        return outcomes

    def _bury(self, worker: _Worker) -> None:
        """What a worker was given goes to others, unless it is likely what it died of."""
        self._workers.remove(worker)
        worker.pipe.close()
        end = _end(worker.process.exitcode)
        if not worker.ready:
            self._deaths += 1
            if self._deaths > STARTS_WITHOUT_WORK:
                raise DserError(f"workers end before they begin ({end}); see whether dser emote works")
        elif worker.tasks:
            task = worker.tasks.popleft()
            self._crashes[task.name] += 1
            if self._crashes[task.name] < TRIES:
                self._waiting.append(task)
            else:
                self._lost.append(given_up(task, end))
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

    def __init__(self, arguments: tuple[str, str, float]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, *arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.ready = False  # it has its model, and can work

    def give(self, task: Task) -> None:
        self.tasks.append(task)
        with suppress(OSError):  # it is gone, as its end of the pipe will tell
            self.pipe.send(task)


def _serve(pipe: Any, model: str, device: str, silence_seconds: float) -> None:
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

    threading.Thread(target=take, daemon=True).start()
    try:
        try:
            recognizer = Recognizer(model, device, threads=1)
        except DserError as error:
            pipe.send(str(error))
            return
        pipe.send(None)
        while True:
            pipe.send(work_on(tasks.get(), recognizer, silence_seconds))
    except OSError:
        return


def given_up(task: Task, end: str) -> Outcome:
    """What is said of a line that takes workers down. end: how they ended."""
    remedy = "no decoder should fall for what is in it; export it again, and please report it with the file"
    return Outcome(task.name, f"{task.source}: took down every worker that tried it ({end}); {remedy}")


def _end(exit_code: int | None) -> str:
    if exit_code == HUNG:
        return "it made no progress for minutes"
    if exit_code is not None and exit_code < 0:
        try:
            return f"it ended by {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"it ended by signal {-exit_code}"
    return f"it ended with exit code {exit_code}"
