"""Cluster: the same work on many machines, as tasks of Ray.

Ray's tasks fit, and Ray Data does not: the ledger must hear of every line by itself, and a line whose machine is lost
is simply done again by another, with the same result under the same name.
"""

from __future__ import annotations

import logging
import os
import socket
from functools import lru_cache
from typing import Any

from dser_ext.batch.work import Outcome, Task, work_on
from dser_ext.batch.workers import given_up
from dser_ext.errors import DserError
from dser_ext.recognition.recognizer import Recognizer

IN_HAND = 4  # tasks a core, so that none waits for the next
CONNECT_SECONDS = 10.0
RETRIES = 3  # of a task whose machine or process is lost


class Cluster:
    """The cluster in the environment variable RAY_ADDRESS, or one that is started on this machine for the time being.

    model, device: as of `Recognizer`; the model and all paths must be there on every machine. Raises DserError if Ray
    is not installed, or no cluster can be reached.
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        try:
            import ray
        except ImportError as error:
            remedy = 'pip install "dser-audio2face[cluster]"'
            raise DserError(f"--engine ray needs Ray, which is not installed; {remedy}") from error
        _check_address(os.environ.get("RAY_ADDRESS", ""))
        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
        except Exception as error:  # Ray's errors share no base class
            raise DserError(f"no Ray cluster can be reached ({error}); check RAY_ADDRESS, or start one") from error
        self._ray: Any = ray
        self._work = ray.remote(num_cpus=1, max_retries=RETRIES)(_work)
        self._model = model, device
        self._tasks: dict[Any, Task] = {}

    @property
    def room(self) -> int:
        """How many more tasks can be taken; grows and shrinks with the cluster."""
        cores = max(1, int(self._ray.cluster_resources().get("CPU", 0)))
        return cores * IN_HAND - len(self._tasks)

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._tasks[self._work.remote(task, *self._model)] = task

    def wait(self) -> list[Outcome]:
        """What has come of some tasks; of none, if nothing has within half a second. Raises DserError if none can."""
        known = list(self._tasks)
        self._ray.wait(known, timeout=0.5)
        ready, _ = self._ray.wait(known, num_returns=len(known), timeout=0)
        return [self._outcome(reference, self._tasks.pop(reference)) for reference in ready]

    def close(self) -> None:
        """Leave the cluster; what is not finished is given up."""
        for reference in self._tasks:
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()

    def _outcome(self, reference: Any, task: Task) -> Outcome:
        try:
            said = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise DserError(f"the cluster cannot work ({error.cause}); install the same dser there") from error
        except self._ray.exceptions.RayError as error:
            return given_up(task, type(error).__name__)
        if isinstance(said, str):
            raise DserError(said)
        return said  # type: ignore[no-any-return]


def _check_address(address: str) -> None:
    """Raise DserError if nobody listens at HOST:PORT: Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise DserError(f"no Ray cluster answers at {address} ({error}); check RAY_ADDRESS, or start one") from error


def _work(task: Task, model: str, device: str) -> Outcome | str:
    """On some machine: what came of a task, or why none can be done there."""
    try:
        recognizer = _recognizer(model, device)
    except DserError as error:
        return str(error)
    return work_on(task, recognizer)


@lru_cache(maxsize=1)
def _recognizer(model: str, device: str) -> Recognizer:
    return Recognizer(model, device, threads=1)
