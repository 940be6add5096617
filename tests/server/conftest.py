"""A relay on loopback, the Audio2Face behind it, and clients that speak to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
import soundfile

import dser_ext
from dser_ext.audio2face import protocol
from dser_ext.recognition.recognizer import loaded
from dser_ext.server.limits import Limits
from dser_ext.server.lines import Desk, Settings
from dser_ext.server.relay import Door, serve
from dser_ext.server.voices import Voices

PATIENCE_SECONDS = 20  # after which a test has failed


class RunningRelay:
    """A relay in a thread of its own. `target` is its address."""

    def __init__(self, a2f: str, limits: Limits | None = None, voices: Voices | None = None, **settings: Any) -> None:
        limits = limits or Limits(connect_seconds=2, drain_seconds=5)
        door = settings.pop("door", Door("127.0.0.1:0"))
        self.voices = voices or Voices(None, learn=False, limits=limits)
        desk = Desk(loaded(), self.voices, replace(Settings(), **settings), 2)
        self._started, self.target = threading.Event(), ""

        def started(address: str) -> None:
            self.target = address
            self._started.set()

        async def run() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await serve(door, a2f, desk, limits, started, self._stop)

        self._thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        self._thread.start()
        assert self._started.wait(PATIENCE_SECONDS)

    def stop(self, *, wait: bool = True) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        if wait:
            self._thread.join(PATIENCE_SECONDS)
            assert not self._thread.is_alive()


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


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """Real speech, (n,) int16 at 16 kHz: happy, then angry, then sad."""
    samples, rate = soundfile.read(dser_ext.sample_line(), dtype="int16")
    assert rate == 16_000
    return samples


def ask(target: str, messages: Iterable[Any], **call: Any) -> list[Any]:
    """The whole answer."""
    with grpc.insecure_channel(target) as channel:
        process = channel.stream_stream(
            protocol.PROCESS_AUDIO_STREAM,
            protocol.AudioStream.SerializeToString,
            protocol.AnimationDataStream.FromString,
        )
        return list(process(iter(messages), timeout=PATIENCE_SECONDS, **call))
