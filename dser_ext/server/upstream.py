"""The Audio2Face behind the relay: one connection that all calls share, and what is read from a call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from dser_ext.audio2face import connection
from dser_ext.audio2face.failure import explain
from dser_ext.audio2face.protocol import PROCESS_AUDIO_STREAM
from dser_ext.server.limits import Limits
from dser_ext.server.refusal import RefusalError
from dser_ext.server.waiting import in_time

NOT_THE_SERVERS = "Internal error from Core"  # details of the status that grpc.aio makes up
LATE_STATUS_SECONDS = 0.2  # that the server's own may come after it
LONGEST_BACK_OFF_MS = 1_000  # an Audio2Face that is started again is found again within a second


OPTIONS = (
    *((name, value) for name, value in connection.OPTIONS if "backoff" not in name),
    ("grpc.initial_reconnect_backoff_ms", LONGEST_BACK_OFF_MS // 4),
    ("grpc.min_reconnect_backoff_ms", LONGEST_BACK_OFF_MS // 4),
    ("grpc.max_reconnect_backoff_ms", LONGEST_BACK_OFF_MS),
)


class Upstream:
    """Opens calls to an Audio2Face. Raises Audio2FaceError for certificates or a key that cannot be used."""

    def __init__(self, way: connection.Connection, limits: Limits) -> None:
        self._way, self._limits, self._metadata = way, limits, way.metadata()
        if way.tls:
            self._channel = grpc.aio.secure_channel(way.target, way.credentials(), OPTIONS)
        else:
            self._channel = grpc.aio.insecure_channel(way.target, OPTIONS)
        self._process = self._channel.stream_stream(PROCESS_AUDIO_STREAM)

    async def ready(self) -> None:
        """Raise RefusalError if nobody answers there."""
        try:
            await in_time(self._channel.channel_ready(), self._limits.connect_seconds)
        except asyncio.TimeoutError as error:
            raise RefusalError(
                f"{self._way.target}: no Audio2Face answers behind the relay; start it, then try again",
                grpc.StatusCode.UNAVAILABLE,
            ) from error

    def call(self, metadata: Sequence[tuple[str, str | bytes]]) -> Call:
        """Start a call. Of the client's metadata those give way that the connection has of its own."""
        own = {name for name, _ in self._metadata}
        both = [*(pair for pair in metadata if pair[0] not in own), *self._metadata]
        return Call(self._process(metadata=both), self._way, self._limits)

    async def close(self) -> None:
        await self._channel.close()


class Call:
    """One call to Audio2Face: serialized messages out and in, at the pace that it takes them, every wait bounded.

    patience_seconds: that it may say nothing after anything moved.
    """

    def __init__(self, call: Any, way: connection.Connection, limits: Limits) -> None:
        self.patience_seconds = limits.idle_seconds
        self._call, self._way = call, way
        self._answer = call.__aiter__()  # call.read gives nothing more once a message could not be sent
        self._ends: list[_EndedError] = []
        call.add_done_callback(self._note)
        self._messages = 0
        self._moved = _now()

    async def write(self, data: bytes) -> None:
        """Send a message once there is room for it. After the call's end nothing is sent: `read` says why it ended.

        Raises RefusalError if there is no room for too long.
        """
        try:
            await in_time(self._call.write(data), self.patience_seconds)
            self._moved = _now()
        except asyncio.TimeoutError as error:
            raise self._silent("taken") from error
        except (grpc.RpcError, asyncio.InvalidStateError):
            return

    async def done_writing(self) -> None:
        """Say that nothing follows. Audio2Face does not need it, and a server that waits for it would wait for ever."""
        try:
            await in_time(self._call.done_writing(), self.patience_seconds)
        except (grpc.RpcError, asyncio.InvalidStateError, asyncio.TimeoutError):
            return

    async def read(self) -> bytes | None:
        """The next message; None when the call has ended well. Raises RefusalError with its status when it has not."""
        reading = asyncio.ensure_future(self._next())
        while not (await asyncio.wait({reading}, timeout=max(0.0, self._left())))[0]:
            if self._left() <= 0:
                self._call.cancel()
                raise self._silent("sent")
        message = reading.result()
        if message is None:
            await self._end()
            return None
        self._moved = _now()
        self._messages += 1
        return message

    async def _next(self) -> bytes | None:
        try:
            return bytes(await self._answer.__anext__())
        except (StopAsyncIteration, grpc.RpcError):
            return None

    async def _end(self) -> None:
        """Raise RefusalError unless the call has ended well.

        grpc.aio puts an INTERNAL of its own in place of what the server says, before or after it, when a call ends
        while a message is on its way; so of all that it calls the end, the server's own word counts.
        """
        until = _now() + LATE_STATUS_SECONDS
        while not (said := [end for end in self._ends if end.details() != NOT_THE_SERVERS]) and _now() < until:
            await asyncio.sleep(LATE_STATUS_SECONDS / 10)
            self._note(self._call)
        end = (said or self._ends)[0]
        if end.code() is grpc.StatusCode.OK:
            return
        begun, frames = self._messages > 0, max(0, self._messages - 1)
        why = await asyncio.to_thread(explain, end, self._way, begun=begun, frames=frames)
        raise RefusalError(str(why), end.code()) from end

    def _note(self, call: Any) -> None:
        self._ends.append(_EndedError(_at_once(call.code()), _at_once(call.details())))

    def cancel(self) -> None:
        self._call.cancel()

    def _left(self) -> float:
        return self._moved + self.patience_seconds - _now()

    def _silent(self, what: str) -> RefusalError:
        return RefusalError(
            f"{self._way.target}: Audio2Face has {what} nothing for {self.patience_seconds:g} s; see whether it hangs "
            "or is overloaded, then try again",
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )


class _EndedError(grpc.RpcError):  # type: ignore[misc]
    """How a call ended, as grpc.RpcError says it."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


def _at_once(coroutine: Any) -> Any:
    """The result of a coroutine that has nothing to wait for, as those that tell the status of a call which is over."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    return None


def _now() -> float:
    return asyncio.get_running_loop().time()
