"""Certificates that live for a day: an authority, a service and a client it signed, and some that are wrong."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificates:
    """PEM files in a folder: NAME.pem and NAME.key of authority, service, client, elsewhere, old, stranger.

    elsewhere is another host's, old is out of date; stranger is its own authority. locked.key has a password.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = self._make("authority")
        for name in ("service", "client", "elsewhere"):
            self._make(name, authority)
        self._make("old", authority, days=-1)
        _, key = self._make("stranger")
        secret = serialization.BestAvailableEncryption(b"secret")
        Path(self.path("locked.key")).write_bytes(_pem_key(key, secret))

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def server(self, name: str = "service", *, mutual: bool = False) -> Any:
        """Credentials for a server with this certificate; mutual: it asks for a client's."""
        key, certificate, authority = (
            Path(self.path(file)).read_bytes() for file in (f"{name}.key", f"{name}.pem", "authority.pem")
        )
        return grpc.ssl_server_credentials([(key, certificate)], authority if mutual else None, mutual)

    def _make(self, name: str, signer: tuple[Any, Any] | None = None, days: int = 1) -> tuple[Any, Any]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        host = "elsewhere" if name == "elsewhere" else "localhost"
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer[0].subject if signer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        )
        certificate = builder.sign(signer[1] if signer else key, hashes.SHA256())
        Path(self.path(f"{name}.pem")).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        Path(self.path(f"{name}.key")).write_bytes(_pem_key(key, serialization.NoEncryption()))
        return certificate, key


def _pem_key(key: Any, encryption: Any) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
