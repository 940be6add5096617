"""One call through the relay: the client's messages go to Audio2Face as the line lets them, the answer comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from dser_ext.audio2face.protocol import AnimationDataStream, AudioStream, Status
from dser_ext.server.limits import Limits
from dser_ext.server.lines import ClipLine, Desk, StreamLine
from dser_ext.server.refusal import RefusalError
from dser_ext.server.request import Request
from dser_ext.server.upstream import Call, Upstream
from dser_ext.server.waiting import in_time

END_OF_AUDIO = bytes(AudioStream(end_of_audio={}).SerializeToString())
Metadata = Sequence[tuple[str, "str | bytes"]]


class Exchange:
    """Runs one call to its end. Raises RefusalError if it cannot end well.

    context: of the client's call. speaker: whose voice it is. metadata: that goes on to Audio2Face.
    """

    def __init__(self, context: Any, upstream: Upstream, desk: Desk, limits: Limits) -> None:
        self._context, self._upstream, self._desk, self._limits = context, upstream, desk, limits
        self._request = Request(limits)
        self._line: ClipLine | StreamLine | None = None
        self._call: Call | None = None
        self._called = asyncio.Event()
        self.reported = False
        """Whether Audio2Face itself has said ERROR."""

    async def run(self, speaker: str, metadata: Metadata) -> None:
        """Relay until Audio2Face has answered in full; the client need not half-close."""
        await self._upstream.ready()
        sending = asyncio.ensure_future(self._send(speaker, lambda: self._upstream.call(metadata)))
        answering = asyncio.ensure_future(self._answer())
        both = {sending, answering}
        try:
            until = asyncio.get_running_loop().time() + self._limits.call_seconds
            while not answering.done():
                left = until - asyncio.get_running_loop().time()
                waiting = {task for task in both if not task.done()}
                await asyncio.wait(waiting, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
                if sending.done() and not answering.done():
                    sending.result()
                if left <= 0:
                    raise RefusalError(
                        f"the call has taken {self._limits.call_seconds:g} s; send shorter clips",
                        grpc.StatusCode.DEADLINE_EXCEEDED,
                    )
            answering.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            if self._call is not None:
                self._call.cancel()

    async def _send(self, speaker: str, call: Callable[[], Call]) -> None:
        """Everything from the client to Audio2Face."""
        while not self._request.ended:
            piece = self._request.take(await self._receive())
            if self._line is None:
                self._line = self._desk.line(self._request, speaker)
            if piece is not None:
                await self._forward(await self._line.take(piece), call)
        assert self._line is not None
        await self._forward(await self._line.end(), call)
        assert self._call is not None
        await self._call.write(END_OF_AUDIO)
        await self._call.done_writing()
        data = await self._context.read()  # that nothing follows; Audio2Face's answer does not wait for it
        if data is not grpc.aio.EOF:
            self._request.take(data)

    async def _receive(self) -> bytes:
        try:
            data = await in_time(self._context.read(), self._limits.idle_seconds)
        except asyncio.TimeoutError as error:
            raise RefusalError(
                f"nothing came in for {self._limits.idle_seconds:g} s; send sound, then EndOfAudio",
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ) from error
        if data is grpc.aio.EOF:
            raise RefusalError("the stream ended without EndOfAudio; send it after the last sound")
        return bytes(data)

    async def _forward(self, messages: Iterable[bytes], call: Callable[[], Call]) -> None:
        for data in messages:
            if self._call is None:
                self._call = call()
                self._called.set()
            await self._call.write(data)

    async def _answer(self) -> None:
        """Everything from Audio2Face to the client."""
        await self._called.wait()
        assert self._call is not None
        complete = False
        while True:
            try:
                data = await self._call.read()
            except RefusalError:
                if complete and not self.reported:
                    return
                raise
            if data is None:
                break
            code, beside = self._look(data)
            await self._write(data + beside)
            if code in (Status.SUCCESS, Status.ERROR):
                complete, self.reported = True, self.reported or code == Status.ERROR
                self._call.patience_seconds = self._limits.linger_seconds
        if not complete:
            raise RefusalError(
                "Audio2Face ended the answer without saying that it was complete; see its log, then try again",
                grpc.StatusCode.INTERNAL,
            )

    def _look(self, data: bytes) -> tuple[int | None, bytes]:
        """The code of a message's status, if it is one, and what we say beside it, if it is animation."""
        try:
            message = AnimationDataStream.FromString(data)
        except DecodeError as error:
            raise RefusalError(
                "Audio2Face sent something that is no AnimationDataStream; check what listens behind the relay",
                grpc.StatusCode.INTERNAL,
            ) from error
        if message.HasField("status"):
            return message.status.code, b""
        if not message.HasField("animation_data"):
            return None, b""
        animation = message.animation_data
        weights = animation.skel_animation.blend_shape_weights
        seconds = weights[-1].time_code if weights else animation.audio.time_code
        assert self._line is not None
        return None, self._line.raw.beside(seconds)

    async def _write(self, data: bytes) -> None:
        try:
            await in_time(self._context.write(data), self._limits.idle_seconds)
        except asyncio.TimeoutError as error:
            raise RefusalError(
                f"the client has read nothing for {self._limits.idle_seconds:g} s",
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ) from error
