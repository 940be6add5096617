"""Client: asks our service, and waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import grpc
from numpy.typing import ArrayLike

from dser_ext.client.address import Address
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

TIMEOUT_SECONDS = 3600.0


class Client:
    """A connection to a service, for one thread or several; close it, or use it as a context.

    address: "HOST:PORT" or "unix:PATH", or an Address. Raises ServiceError if it is none.
    """

    def __init__(self, address: Address | str) -> None:
        self._address = address if isinstance(address, Address) else Address(address)
        self._channel = self._address.channel()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def call(
        self, request: Request[Result], *, report: Report | None = None, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> Result:
        """Ask, and wait for the answer. report: is told how far it is.

        Where nobody is found, or there is no room, it is tried again a few times, unless an answer had begun. Raises
        ServiceError if the service cannot be reached, refuses or takes longer than `timeout_seconds`, and otherwise
        what the Python API would raise.
        """
        latest = time.monotonic() + timeout_seconds
        attempt = 0
        while True:
            parts: list[Any] = []
            try:
                for part in self._parts(request.method, request.messages(), latest - time.monotonic()):
                    if (progress := progress_of(part)) is None:
                        parts.append(part)
                    elif report is not None:
                        report(*progress)
                return request.answer(parts)
            except grpc.RpcError as error:
                wait = wait_seconds(error, attempt, begun=bool(parts))
                if wait is None or time.monotonic() + wait > latest:
                    raise explained(error, self._address.target) from error
                time.sleep(wait)
                attempt += 1

    def stream(
        self, live: Live, pieces: Iterable[ArrayLike], *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> Iterator[Started | Frames]:
        """Send a line while it is spoken, and yield how it goes, then frames as they come.

        pieces: samples (n,) around ±1, taken one by one by another thread as they come. Raises as `call` does.
        """
        messages = chain([live.first()], map(live.more, pieces))
        try:
            for part in self._parts("RecognizeStream", messages, timeout_seconds):
                yield Started.of(part) if part.HasField("start") else Frames.of(part)
        except grpc.RpcError as error:
            raise explained(error, self._address.target) from error

    def _parts(self, method: str, messages: Iterable[Any], timeout_seconds: float) -> Iterator[Any]:
        """The answer, piece by piece; the call ends with the iterator. Raises what sending raises, and RpcError."""
        sending = Sending(messages)
        call = calling(self._channel, method)(sending, timeout=timeout_seconds, metadata=self._address.metadata())
        try:
            yield from call
        except grpc.RpcError:
            if sending.error is not None:
                raise sending.error from None
            raise
        finally:
            call.cancel()
