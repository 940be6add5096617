"""The relay's answer to grpc.health.v1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from dser_ext.audio2face import health
from dser_ext.audio2face.protocol import SERVICE

SERVED = ("", SERVICE)


class Health:
    """Says SERVING until `stop` is called, then NOT_SERVING."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    def handler(self) -> Any:
        """For grpc.aio.Server.add_generic_rpc_handlers."""
        codec = (health.HealthCheckRequest.FromString, health.HealthCheckResponse.SerializeToString)
        methods = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check, *codec),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, *codec),
        }
        return grpc.method_handlers_generic_handler(health.SERVICE, methods)

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
            return health.HealthCheckResponse(status="SERVICE_UNKNOWN")
        return health.HealthCheckResponse(status="NOT_SERVING" if self._stopping.is_set() else "SERVING")
