"""A service in a thread of its own, and calls as any client of it would make them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from dser_ext import messages
from dser_ext.recognition.recognizer import loaded
from dser_ext.server.api import serve
from dser_ext.server.call import Resources
from dser_ext.server.door import Door
from dser_ext.server.journal import Ended
from dser_ext.server.limits import ServiceLimits
from dser_ext.server.turns import Turns

PATIENCE_SECONDS = 20
"""After which a test has failed."""


class RunningService:
    """A service. `target` is its address."""

    def __init__(
        self,
        limits: ServiceLimits | None = None,
        door: Door | None = None,
        push_targets: tuple[str, ...] | None = None,
        observers: Sequence[Callable[[Ended], None]] = (),
    ) -> None:
        self._started, self.target = threading.Event(), ""

        def started(address: str) -> None:
            self.target = address
            self._started.set()

        async def run() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            limited = limits or ServiceLimits(drain_seconds=5)
            self.resources = Resources({"dser-base": loaded()}, Turns(2), limited, push_targets)
            await serve(door or Door("127.0.0.1:0"), self.resources, started, self._stop, observers)

        self._thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        self._thread.start()
        assert self._started.wait(PATIENCE_SECONDS)

    @property
    def running(self) -> int:
        """Calls that there are now."""
        return self.resources.load.calls

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has stopped already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()


def method(channel: grpc.Channel, name: str) -> Any:
    """The call of this name, to be called with a message, or an iterator of messages."""
    declared = messages.METHODS[name]
    request, response = (GetMessageClass(kind) for kind in (declared.input_type, declared.output_type))
    sides = ("unary", "stream")
    kind = f"{sides[declared.client_streaming]}_{sides[declared.server_streaming]}"
    path = f"/{messages.SERVICE}/{name}"
    return getattr(channel, kind)(path, request.SerializeToString, response.FromString)


def recognize(target: str, requests: Iterable[Any], **call: Any) -> list[Any]:
    """The whole answer of Recognize."""
    with grpc.insecure_channel(target) as channel:
        return list(method(channel, "Recognize")(iter(requests), timeout=PATIENCE_SECONDS, **call))


def line(sound: bytes, size: int = 1 << 16, **options: Any) -> Iterator[Any]:
    """A line as Recognize takes it."""
    yield messages.RecognizeRequest(options=messages.RecognizeOptions(**options), audio=sound[:size])
    for start in range(size, len(sound), size):
        yield messages.RecognizeRequest(audio=sound[start : start + size])
