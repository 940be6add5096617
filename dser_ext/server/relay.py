"""The relay: an A2FControllerService between any client of Audio2Face and Audio2Face, which adds the emotions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from dser_ext.audio2face.connection import Connection
from dser_ext.audio2face.protocol import SERVICE, AnimationDataStream, Status
from dser_ext.errors import DserError
from dser_ext.server.door import OPTIONS, Door, run
from dser_ext.server.exchange import Exchange
from dser_ext.server.limits import Limits
from dser_ext.server.lines import Desk
from dser_ext.server.refusal import RefusalError
from dser_ext.server.upstream import Upstream
from dser_ext.server.waiting import in_time

VOICE_KEY = "dser-voice"
"""Key of the call's metadata that names the speaker; without it the speaker is the client's address."""

LONGEST_NAME = 200  # characters of a speaker's name
NOT_FORWARDED = re.compile(r"grpc-.*|user-agent|content-type|te|:.*|dser-.*")

log = logging.getLogger(__name__)


class Relay:
    """The service itself. running: how many calls there are."""

    def __init__(self, upstream: Upstream, desk: Desk, limits: Limits, door: Door) -> None:
        self._upstream, self._desk, self._limits, self._door = upstream, desk, limits, door
        self.running = 0

    def handler(self) -> Any:
        """For grpc.aio.Server.add_generic_rpc_handlers."""
        method = grpc.stream_stream_rpc_method_handler(self._process)  # messages stay bytes
        return grpc.method_handlers_generic_handler(SERVICE, {"ProcessAudioStream": method})

    async def _process(self, _: Any, context: Any) -> None:
        self.running += 1
        exchange = Exchange(context, self._upstream, self._desk, self._limits)
        try:
            metadata = self._admit(context)
            await exchange.run(_speaker(context), metadata)
        except RefusalError as refusal:
            await self._refuse(context, refusal.code, str(refusal), said=exchange.reported)
        except DserError as error:
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Exception:
            log.exception("a call through the relay failed")
            await self._refuse(context, grpc.StatusCode.INTERNAL, "the relay failed; see its log")
        finally:
            self.running -= 1

    def _admit(self, context: Any) -> list[tuple[str, str | bytes]]:
        """Let a call in, and tell what of its metadata goes on to Audio2Face."""
        metadata = [(key, value) for key, value in context.invocation_metadata() if not NOT_FORWARDED.fullmatch(key)]
        self._door.admit(metadata)
        if self._door.token is not None:
            metadata = [(key, value) for key, value in metadata if key != "authorization"]
        if self.running > self._limits.streams:
            raise RefusalError(
                f"the relay serves {self._limits.streams} clips at once already; try again when one is over",
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            )
        return metadata

    async def _refuse(self, context: Any, code: grpc.StatusCode, reason: str, *, said: bool = False) -> None:
        """End a call with an error, in words first: NVIDIA's clients do not show those of gRPC's own status."""
        if not said:
            status = AnimationDataStream(status={"code": Status.ERROR, "message": reason})
            with contextlib.suppress(asyncio.TimeoutError):
                await in_time(context.write(status.SerializeToString()), self._limits.linger_seconds)
        await context.abort(code, reason)


async def serve(
    door: Door, way: Connection, desk: Desk, limits: Limits, started: Callable[[str, Relay], None], stop: asyncio.Event
) -> None:
    """Relay to the Audio2Face at the end of `way` until `stop` is set or SIGTERM or SIGINT comes, then let calls end.

    started: is told the address, and the relay, once clients can come. Raises DserError if the door cannot be opened or
    the certificates or the key of the way cannot be used.
    """
    options = [("grpc.max_receive_message_length", limits.message_bytes), *OPTIONS]
    server, upstream = grpc.aio.server(options=options), Upstream(way, limits)
    relay = Relay(upstream, desk, limits, door)
    server.add_generic_rpc_handlers((relay.handler(),))
    try:
        await run(server, door, [SERVICE], lambda address: started(address, relay), stop, limits.drain_seconds)
    finally:
        await upstream.close()
        desk.close()


def _speaker(context: Any) -> str:
    """Whose line it is: what the call's metadata say, else the client's address without its port."""
    for key, value in context.invocation_metadata():
        if key == VOICE_KEY:
            return str(value)[:LONGEST_NAME]
    return str(context.peer()).rpartition(":")[0]
