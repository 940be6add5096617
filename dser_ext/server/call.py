"""One call of our service: what comes in, what goes out, and its turns at computing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from dser_ext.messages import Progress
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.server.journal import Caller
from dser_ext.server.limits import ServiceLimits
from dser_ext.server.refusal import RefusalError
from dser_ext.server.turns import Turns
from dser_ext.server.waiting import in_time

Result = TypeVar("Result")

PROGRESS_SECONDS = 0.1  # between two reports


@dataclass
class Load:
    """calls: how many there are."""

    calls: int = 0


@dataclass(frozen=True)
class Resources:
    """What all calls share.

    recognizers: by the names of their models; the first is taken where none is named. push_targets: addresses of
    Audio2Face that calls may push to; None for any.
    """

    recognizers: dict[str, Recognizer]
    turns: Turns
    limits: ServiceLimits
    push_targets: tuple[str, ...] | None = None
    load: Load = field(default_factory=Load)


class Call:
    """One call, whose context is gRPC's. kind: of its messages. data: the message of a call that has a single one."""

    def __init__(self, resources: Resources, context: Any, caller: Caller, kind: Any, data: bytes | None) -> None:
        self.resources, self.limits = resources, resources.limits
        self._context, self._caller, self._kind, self._data = context, caller, kind, data

    @property
    def request(self) -> Any:
        """The message of a call that has a single one."""
        return self._decoded(self._data or b"")

    async def first(self) -> Any:
        """The first message. Raises RefusalError if it has no options."""
        message = await self._receive()
        if message is None or not message.HasField("options"):
            raise RefusalError("the first message must hold the options", field="options")
        return message

    async def messages(self, first: Any) -> AsyncIterator[Any]:
        """The first message, and all others. Raises RefusalError for other options, and for too much sound at once."""
        message = first
        while message is not None:
            if message is not first and message.HasField("options"):
                raise RefusalError("options belong into the first message alone", field="options")
            if len(getattr(message, "audio", b"")) > self.limits.audio_bytes:
                most = self.limits.audio_bytes
                raise RefusalError(
                    f"{len(message.audio)} bytes of sound in one message; send at most {most}", field="audio"
                )
            yield message
            message = await self._receive()

    async def _receive(self) -> Any | None:
        """The next message; None after the last. Raises RefusalError if the caller falls silent."""
        data = await self._in_time(self._context.read(), "nothing came in for {}; go on sending, or half-close")
        return None if data is grpc.aio.EOF else self._decoded(data)

    def _decoded(self, data: bytes) -> Any:
        try:
            return self._kind.FromString(data)
        except DecodeError as error:
            name = self._kind.DESCRIPTOR.full_name
            raise RefusalError(f"what came in is no {name}; make the client anew from the .proto file") from error

    async def send(self, message: Any) -> None:
        """Raises RefusalError if the caller does not read."""
        await self._in_time(self._context.write(message), "nothing was read for {}; read what comes in")

    async def _in_time(self, waiting: Any, otherwise: str) -> Any:
        """Raises RefusalError with the reason `otherwise`, which names the time, if the caller does nothing."""
        try:
            return await in_time(waiting, self.limits.idle_seconds)
        except asyncio.TimeoutError as error:
            reason = otherwise.format(f"{self.limits.idle_seconds:g} s")
            raise RefusalError(reason, grpc.StatusCode.DEADLINE_EXCEEDED) from error

    async def once(self, function: Callable[[], Result], *, urgent: bool = False) -> Result:
        """Compute something short, when it is the caller's turn. urgent: before those who can wait."""
        return await self.resources.turns.once(self._caller, function, urgent=urgent)

    async def work(self, steps: Generator[Any, None, Result], report: Callable[[Any], Any] | None = None) -> Result:
        """Compute in steps, turn by turn, and send now and then what `report` makes of the latest one's Progress."""
        if report is None:
            return await self.resources.turns.work(self._caller, steps)
        latest = [Progress(stage=Progress.STAGE_WAITING)]
        working = asyncio.ensure_future(self.resources.turns.work(self._caller, steps, latest.append))
        return await self.reporting(working, latest, report)

    async def reporting(
        self, working: asyncio.Future[Result], latest: list[Any], report: Callable[[Any], Any]
    ) -> Result:
        """Wait for something, and send now and then what `report` makes of the latest Progress."""
        try:
            while not (await asyncio.wait([working], timeout=PROGRESS_SECONDS))[0]:
                del latest[:-1]
                await self.send(report(latest[0]))
            return working.result()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def recognizer(self, model: str, field: str = "options.model") -> Recognizer:
        """Of the model of this name. field: of the request, that has it. Raises RefusalError if it is not offered."""
        found = self.resources.recognizers
        if model and model not in found:
            raise RefusalError(
                f"{model[:80]}: no such model here; choose from {', '.join(found)}",
                grpc.StatusCode.NOT_FOUND,
                field=field,
            )
        return found[model] if model else next(iter(found.values()))
