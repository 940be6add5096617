"""Where a server listens, who may come in, and how it runs from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import re
import signal
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from dser_ext.audio2face.connection import is_loopback
from dser_ext.errors import DserError
from dser_ext.messages import TOKEN
from dser_ext.server.refusal import RefusalError

UNIX = "unix:"
OPTIONS = (
    ("grpc.so_reuseport", 0),  # two servers at one port would share the calls
    ("grpc.keepalive_time_ms", 30_000),  # who went away without a word is noticed
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),  # and may notice it of us
)
"""Of every server."""
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
            f"{self.address}: others than this machine could come in there; give TLS files (certificate and key) and "
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
        if self.address.startswith(UNIX):
            _clear(self.address.removeprefix(UNIX))
        before = os.umask(0o177)  # a socket is for its user alone
        try:
            if self.certificate and self.key:
                credentials = grpc.ssl_server_credentials([(self.key, self.certificate)])
                port = server.add_secure_port(self.address, credentials)
            else:
                port = server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise DserError(f"{self.address}: cannot listen there; choose another port, or see who has it") from error
        finally:
            os.umask(before)
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
    """Serve until `stop` is set or SIGTERM or SIGINT comes, then let running calls end, unless a second one comes.

    services: by their full names, that grpc.health.v1 says are ready. started: is told the address once clients can
    come. Raises DserError if the door cannot be opened.
    """
    healths = _Health()
    health_pb2_grpc.add_HealthServicer_to_server(healths, server)
    address = door.open(server)
    now = _told_to_stop(stop)
    for service in services:
        await healths.set(service, health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    started(address)
    try:
        await stop.wait()
    finally:
        await healths.stop()
        stopping = asyncio.ensure_future(server.stop(drain_seconds))
        await asyncio.wait([stopping, asyncio.ensure_future(now.wait())], return_when=asyncio.FIRST_COMPLETED)
        await server.stop(0)
        if address.startswith(UNIX):
            with contextlib.suppress(OSError):
                os.unlink(address.removeprefix(UNIX))  # noqa: PTH108


def _clear(path: str) -> None:
    """Remove the socket of a server that is gone. Raises DserError if there is one that answers, or something else."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise DserError(f"{path}: is there already and no socket; choose another path")
    except FileNotFoundError:
        return
    except OSError as error:
        raise DserError(f"{path}: cannot be used ({error.strerror}); choose another path") from error
    with socket.socket(socket.AF_UNIX) as own, contextlib.suppress(OSError):
        own.settimeout(1)
        own.connect(path)
        raise DserError(f"{path}: another server listens there; stop it, or choose another path")
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108


def _told_to_stop(stop: asyncio.Event) -> asyncio.Event:
    """Have signals set `stop`, and a second one the event that is returned."""
    loop, now = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        (now if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, told)
        except NotImplementedError:  # on Windows, where Ctrl-C and Ctrl-Break come like this; not tried there
            for own in (number, getattr(signal, "SIGBREAK", number)):
                signal.signal(own, lambda *_: loop.call_soon_threadsafe(told))
        except (RuntimeError, ValueError):  # in another thread than the first one, which has no signals
            break
    return now
