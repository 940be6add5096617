"""Our own service: which function answers which call, who may call, and how errors are told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection

from dser_ext.audio2face.health import SERVICE as HEALTH
from dser_ext.errors import DserError
from dser_ext.messages import DETAILS, METHODS, SERVICE, BadRequest, ErrorInfo, RetryInfo, Status
from dser_ext.pool import POOL
from dser_ext.server.call import Call, Resources
from dser_ext.server.door import OPTIONS, UNIX, Door, run
from dser_ext.server.exporting import export
from dser_ext.server.journal import Caller, Ended
from dser_ext.server.learning import learn_voice
from dser_ext.server.memory import Keeper
from dser_ext.server.models import get_model, list_models
from dser_ext.server.pushing import push
from dser_ext.server.recognizing import recognize
from dser_ext.server.refusal import RefusalError
from dser_ext.server.streaming import recognize_stream
from dser_ext.server.waiting import in_time

DOMAIN = "dser.v1"
LINGER_SECONDS = 1.0  # that a caller has to read how the call ended
BUSY_SECONDS = 1.0  # after which a caller that found no room may try again

_calls = count()
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


class EmotionService:
    """dser.v1.EmotionService. observers: are told of every call that is over."""

    def __init__(self, resources: Resources, door: Door, observers: Sequence[Callable[[Ended], None]] = ()) -> None:
        self._resources, self._door, self._observers = resources, door, observers
        self._memory = Keeper(lambda: resources.load.calls > 0)

    def handler(self) -> Any:
        """For grpc.aio.Server.add_generic_rpc_handlers."""
        methods = {name: self._method(name, answer) for name, answer in ANSWERS.items()}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _method(self, name: str, answer: Answer) -> Any:
        """Requests stay bytes, so that what is none is refused in our words."""
        method = METHODS[name]
        run, encode = partial(self._run, name, answer), GetMessageClass(method.output_type).SerializeToString
        if method.client_streaming and method.server_streaming:
            return grpc.stream_stream_rpc_method_handler(partial(run, None), None, encode)
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(partial(run, None), None, encode)
        return grpc.unary_unary_rpc_method_handler(run, None, encode)

    async def _run(self, name: str, answer: Answer, data: bytes | None, *given: Any) -> Any:
        """Answer a call, and note how it ended. given: last of it is the context."""
        context, caller = given[-1], Caller(_name(given[-1].peer()))
        start, code = time.time(), grpc.StatusCode.CANCELLED
        self._resources.load.calls += 1
        try:
            kind = GetMessageClass(METHODS[name].input_type)
            result = await self._answered(answer, Call(self._resources, context, caller, kind, data), context)
            if not isinstance(result, RefusalError):
                code = grpc.StatusCode.OK
                return result
            code = result.code
            await _abort(context, result)
        finally:
            self._resources.load.calls -= 1
            self._memory.call_ended()
            ended = Ended(name, caller, code.name, start, time.time() - start, context.invocation_metadata() or ())
            for observer in self._observers:
                observer(ended)

    async def _answered(self, answer: Answer, call: Call, context: Any) -> Any:
        """What a call comes to, or why it is refused."""
        try:
            self._door.admit(context.invocation_metadata())
            if self._resources.load.calls > self._resources.limits.calls:
                raise RefusalError(
                    f"the service has {self._resources.limits.calls} calls already; try again when some are over",
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    retry_seconds=BUSY_SECONDS,
                )
            return await answer(call)
        except RefusalError as refusal:
            return refusal
        except DserError as error:
            return RefusalError.of(error)
        except Exception:
            log.exception("a call failed")
            return RefusalError("the service failed; see its log", grpc.StatusCode.INTERNAL, kind="FAILED")


def _name(peer: str) -> str:
    """Of a caller. Those at a socket have none, and take turns call by call."""
    return peer if peer != UNIX else f"{UNIX}{next(_calls)}"


async def _abort(context: Any, refusal: RefusalError) -> None:
    """End a call with an error, told in full beside its code (google.rpc.Status)."""
    status = Status(code=refusal.code.value[0], message=str(refusal))
    status.details.add().Pack(ErrorInfo(reason=refusal.kind, domain=DOMAIN))
    if refusal.field:
        violation = BadRequest.FieldViolation(field=refusal.field, description=str(refusal))
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    if refusal.retry_seconds is not None:
        retry = RetryInfo()
        retry.retry_delay.FromTimedelta(timedelta(seconds=refusal.retry_seconds))
        status.details.add().Pack(retry)
    context.set_trailing_metadata(((DETAILS, status.SerializeToString()),))
    try:
        await in_time(context.abort(refusal.code, str(refusal)), LINGER_SECONDS)
    except asyncio.TimeoutError:  # who reads nothing does not read this either
        raise asyncio.CancelledError from None


async def serve(
    door: Door,
    resources: Resources,
    started: Callable[[str], None],
    stop: asyncio.Event,
    observers: Sequence[Callable[[Ended], None]] = (),
) -> None:
    """Serve until `stop` is set or SIGTERM or SIGINT comes, then let running calls end.

    started: is told the address once callers can come. Raises DserError if the door cannot be opened.
    """
    limits = resources.limits
    options = [("grpc.max_receive_message_length", limits.message_bytes), *OPTIONS]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((EmotionService(resources, door, observers).handler(),))
    reflection.enable_server_reflection((SERVICE, HEALTH, reflection.SERVICE_NAME), server, pool=POOL)
    try:
        await run(server, door, ["", SERVICE], started, stop, limits.drain_seconds)
    finally:
        resources.turns.close()
