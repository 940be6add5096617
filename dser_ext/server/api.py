"""Our own service: which function answers which call, who may call, and how errors are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection

from dser_ext.audio2face.health import SERVICE as HEALTH
from dser_ext.errors import Audio2FaceError, AudioError, DserError, FormatError, ModelError, VoiceError
from dser_ext.messages import DETAILS, METHODS, SERVICE, BadRequest, ErrorInfo, RetryInfo, Status
from dser_ext.pool import POOL
from dser_ext.server.call import Call, Resources
from dser_ext.server.door import Door, run
from dser_ext.server.exporting import export
from dser_ext.server.learning import learn_voice
from dser_ext.server.models import get_model, list_models
from dser_ext.server.pushing import push
from dser_ext.server.recognizing import recognize
from dser_ext.server.refusal import RefusalError
from dser_ext.server.streaming import recognize_stream

DOMAIN = "dser.v1"
BUSY_SECONDS = 1.0  # after which a caller that found no room may try again

log = logging.getLogger(__name__)

Answer = Callable[[Call], Awaitable[Any]]

ANSWERS: dict[str, Answer] = {
    "Recognize": recognize,
    "RecognizeStream": recognize_stream,
    "LearnVoice": learn_voice,
    "Export": export,
    "Push": push,
    "ListModels": list_models,
    "GetModel": get_model,
}
"""The function that answers each call."""

UNKNOWN = (grpc.StatusCode.INVALID_ARGUMENT, "")
REASONS: dict[type[DserError], tuple[grpc.StatusCode, str]] = {
    AudioError: (grpc.StatusCode.INVALID_ARGUMENT, "audio"),
    VoiceError: (grpc.StatusCode.INVALID_ARGUMENT, "options.voice"),
    FormatError: (grpc.StatusCode.INVALID_ARGUMENT, "options"),
    ModelError: (grpc.StatusCode.INTERNAL, ""),
    Audio2FaceError: (grpc.StatusCode.FAILED_PRECONDITION, "options.target"),
}
"""The code that an error of ours ends a call with, and the field of the request that it is about."""


class EmotionService:
    """dser.v1.EmotionService. running: how many calls there are."""

    def __init__(self, resources: Resources, door: Door) -> None:
        self._resources, self._door = resources, door
        self.running = 0

    def handler(self) -> Any:
        """For grpc.aio.Server.add_generic_rpc_handlers."""
        methods = {name: self._method(name, answer) for name, answer in ANSWERS.items()}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _method(self, name: str, answer: Answer) -> Any:
        method = METHODS[name]
        request, response = (GetMessageClass(kind) for kind in (method.input_type, method.output_type))
        codec = (request.FromString, response.SerializeToString)
        if method.client_streaming and method.server_streaming:
            return grpc.stream_stream_rpc_method_handler(partial(self._run, answer, None), *codec)
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(partial(self._run, answer, None), *codec)
        return grpc.unary_unary_rpc_method_handler(partial(self._run, answer), *codec)

    async def _run(self, answer: Answer, request: Any, *given: Any) -> Any:
        """Let a call in, answer it, and tell what went wrong. given: last of it is the context."""
        context = given[-1]
        self.running += 1
        try:
            self._door.admit(context.invocation_metadata())
            if self.running > self._resources.limits.calls:
                raise RefusalError(
                    f"the service has {self._resources.limits.calls} calls already; try again when some are over",
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    retry_seconds=BUSY_SECONDS,
                )
            return await answer(Call(self._resources, context, request))
        except RefusalError as refusal:
            await _abort(context, refusal, "REFUSED")
        except DserError as error:
            code, field = next((said for kind, said in REASONS.items() if isinstance(error, kind)), UNKNOWN)
            name = type(error).__name__.removesuffix("Error").upper()
            await _abort(context, RefusalError(str(error), code, field=field), name)
        except Exception:
            log.exception("a call failed")
            await _abort(context, RefusalError("the service failed; see its log", grpc.StatusCode.INTERNAL), "FAILED")
        finally:
            self.running -= 1


async def _abort(context: Any, refusal: RefusalError, reason: str) -> None:
    """End a call with an error, told in full beside its code (google.rpc.Status)."""
    status = Status(code=refusal.code.value[0], message=str(refusal))
    status.details.add().Pack(ErrorInfo(reason=reason, domain=DOMAIN))
    if refusal.field:
        violation = BadRequest.FieldViolation(field=refusal.field, description=str(refusal))
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    if refusal.retry_seconds is not None:
        retry = RetryInfo()
        retry.retry_delay.FromTimedelta(timedelta(seconds=refusal.retry_seconds))
        status.details.add().Pack(retry)
    context.set_trailing_metadata(((DETAILS, status.SerializeToString()),))
    await context.abort(refusal.code, str(refusal))


async def serve(
    door: Door, resources: Resources, started: Callable[[str, EmotionService], None], stop: asyncio.Event
) -> None:
    """Serve until `stop` is set or SIGTERM or SIGINT comes, then let running calls end.

    started: is told the address, and the service, once callers can come. Raises DserError if the door cannot be opened.
    """
    limits = resources.limits
    options = [("grpc.max_receive_message_length", limits.message_bytes), ("grpc.so_reuseport", 0)]
    server, service = grpc.aio.server(options=options), EmotionService(resources, door)
    server.add_generic_rpc_handlers((service.handler(),))
    reflection.enable_server_reflection((SERVICE, HEALTH, reflection.SERVICE_NAME), server, pool=POOL)
    try:
        await run(server, door, ["", SERVICE], lambda address: started(address, service), stop, limits.drain_seconds)
    finally:
        resources.turns.close()
