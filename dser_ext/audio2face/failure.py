"""Why a call to Audio2Face failed, in one sentence that says what to do."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import grpc

from dser_ext.audio2face.answer import quoted
from dser_ext.errors import Audio2FaceError

PROBE_SECONDS = 2.0
"""Longest wait when asking whether a port speaks TLS."""

USUAL_PORT = 52000
"""Where an Audio2Face-3D service listens for ProcessAudioStream."""

REFUSALS = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.OUT_OF_RANGE)
"""What a server says of a request that it will not take."""


def explain(error: Any, target: str, *, begun: bool, frames: int) -> Audio2FaceError:
    """Turn a failed call into the sentence for the user.

    error: the grpc.RpcError raised while reading the answer. target: "HOST:PORT".
    begun: whether the server had sent anything; frames: how many animation frames it had sent.
    """
    code, reason = error.code(), quoted(error.details() or "")
    if begun and code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return Audio2FaceError(
            f"{target}: Audio2Face stopped in the middle of the answer, after {frames} frames ({reason}); see whether "
            "it still runs, then try again"
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return Audio2FaceError(f"{target}: {_why_unavailable(target, reason)}")
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
        return Audio2FaceError(
            f"{target}: Audio2Face asks for credentials ({reason}), which dser does not send; use a service of your own"
        )
    verb = "refuses the line" if code in REFUSALS else f"failed after {frames} frames"
    return Audio2FaceError(
        f"{target}: Audio2Face {verb}: {reason or 'it gives no reason'} ({code.name}); put that right, or see its log, "
        "and try again"
    )


def _why_unavailable(target: str, reason: str) -> str:
    """The rest of the sentence when not even a first message came."""
    if "resolving" in reason or "resolution" in reason:  # wordings of newer and older gRPC
        return "there is no such host; check the spelling of the address"
    if "refused" not in reason and _speaks_tls(target):
        return "this port speaks TLS, and dser does not; name a port of Audio2Face-3D with secure_mode disabled"
    if "HTTP" in reason:
        return f"what listens there does not speak gRPC; name Audio2Face-3D's gRPC port (usually {USUAL_PORT})"
    if "failed to connect" in reason:
        cause = reason.rpartition(": ")[2]  # before it, gRPC tells the way it took
        return f"no Audio2Face answers there ({cause}); start it, or name its gRPC port (usually {USUAL_PORT})"
    return f"the connection broke before an answer came ({reason}); check that Audio2Face-3D listens there and works"


def _speaks_tls(target: str) -> bool:
    host, _, port = target.rpartition(":")
    anyone = ssl.create_default_context()  # only asks what the port speaks; nothing is sent over it
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS) as connection:
            anyone.wrap_socket(connection, server_hostname=host.strip("[]")).close()
    except ssl.SSLError as error:
        return "ALERT" in str(error)  # TLS's own way to refuse us; what is no TLS at all has a wrong version instead
    except (OSError, ValueError):
        return False
    return True
