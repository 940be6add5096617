"""Where a server listens, who may come in, and how it runs from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from dser_ext.audio2face.connection import is_loopback
from dser_ext.errors import DserError
from dser_ext.server.refusal import RefusalError

TOKEN = "DSER_TOKEN"
"""Environment variable with the token that callers must bring; the only place that it is taken from."""

UNIX = "unix:"
TELLING_SECONDS = 0.05  # that those who watch have to hear of the end


@dataclass(frozen=True)
class Door:
    """Where a server listens, and who may come in.

    address: "HOST:PORT", port 0 being any that is free, or "unix:PATH". certificate, key: PEM, for TLS. token: that
    every call must bring as "authorization: Bearer …". insecure: whether others than this machine may come in without
    TLS or without a token. Raises DserError for what is no address, and if others could come in against that.
    """

    address: str
    certificate: bytes | None = None
    key: bytes | None = None
    token: str | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        if not self.local and not re.fullmatch(r".+:\d{1,5}", self.address):
            raise DserError(f"{self.address} is no address to listen at; write HOST:PORT, for example 127.0.0.1:50061")
        if self.local or self.safe or self.insecure:
            return
        raise DserError(
            f"{self.address}: others than this machine could come in there; give TLS files (--certificate, --key) and "
            f"set a token ({TOKEN}), or listen on 127.0.0.1"
        )

    @property
    def local(self) -> bool:
        """Whether only this machine can come in."""
        return self.address.startswith(UNIX) or is_loopback(self.address)

    @property
    def safe(self) -> bool:
        """Whether others need the token, and nobody on the way can read it."""
        return bool(self.certificate and self.key and self.token)

    def admit(self, metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Raise RefusalError if a call does not bring the token."""
        if self.token is None:
            return
        given = "".join(str(value) for key, value in metadata if key == "authorization")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            raise RefusalError(
                "a token is needed here; send it as authorization: Bearer TOKEN", grpc.StatusCode.UNAUTHENTICATED
            )

    def open(self, server: Any) -> str:
        """Listen; the address. Raises DserError if that cannot be."""
        try:
            if self.certificate and self.key:
                credentials = grpc.ssl_server_credentials([(self.key, self.certificate)])
                port = server.add_secure_port(self.address, credentials)
            else:
                port = server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise DserError(f"{self.address}: cannot listen there; choose another port, or see who has it") from error
        return self.address if self.address.startswith(UNIX) else f"{self.address.rpartition(':')[0]}:{port}"


class _Health(health.aio.HealthServicer):  # type: ignore[misc]  # has no types
    """grpc.health.v1 as gRPC's package has it, except that who watches is let go at the end and does not hold it up."""

    def __init__(self) -> None:
        super().__init__()
        self._over = asyncio.Event()

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802 (gRPC's name)
        tasks = [asyncio.ensure_future(super().Watch(request, context)), asyncio.ensure_future(self._over.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Say NOT_SERVING, then nothing more."""
        await self.enter_graceful_shutdown()
        await asyncio.sleep(TELLING_SECONDS)
        self._over.set()


async def run(
    server: Any,
    door: Door,
    services: Sequence[str],
    started: Callable[[str], None],
    stop: asyncio.Event,
    drain_seconds: float,
) -> None:
    """Serve until `stop` is set or SIGTERM or SIGINT comes, then let running calls end.

    services: by their full names, that grpc.health.v1 says are ready. started: is told the address once clients can
    come. Raises DserError if the door cannot be opened.
    """
    healths = _Health()
    health_pb2_grpc.add_HealthServicer_to_server(healths, server)
    address = door.open(server)
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # on Windows, and in other threads
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    for service in services:
        await healths.set(service, health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    started(address)
    try:
        await stop.wait()
    finally:
        await healths.stop()
        await server.stop(drain_seconds)
