"""The relay: an A2FControllerService between any client of Audio2Face and Audio2Face, which adds the emotions."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import logging
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from dser_ext.audio2face.connection import Connection
from dser_ext.audio2face.protocol import SERVICE, AnimationDataStream, Status
from dser_ext.errors import DserError
from dser_ext.server.exchange import Exchange
from dser_ext.server.health import Health
from dser_ext.server.limits import Limits
from dser_ext.server.lines import Desk
from dser_ext.server.refusal import RefusalError
from dser_ext.server.upstream import Upstream

VOICE_KEY = "dser-voice"
"""Key of the call's metadata that names the speaker; without it the speaker is the client's address."""

LONGEST_NAME = 200  # characters of a speaker's name
NOT_FORWARDED = re.compile(r"grpc-.*|user-agent|content-type|te|:.*|dser-.*")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Door:
    """Where the relay listens, and who may come in.

    address: "HOST:PORT"; port 0 is any that is free. certificate, key: PEM, for TLS. token: that every call must bring
    as "authorization: Bearer …". Raises DserError for what is no address, and if others than this machine could come in
    without either.
    """

    address: str
    certificate: bytes | None = None
    key: bytes | None = None
    token: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r".+:\d{1,5}", self.address):
            raise DserError(f"{self.address} is no address to listen at; write HOST:PORT, for example 127.0.0.1:52010")
        if _loopback(self.host) or (self.certificate and self.key and self.token):
            return
        raise DserError(
            f"{self.address}: others than this machine could come in there; give TLS files (--certificate, --key) and "
            "set a token (DSER_RELAY_TOKEN), or listen on 127.0.0.1"
        )

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    def open(self, server: Any) -> int:
        """Listen; the port. Raises DserError if that cannot be."""
        try:
            if self.certificate and self.key:
                credentials = grpc.ssl_server_credentials([(self.key, self.certificate)])
                return int(server.add_secure_port(self.address, credentials))
            return int(server.add_insecure_port(self.address))
        except RuntimeError as error:
            raise DserError(f"{self.address}: cannot listen there; choose another port, or see who has it") from error


class Relay:
    """The service itself. running: how many calls there are."""

    def __init__(self, upstream: Upstream, desk: Desk, limits: Limits, token: str | None = None) -> None:
        self._upstream, self._desk, self._limits, self._token = upstream, desk, limits, token
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
        if self._token is not None:
            given = "".join(str(value) for key, value in metadata if key == "authorization")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                raise RefusalError(
                    "the relay asks for a token; send it as authorization: Bearer TOKEN",
                    grpc.StatusCode.UNAUTHENTICATED,
                )
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
                await asyncio.wait_for(context.write(status.SerializeToString()), self._limits.linger_seconds)
        await context.abort(code, reason)


async def serve(
    door: Door, way: Connection, desk: Desk, limits: Limits, started: Callable[[str, Relay], None], stop: asyncio.Event
) -> None:
    """Relay to the Audio2Face at the end of `way` until `stop` is set or SIGTERM or SIGINT comes, then let calls end.

    started: is told the address, and the relay, once clients can come. Raises DserError if the door cannot be opened or
    the certificates or the key of the way cannot be used.
    """
    options = [("grpc.max_receive_message_length", limits.message_bytes), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options)
    upstream, health = Upstream(way, limits), Health()
    relay = Relay(upstream, desk, limits, door.token)
    server.add_generic_rpc_handlers((relay.handler(), health.handler()))
    port = door.open(server)
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # on Windows, and in other threads
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start()
    started(f"{door.address.rpartition(':')[0]}:{port}", relay)
    try:
        await stop.wait()
    finally:
        health.stop()
        await server.stop(limits.drain_seconds)
        await upstream.close()
        desk.close()


def _speaker(context: Any) -> str:
    """Whose line it is: what the call's metadata say, else the client's address without its port."""
    for key, value in context.invocation_metadata():
        if key == VOICE_KEY:
            return str(value)[:LONGEST_NAME]
    return str(context.peer()).rpartition(":")[0]


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
