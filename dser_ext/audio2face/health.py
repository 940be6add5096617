"""Whether a service says that it is ready: `grpc.health.v1`, in a descriptor pool of our own."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from dser_ext.audio2face.connection import Connection
from dser_ext.audio2face.failure import explain
from dser_ext.errors import Audio2FaceError

SERVICE = "grpc.health.v1.Health"
CHECK = f"/{SERVICE}/Check"
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
"""In the order of their numbers."""

SERVING = STATUSES[1]
NO_HEALTH_SERVICE = "NO_HEALTH_SERVICE"
"""What `health` says of a gRPC server that cannot be asked."""


def _messages() -> tuple[Any, Any]:
    """HealthCheckRequest and HealthCheckResponse. The packages that declare them cannot be imported together."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="grpc/health.proto", package="grpc.health.v1", syntax="proto3")
    request = file.message_type.add(name="HealthCheckRequest")
    request.field.add(name="service", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    response = file.message_type.add(name="HealthCheckResponse")
    statuses = response.enum_type.add(name="ServingStatus")
    for number, name in enumerate(STATUSES):
        statuses.value.add(name=name, number=number)
    kind = ".grpc.health.v1.HealthCheckResponse.ServingStatus"
    response.field.add(name="status", number=1, type=field.TYPE_ENUM, label=field.LABEL_OPTIONAL, type_name=kind)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found = (pool.FindMessageTypeByName(f"grpc.health.v1.{message.name}") for message in (request, response))
    request_type, response_type = (message_factory.GetMessageClass(descriptor) for descriptor in found)
    return request_type, response_type


HealthCheckRequest, HealthCheckResponse = _messages()


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
