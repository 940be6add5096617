"""What went wrong with a call of our service, in our words; and whether trying again makes sense."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message import DecodeError

from dser_ext import errors
from dser_ext.messages import DETAILS, ErrorInfo, RetryInfo, Status

WAITS_SECONDS = (0.1, 0.3, 1.0, 2.0)
"""Before a call is tried again that found nobody or no room."""

OF_REASON: dict[str, type[errors.DserError]] = {
    "AUDIO": errors.AudioError,
    "VOICE": errors.VoiceError,
    "FORMAT": errors.FormatError,
    "MODEL": errors.ModelError,
    "AUDIO2FACE": errors.Audio2FaceError,
}
"""What the service says is the reason (google.rpc.ErrorInfo), and our error for it."""


def wait_seconds(error: Any, attempt: int, *, begun: bool) -> float | None:
    """How long to wait before a call is tried again; None if that is not safe, or not worth it.

    attempt: how often it was tried again before. begun: whether an answer had begun.
    """
    if begun or attempt >= len(WAITS_SECONDS):
        return None
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return WAITS_SECONDS[attempt]
    retry = RetryInfo()
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and any(each.Unpack(retry) for each in _details(error)):
        return max(WAITS_SECONDS[attempt], float(retry.retry_delay.seconds + retry.retry_delay.nanos * 1e-9))
    return None


def explained(error: Any, target: str) -> errors.DserError:
    """Our error for gRPC's."""
    info = ErrorInfo()
    if any(detail.Unpack(info) for detail in _details(error)):
        kind = OF_REASON.get(info.reason)
        return kind(error.details()) if kind else errors.ServiceError(f"{target}: {error.details()}")
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        return errors.ServiceError(
            f"{target}: no service answers there, or it has gone away; start it (dser serve), and check address and TLS"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.ServiceError(f"{target}: the service took too long; allow more time, or send shorter lines")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return errors.ServiceError(
            f"{target}: what answers there is no dser service, or another version; check the address"
        )
    return errors.ServiceError(f"{target}: the call failed ({code.name}: {_line(error.details())})")


def _details(error: Any) -> list[Any]:
    """Of the google.rpc.Status that came with the error, if one did."""
    try:
        found = [value for key, value in error.trailing_metadata() or () if key == DETAILS]
        return list(Status.FromString(found[0]).details) if found else []
    except DecodeError:
        return []


def _line(text: str | None) -> str:
    return " ".join((text or "no reason given").split())[:300]
