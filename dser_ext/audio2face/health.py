"""Whether a service says that it is ready: `grpc.health.v1`."""

from __future__ import annotations

import grpc
from google.protobuf.message import DecodeError

from dser_ext.audio2face.connection import Connection
from dser_ext.audio2face.failure import explain
from dser_ext.errors import Audio2FaceError
from dser_ext.pool import message

SERVICE = "grpc.health.v1.Health"
CHECK = f"/{SERVICE}/Check"
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
"""In the order of their numbers."""

SERVING = STATUSES[1]
NO_HEALTH_SERVICE = "NO_HEALTH_SERVICE"
"""What `health` says of a gRPC server that cannot be asked."""


HealthCheckRequest = message("grpc.health.v1.HealthCheckRequest")
HealthCheckResponse = message("grpc.health.v1.HealthCheckResponse")


def health(connection: Connection, *, timeout_seconds: float = 5.0) -> str:
    """SERVING, NOT_SERVING, UNKNOWN or SERVICE_UNKNOWN, as the service itself says; NO_HEALTH_SERVICE if it cannot.

    Raises Audio2FaceError if nobody answers there, or not within `timeout_seconds`.
    """
    with connection.channel() as channel:
        check = channel.unary_unary(CHECK, HealthCheckRequest.SerializeToString)
        try:
            answer = check(HealthCheckRequest(), timeout=timeout_seconds, metadata=connection.metadata())
            status = HealthCheckResponse.FromString(answer).status
        except DecodeError as error:
            raise Audio2FaceError(f"{connection.target}: its answer is no health; check the address") from error
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return NO_HEALTH_SERVICE
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise Audio2FaceError(
                    f"{connection.target}: says nothing about its health for {timeout_seconds:g} s; "
                    "see whether it hangs, or whether that is the address"
                ) from error
            raise explain(error, connection, begun=False, frames=0) from error
    return STATUSES[status] if 0 <= status < len(STATUSES) else STATUSES[0]
