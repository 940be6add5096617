"""A relay on loopback, the Audio2Face behind it, and clients that speak to it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
import soundfile
from relayed import PATIENCE_SECONDS

import dser_ext
from dser_ext import messages
from dser_ext.audio2face.connection import Connection
from dser_ext.errors import DserWarning
from dser_ext.recognition.recognizer import loaded
from dser_ext.server.door import Door
from dser_ext.server.limits import Limits
from dser_ext.server.lines import Desk, Settings
from dser_ext.server.relay import Relay, serve
from dser_ext.server.voices import Voices


class RunningRelay:
    """A relay in a thread of its own. `target` is its address."""

    def __init__(
        self, a2f: str | Connection, limits: Limits | None = None, voices: Voices | None = None, **settings: Any
    ) -> None:
        way = a2f if isinstance(a2f, Connection) else Connection(a2f)
        limits = limits or Limits(connect_seconds=2, drain_seconds=5)
        door = settings.pop("door", Door("127.0.0.1:0"))
        self.voices = voices or Voices(None, learn=False, limits=limits)
        desk = Desk(loaded(), self.voices, replace(Settings(), **settings), 2)
        self._started, self.target = threading.Event(), ""

        def started(address: str, relay: Relay) -> None:
            self.target, self._relay = address, relay
            self._started.set()

        async def run() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await serve(door, way, desk, limits, started, self._stop)

        self._thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        self._thread.start()
        assert self._started.wait(PATIENCE_SECONDS)

    @property
    def running(self) -> int:
        """Calls that there are now."""
        return self._relay.running

    def stop(self, *, wait: bool = True) -> None:
        with contextlib.suppress(RuntimeError):  # it has stopped already
            self._loop.call_soon_threadsafe(self._stop.set)
        if wait:
            self._thread.join(PATIENCE_SECONDS)
            assert not self._thread.is_alive()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Nobody has a voice here, which need not be said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DserWarning)
        yield


@pytest.fixture(scope="session")
def running_relay() -> type[RunningRelay]:
    """For relays that serve a whole module, which stops them itself."""
    return RunningRelay


@pytest.fixture
def start_relay() -> Iterator[Callable[..., RunningRelay]]:
    """Starts relays and stops them after the test."""
    relays: list[RunningRelay] = []

    def start(*arguments: Any, **more: Any) -> RunningRelay:
        relays.append(RunningRelay(*arguments, **more))
        return relays[-1]

    yield start
    for relay in relays:
        relay.stop()


@pytest.fixture
def violations() -> Callable[[grpc.RpcError], list[Any]]:
    """Takes the fields that an error is about out of its details."""

    def take(error: Any) -> list[Any]:
        status = messages.Status.FromString(dict(error.trailing_metadata())[messages.DETAILS])
        assert (status.code, status.message) == (error.code().value[0], error.details())
        found = messages.BadRequest()
        return [field for detail in status.details if detail.Unpack(found) for field in found.field_violations]

    return take


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """Real speech, (n,) int16 at 16 kHz: happy, then angry, then sad."""
    samples, rate = soundfile.read(dser_ext.sample_line(), dtype="int16")
    assert rate == 16_000
    return samples
