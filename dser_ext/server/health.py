"""grpc.health.v1, by messages in a descriptor pool of our own (see audio2face/protocol.py for why)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool

from dser_ext.audio2face.protocol import SERVICE

HEALTH = "grpc.health.v1.Health"
SERVED = ("", SERVICE)


def _messages() -> tuple[Any, Any]:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="health.proto", package="grpc.health.v1", syntax="proto3")
    request = file.message_type.add(name="HealthCheckRequest")
    request.field.add(name="service", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    response = file.message_type.add(name="HealthCheckResponse")
    names = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
    values = [{"name": name, "number": number} for number, name in enumerate(names)]
    response.enum_type.add(name="ServingStatus", value=values)
    enum = ".grpc.health.v1.HealthCheckResponse.ServingStatus"
    response.field.add(name="status", number=1, type=field.TYPE_ENUM, type_name=enum, label=field.LABEL_OPTIONAL)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found = (pool.FindMessageTypeByName(f"grpc.health.v1.{name}") for name in (request.name, response.name))
    one, other = (message_factory.GetMessageClass(message) for message in found)
    return one, other


HealthCheckRequest, HealthCheckResponse = _messages()


class Health:
    """Says SERVING until `stop` is called, then NOT_SERVING."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    def handler(self) -> Any:
        """For grpc.aio.Server.add_generic_rpc_handlers."""
        codec = (HealthCheckRequest.FromString, HealthCheckResponse.SerializeToString)
        methods = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check, *codec),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, *codec),
        }
        return grpc.method_handlers_generic_handler(HEALTH, methods)

    async def _check(self, request: Any, context: Any) -> Any:
        if request.service not in SERVED:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service here")
        return self._answer(request)

    async def _watch(self, request: Any, _: Any) -> AsyncIterator[Any]:
        yield self._answer(request)
        await self._stopping.wait()
        yield self._answer(request)

    def _answer(self, request: Any) -> Any:
        if request.service not in SERVED:
            return HealthCheckResponse(status="SERVICE_UNKNOWN")
        return HealthCheckResponse(status="NOT_SERVING" if self._stopping.is_set() else "SERVING")
