"""AsyncClient: asks our service under asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

import grpc
import grpc.aio
from numpy.typing import ArrayLike

from dser_ext.client.address import Address
from dser_ext.client.blocking import TIMEOUT_SECONDS
from dser_ext.client.failure import explained, wait_seconds
from dser_ext.client.requests import (
    Frames,
    Live,
    Report,
    Request,
    Result,
    Sending,
    Started,
    calling,
    progress_of,
)


class AsyncClient:
    """As Client, for one event loop. A task that is cancelled ends its call at once."""

    def __init__(self, address: Address | str) -> None:
        self._address = address if isinstance(address, Address) else Address(address)
        self._channel = self._address.aio_channel()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()

    async def call(
        self, request: Request[Result], *, report: Report | None = None, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> Result:
        """As `Client.call`."""
        latest = time.monotonic() + timeout_seconds
        attempt = 0
        while True:
            parts: list[Any] = []
            try:
                async for part in self._parts(request.method, request.messages(), latest - time.monotonic()):
                    if (progress := progress_of(part)) is None:
                        parts.append(part)
                    elif report is not None:
                        report(*progress)
                return request.answer(parts)
            except grpc.RpcError as error:
                wait = wait_seconds(error, attempt, begun=bool(parts))
                if wait is None or time.monotonic() + wait > latest:
                    raise explained(error, self._address.target) from error
                await asyncio.sleep(wait)
                attempt += 1

    async def stream(
        self, live: Live, pieces: AsyncIterable[ArrayLike], *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> AsyncIterator[Started | Frames]:
        """As `Client.stream`, of pieces that come asynchronously."""

        async def messages() -> AsyncIterator[Any]:
            yield live.first()
            async for piece in pieces:
                yield live.more(piece)

        try:
            async for part in self._parts("RecognizeStream", messages(), timeout_seconds):
                yield Started.of(part) if part.HasField("start") else Frames.of(part)
        except grpc.RpcError as error:
            raise explained(error, self._address.target) from error

    async def _parts(
        self, method: str, messages: Iterable[Any] | AsyncIterable[Any], timeout_seconds: float
    ) -> AsyncIterator[Any]:
        sending = Sending(messages) if isinstance(messages, Iterable) else messages
        call = calling(self._channel, method)(sending, timeout=timeout_seconds, metadata=self._address.metadata())
        try:
            async for part in call:
                yield part
        except (grpc.RpcError, asyncio.CancelledError):
            if isinstance(sending, Sending) and sending.error is not None:
                raise sending.error from None
            raise
        finally:
            call.cancel()
