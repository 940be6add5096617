"""`dser-train annotate`: the page until it is told to stop, or answers in and out of the store."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from dser_ext.cli.options import read_bytes
from dser_ext.errors import DserError
from dser_ext.messages import TOKEN
from dser_ext.server.door import UNIX, Door
from dser_training.config import ConfigError
from dser_training.preferences.annotate import exchange, figures, sheet
from dser_training.preferences.annotate.app import application
from dser_training.preferences.annotate.faces import Faces
from dser_training.preferences.annotate.settings import AnnotateConfig
from dser_training.preferences.annotate.store import Store

STORE, FACES = "answers.db", "faces"
"""In the folder with the candidates, unless the settings name another store."""
CALLS = 256  # at once
DRAIN_SECONDS = 3  # that running requests have at the end


def annotate(
    config: AnnotateConfig, *, export: str | None = None, take_up: str | None = None, show: bool = False
) -> str:
    """Serve the page; or write answers to a file, take them up from one, or tell the figures, and end.

    A sentence for the end. Raises DserError naming what is wrong.
    """
    door = door_of(config)
    work = sheet.read(config.candidates)
    url = config.store or f"sqlite:///{Path(config.candidates, STORE).resolve().as_posix()}"
    store = Store(url, work, overlap=config.overlap, checks=config.checks)
    try:
        if take_up is not None:
            return exchange.read(store, take_up)
        if export is None and not show:
            serve(config, door, store)
        elif export is not None:
            print(exchange.write(store, export, config.least_caught))
        return str(figures.figures(work, store.shared, store.answered()))
    finally:
        store.close()


def door_of(config: AnnotateConfig) -> Door:
    """Where to listen, and who may come in. Raises DserError for what cannot be."""
    if config.listen.startswith(UNIX) or not re.fullmatch(r".+:\d{1,5}", config.listen):
        raise ConfigError(f"listen is {config.listen}; write HOST:PORT, for example 127.0.0.1:8300")
    certificate, key = read_bytes(config.certificate or None), read_bytes(config.key or None)
    door = Door(config.listen, certificate, key, os.environ.get(TOKEN) or None)
    if certificate is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(config.certificate, config.key, password="")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{config.certificate}, {config.key}: cannot be used for TLS; name PEM files that belong together "
                "and have no password"
            ) from error
    return door


def serve(config: AnnotateConfig, door: Door, store: Store) -> None:
    """Answer browsers until SIGINT or SIGTERM comes. Raises DserError if the address cannot be listened at."""
    app = application(store, Faces(config.a2f, Path(config.candidates, FACES)), door)
    listening = _listen(config.listen)
    scheme = "https" if config.certificate else "http"
    host = config.listen.rpartition(":")[0]
    address = f"{scheme}://{host}:{listening.getsockname()[1]}/"
    told = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=CALLS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=config.certificate or None,
        ssl_keyfile=config.key or None,
    )
    _Server(told, address, door.token is not None).run(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's, which says where it is, and ends without an exception."""

    def __init__(self, config: uvicorn.Config, address: str, token: bool) -> None:
        super().__init__(config)
        self._ready = f"{address} is ready{f'; it asks for the token of {TOKEN}' if token else ''}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready, flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise DserError(f"{address}: cannot listen there ({reason}); choose another port for listen") from error
