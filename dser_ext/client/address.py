"""Where our service is, and how it is reached."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from dser_ext.audio2face.connection import is_loopback
from dser_ext.errors import ServiceError
from dser_ext.messages import TOKEN

OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),  # whoever went away without a word is noticed
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
"""Of every channel."""


@dataclass(frozen=True)
class Address:
    """Of a service. Raises ServiceError if it is none, or if the token would go to another machine without TLS.

    target: "HOST:PORT" or "unix:PATH". token: what the service asks for; unless given that of DSER_TOKEN, "" for none.
    root_certificate: PEM file of the authority that signed the service's; None: those that gRPC trusts.
    """

    target: str
    tls: bool = False
    root_certificate: str | None = None
    token: str = field(default_factory=lambda: os.environ.get(TOKEN, ""), repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"unix:.+|(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}", self.target, re.ASCII):
            raise ServiceError(
                f"{self.target!r} is no address of a service; write HOST:PORT, for example 127.0.0.1:50061"
            )
        if not re.fullmatch(r"[!-~]*", self.token):
            raise ServiceError(f"the token ({TOKEN}) holds characters that no token has; copy it again")
        if self.token and not (self.tls or self.target.startswith("unix:") or is_loopback(self.target)):
            raise ServiceError(f"{self.target}: the token is not sent to another machine without TLS; use TLS")

    def channel(self) -> Any:
        """Connected when first used. Raises ServiceError if the certificate cannot be read."""
        if self.tls:
            return grpc.secure_channel(self.target, self._credentials(), OPTIONS)
        return grpc.insecure_channel(self.target, OPTIONS)

    def aio_channel(self) -> Any:
        """The same for asyncio."""
        if self.tls:
            return grpc.aio.secure_channel(self.target, self._credentials(), OPTIONS)
        return grpc.aio.insecure_channel(self.target, OPTIONS)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def _credentials(self) -> Any:
        try:
            root = None if self.root_certificate is None else Path(self.root_certificate).read_bytes()
        except OSError as error:
            raise ServiceError(
                f"{self.root_certificate}: cannot be read ({error.strerror}); name a PEM file"
            ) from error
        return grpc.ssl_channel_credentials(root)
