"""The way to an Audio2Face service: its address, TLS, credentials, and what a channel to it may do."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from dser_ext.errors import Audio2FaceError

API_KEY_VARIABLE = "DSER_A2F_API_KEY"
"""Environment variable with the key of a hosted service; the only place that it is taken from."""

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Largest message that a gRPC server takes unless told otherwise."""

MAX_RESPONSE_BYTES = 16 * 1024 * 1024
"""Room for a server that sends the sound of a whole clip back in one message."""

KEEPALIVE_SECONDS = 310
"""gRPC servers hang up on clients that ping more often than every five minutes while nothing else is sent."""

OPTIONS = (
    ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),  # shorter than RETRY_WAITS_SECONDS, so that each of them tries anew
    ("grpc.max_reconnect_backoff_ms", 5_000),
)
"""Of every channel."""

RETRY_WAITS_SECONDS = (0.2, 0.4, 0.8)
"""Before a call is tried again that found nobody."""

MAX_CERTIFICATE_BYTES = 1 << 20
"""A file with all authorities of a system has some hundred thousand."""

_TARGET = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):(\d{1,5})", re.ASCII)
_FUNCTION_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_API_KEY = re.compile(r"[!-~]{1,4096}")


@dataclass(frozen=True)
class Connection:
    """How to reach an Audio2Face-3D service. The key of a hosted one is no part of it: see `metadata`.

    Raises Audio2FaceError for an address that is none and for certificates without TLS or without their key.
    """

    target: str  # HOST:PORT
    tls: bool = False
    root_certificate: str | None = None  # PEM file of the authority that signed the service's; None: the system's
    client_certificate: str | None = None  # PEM file, for a service that asks who calls (mTLS)
    client_key: str | None = None  # PEM file, without a password
    function_id: str | None = None  # which function of a hosted endpoint
    function_version_id: str | None = None  # which of its versions; None: any that is deployed
    with_key: bool = True  # whether calls carry the key: not where somebody else than the key's owner names the target

    def __post_init__(self) -> None:
        if not is_address(self.target):
            raise Audio2FaceError(
                f"{self.target!r} is no address of Audio2Face; write HOST:PORT, for example localhost:52000"
            )
        if not self.tls and (self.root_certificate or self.client_certificate or self.client_key):
            raise Audio2FaceError(f"{self.target}: certificates are of use with TLS alone; ask for it, too (--tls)")
        if (self.client_certificate is None) != (self.client_key is None):
            raise Audio2FaceError(f"{self.target}: a client certificate and its key go together; name both files")
        for given in (self.function_id, self.function_version_id):
            if given is not None and not _FUNCTION_ID.fullmatch(given):
                raise Audio2FaceError(f"{given[:80]!r} is no function id; copy it from the service's page")

    def channel(self) -> Any:
        """A gRPC channel, connected when first used; close it, or use it as a context.

        Raises Audio2FaceError for certificates that cannot be used.
        """
        if self.tls:
            return grpc.secure_channel(self.target, self.credentials(), OPTIONS)
        return grpc.insecure_channel(self.target, OPTIONS)

    def credentials(self) -> Any:
        """gRPC's channel credentials for TLS. Raises Audio2FaceError for certificates that cannot be used."""
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # only to read them: gRPC fails later and does not say why
        root = certificate = key = None
        if self.root_certificate is not None:
            root = _read(self.root_certificate)
            with _usable(self.root_certificate):
                trust.load_verify_locations(self.root_certificate)
        if self.client_certificate is not None and self.client_key is not None:
            certificate, key = _read(self.client_certificate), _read(self.client_key)
            with _usable(f"{self.client_certificate}, {self.client_key}"):
                trust.load_cert_chain(self.client_certificate, self.client_key, password="")
        return grpc.ssl_channel_credentials(root, key, certificate)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call carries beside its messages: the function's ids, and the key from DSER_A2F_API_KEY.

        Without TLS the key never goes along: this machine is called without it. Raises Audio2FaceError if another one
        is, or if what is in the variable cannot be a key.
        """
        ids = {"function-id": self.function_id, "function-version-id": self.function_version_id}
        pairs = tuple((name, value) for name, value in ids.items() if value is not None)
        key = _api_key()
        if not key or not self.with_key or (not self.tls and is_loopback(self.target)):
            return pairs
        if not self.tls:
            raise Audio2FaceError(
                f"{self.target}: the key in {API_KEY_VARIABLE} is not sent without TLS, where anybody on the way could "
                "read it; use TLS (--tls), or unset the variable"
            )
        if not _API_KEY.fullmatch(key):
            raise Audio2FaceError(f"{API_KEY_VARIABLE} holds characters that no key has; copy the key into it again")
        return (*pairs, ("authorization", f"Bearer {key}"))


def is_address(target: str) -> bool:
    """Whether a text is "HOST:PORT"."""
    match = _TARGET.fullmatch(target)
    return match is not None and 0 < int(match[2]) < 65536


def is_loopback(target: str) -> bool:
    """Whether "HOST:PORT" is on this machine, by nothing but how it is written."""
    host = target.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_key(text: str) -> str:
    """A text that may be shown: with … wherever the key stands in it."""
    return text.replace(key, "…") if (key := _api_key()) else text


def _api_key() -> str:
    return os.environ.get(API_KEY_VARIABLE, "").strip()


@contextmanager
def _usable(names: str) -> Iterator[None]:
    """Turns what Python says of certificates into our sentence, which quotes nothing that is in them."""
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        reason = str(getattr(error, "reason", None) or "no PEM file").replace("_", " ").lower()
        raise Audio2FaceError(
            f"{names}: cannot be used for TLS ({reason}); name PEM files that belong together and have no password"
        ) from error


def _read(path: str) -> bytes:
    try:
        if not Path(path).is_file() or Path(path).stat().st_size > MAX_CERTIFICATE_BYTES:
            raise Audio2FaceError(f"{path}: is no certificate or key; name a PEM file")
        return Path(path).read_bytes()
    except OSError as error:
        raise Audio2FaceError(f"{path}: cannot be read ({error.strerror}); check its name and permissions") from error
