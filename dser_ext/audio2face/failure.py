"""Why a call to Audio2Face failed, in one sentence that says what to do."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import grpc

from dser_ext.audio2face.answer import quoted
from dser_ext.audio2face.connection import API_KEY_VARIABLE, Connection
from dser_ext.errors import Audio2FaceError

PROBE_SECONDS = 2.0
"""Longest wait for each step of trying a port's TLS."""

USUAL_PORT = 52000
"""Where an Audio2Face-3D service listens for ProcessAudioStream."""

REFUSALS = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.OUT_OF_RANGE)
"""What a server says of a request that it will not take."""


def explain(error: Any, connection: Connection, *, begun: bool, frames: int) -> Audio2FaceError:
    """Turn a failed call into the sentence for the user.

    error: the grpc.RpcError raised while reading the answer. connection: the way that the call took.
    begun: whether the server had sent anything; frames: how many animation frames it had sent.
    """
    code, reason, target = error.code(), quoted(error.details() or ""), connection.target
    if begun and code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return Audio2FaceError(
            f"{target}: Audio2Face stopped in the middle of the answer, after {frames} frames ({reason}); see whether "
            "it still runs, then try again"
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return Audio2FaceError(f"{target}: {_why_unavailable(connection, reason)}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Audio2FaceError(
            f"{target}: a gRPC server answers there, but not Audio2Face's ProcessAudioStream ({reason}); "
            f"name the address of the Audio2Face-3D service (usually port {USUAL_PORT})"
        )
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Audio2FaceError(
            f"{target}: Audio2Face has no room for this line ({reason}); try again when it is less busy"
        )
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        remedy = f"put a key that is good for this service into the environment variable {API_KEY_VARIABLE}"
        if not connection.tls:
            remedy += " and use TLS (--tls)"
        return Audio2FaceError(f"{target}: Audio2Face asks for credentials ({reason}); {remedy}")
    verb = "refuses the line" if code in REFUSALS else f"failed after {frames} frames"
    return Audio2FaceError(
        f"{target}: Audio2Face {verb}: {reason or 'it gives no reason'} ({code.name}); put that right, or see its log, "
        "and try again"
    )


def _why_unavailable(connection: Connection, reason: str) -> str:
    """The rest of the sentence when not even a first message came."""
    if "resolving" in reason or "resolution" in reason:  # wordings of newer and older gRPC
        return "there is no such host; check the spelling of the address"
    if connection.tls and (sentence := _why_tls_failed(connection)):
        return sentence
    if not connection.tls and "refused" not in reason and _speaks_tls(connection):
        return "this port speaks TLS; use it, too (--tls), or name a port of Audio2Face-3D with secure_mode disabled"
    if "HTTP" in reason:
        return f"what listens there does not speak gRPC; name Audio2Face-3D's gRPC port (usually {USUAL_PORT})"
    if "failed to connect" in reason:
        cause = reason.rpartition(": ")[2]  # before it, gRPC tells the way it took
        return f"no Audio2Face answers there ({cause}); start it, or name its gRPC port (usually {USUAL_PORT})"
    return f"the connection broke before an answer came ({reason}); check that Audio2Face-3D listens there and works"


def _why_tls_failed(connection: Connection) -> str | None:
    """The rest of the sentence, by trying TLS ourselves: of several addresses gRPC tells of one."""
    try:
        if _welcome(connection):
            return None
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not trusted here ({quoted(error.verify_message)}); name the certificate of the "
            "authority that signed it (--root-certificate), and the host by the name that stands in it"
        )
    except ssl.SSLError as error:
        if "ALERT" not in str(error):
            return "this port does not speak TLS; leave it out (--tls), or name a port that does"
    except (OSError, ValueError):
        return None
    own = "does not accept this" if connection.client_certificate else "asks for a"
    return f"it {own} client certificate; name one that it knows (--client-certificate, --client-key)"


def _welcome(connection: Connection) -> bool:
    """Whether the service goes on when TLS stands; with TLS 1.3 it looks at a client's certificate only then."""
    context = ssl.create_default_context(cafile=connection.root_certificate)
    context.set_alpn_protocols(["h2"])
    if connection.client_certificate is not None:
        context.load_cert_chain(connection.client_certificate, connection.client_key)
    with _dialled(connection.target) as plain, context.wrap_socket(plain, server_hostname=_host(connection)) as secure:
        try:
            return bool(secure.recv(1))
        except ConnectionError:
            return False


def _speaks_tls(connection: Connection) -> bool:
    anyone = ssl.create_default_context()  # only asks what the port speaks; nothing is sent over it
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    try:
        with _dialled(connection.target) as plain:
            anyone.wrap_socket(plain, server_hostname=_host(connection)).close()
    except ssl.SSLError as error:
        return "ALERT" in str(error)  # TLS's own way to refuse us; what is no TLS at all has a wrong version instead
    except (OSError, ValueError):
        return False
    return True


def _dialled(target: str) -> socket.socket:
    host, _, port = target.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS)


def _host(connection: Connection) -> str:
    return connection.target.rpartition(":")[0].strip("[]")
