"""The Audio2Face behind the relay: one connection that all calls share, and what is read from a call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from dser_ext.audio2face.failure import explain
from dser_ext.audio2face.protocol import PROCESS_AUDIO_STREAM
from dser_ext.server.limits import Limits
from dser_ext.server.refusal import RefusalError

LONGEST_BACK_OFF_MS = 1_000  # an Audio2Face that is started again is found again within a second


def open_channel(target: str, limits: Limits) -> Any:
    """A grpc.aio channel to "HOST:PORT", without TLS, that connects when it is first used."""
    options = [
        ("grpc.max_receive_message_length", limits.answer_bytes),
        ("grpc.initial_reconnect_backoff_ms", LONGEST_BACK_OFF_MS // 4),
        ("grpc.min_reconnect_backoff_ms", LONGEST_BACK_OFF_MS // 4),
        ("grpc.max_reconnect_backoff_ms", LONGEST_BACK_OFF_MS),
    ]
    return grpc.aio.insecure_channel(target, options)


class Upstream:
    """Opens calls to the Audio2Face at `target`."""

    def __init__(self, target: str, limits: Limits) -> None:
        self._target, self._limits = target, limits
        self._channel = open_channel(target, limits)
        self._process = self._channel.stream_stream(PROCESS_AUDIO_STREAM)

    async def ready(self) -> None:
        """Raise RefusalError if nobody answers there."""
        try:
            await asyncio.wait_for(self._channel.channel_ready(), self._limits.connect_seconds)
        except asyncio.TimeoutError as error:
            raise RefusalError(
                f"{self._target}: no Audio2Face answers behind the relay; start it, then try again",
                grpc.StatusCode.UNAVAILABLE,
            ) from error

    def call(self, metadata: Sequence[tuple[str, str | bytes]]) -> Call:
        """Start a call."""
        return Call(self._process(metadata=metadata), self._target, self._limits)

    async def close(self) -> None:
        await self._channel.close()


class Call:
    """One call to Audio2Face: serialized messages out and in, at the pace that it takes them, every wait bounded.

    patience_seconds: that it may say nothing after anything moved.
    """

    def __init__(self, call: Any, target: str, limits: Limits) -> None:
        self.patience_seconds = limits.idle_seconds
        self._call, self._target = call, target
        self._messages = 0
        self._moved = _now()

    async def write(self, data: bytes) -> None:
        """Send a message once there is room for it. After the call's end nothing is sent: `read` says why it ended.

        Raises RefusalError if there is no room for too long.
        """
        try:
            await asyncio.wait_for(self._call.write(data), self.patience_seconds)
            self._moved = _now()
        except asyncio.TimeoutError as error:
            raise self._silent("taken") from error
        except (grpc.RpcError, asyncio.InvalidStateError):
            return

    async def done_writing(self) -> None:
        """Say that nothing follows. Audio2Face does not need it, and a server that waits for it would wait for ever."""
        try:
            await asyncio.wait_for(self._call.done_writing(), self.patience_seconds)
        except (grpc.RpcError, asyncio.InvalidStateError, asyncio.TimeoutError):
            return

    async def read(self) -> bytes | None:
        """The next message; None when the call has ended well. Raises RefusalError with its status when it has not."""
        reading = asyncio.ensure_future(self._call.read())
        while not (await asyncio.wait({reading}, timeout=max(0.0, self._left())))[0]:
            if self._left() <= 0:
                self._call.cancel()
                raise self._silent("sent")
        try:
            message = reading.result()
        except grpc.RpcError as error:
            why = await asyncio.to_thread(
                explain, error, self._target, begun=self._messages > 0, frames=max(0, self._messages - 1)
            )
            raise RefusalError(str(why), error.code()) from error
        if message is grpc.aio.EOF:
            return None
        self._moved = _now()
        self._messages += 1
        return bytes(message)

    def cancel(self) -> None:
        self._call.cancel()

    def _left(self) -> float:
        return self._moved + self.patience_seconds - _now()

    def _silent(self, what: str) -> RefusalError:
        return RefusalError(
            f"{self._target}: Audio2Face has {what} nothing for {self.patience_seconds:g} s; see whether it hangs or "
            "is overloaded, then try again",
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
