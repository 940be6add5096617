"""A stand-in for Audio2Face-3D on loopback: keeps its protocol, refuses what it refuses, and can be made to fail.

By hand: `python tests/audio2face/a2f_server.py --listen 127.0.0.1:52000 [--fail die] [--after-frames 20]`.
"""

from __future__ import annotations

import argparse
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from a2f_face import BLENDSHAPES, EmotionMixer, keyed_emotions, weights
from a2f_rules import Limits, RefusedError, Request

from dser_ext.audio2face import protocol
from dser_ext.audio2face.health import SERVICE, HealthCheckResponse
from dser_ext.emotion.names import A2F_EMOTIONS

FPS = 30
LATE_MESSAGE_SECONDS = 0.05

Spoil = Callable[[Iterator[Any]], Iterator[Any]]
"""Turns an honest answer into a bad one: yields messages or raw bytes, may raise RefusedError or SilentError."""


class SilentError(Exception):
    """Say nothing more, and keep the call open until the client gives up."""


@dataclass
class A2FServer:
    """A running server. Starts at once; `target` is its address.

    health: what it says of itself, None if it has no health service. `requests` holds what came in, in order of
    arrival, and `metadata` what each of the calls carried; `running` says how many calls nobody has ended.
    """

    limits: Limits = field(default_factory=Limits)
    spoil: Spoil | None = None
    listen: str = "127.0.0.1:0"
    credentials: Any = None
    health: str | None = "SERVING"
    requests: list[Request] = field(default_factory=list, repr=False)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    _open: list[Any] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._grpc = grpc.server(ThreadPoolExecutor(self.limits.streams), maximum_concurrent_rpcs=self.limits.streams)
        method = grpc.stream_stream_rpc_method_handler(self._process, protocol.AudioStream.FromString, _serialized)
        self._grpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(protocol.SERVICE, {"ProcessAudioStream": method}),)
        )
        if self.health is not None:
            check = grpc.unary_unary_rpc_method_handler(self._check)
            self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Check": check}),))
        host = self.listen.rpartition(":")[0]
        port = (
            self._grpc.add_secure_port(self.listen, self.credentials)
            if self.credentials
            else self._grpc.add_insecure_port(self.listen)
        )
        self.target = f"{host}:{port}"
        self._grpc.start()

    def stop(self) -> None:
        self._grpc.stop(None).wait(5)

    def wait(self) -> None:
        self._grpc.wait_for_termination()

    @property
    def running(self) -> int:
        return sum(context.is_active() for context in self._open)

    def _check(self, _: bytes, context: Any) -> bytes:
        self.metadata.append(dict(context.invocation_metadata()))
        return bytes(HealthCheckResponse(status=self.health).SerializeToString())

    def _process(self, incoming: Iterator[Any], context: Any) -> Iterator[Any]:
        self._open.append(context)
        self.metadata.append(dict(context.invocation_metadata()))
        answer = self._answer(_Inbox(incoming, self.limits))
        try:
            yield from answer if self.spoil is None else self.spoil(answer)
        except RefusedError as refusal:
            context.abort(refusal.code, str(refusal))
        except SilentError:
            over = threading.Event()
            if context.add_callback(over.set):  # False: it has ended already
                over.wait()

    def _answer(self, inbox: _Inbox) -> Iterator[Any]:
        request = Request(self.limits)
        self.requests.append(request)
        request.add(inbox.next())
        yield _header(request)
        animator = _Animator(request)
        started = time.monotonic()
        while not request.ended:
            request.add(inbox.next())
            self._check_pace(request, time.monotonic() - started)
            yield from animator.frames()
        inbox.check_nothing_follows()
        yield protocol.AnimationDataStream(event=protocol.Event(event_type=0))
        yield status(protocol.Status.SUCCESS, "all animation sent")

    def _check_pace(self, request: Request, elapsed: float) -> None:
        if elapsed > self.limits.slow_seconds and request.seconds * FPS / elapsed < self.limits.slow_fps:
            raise RefusedError("the audio comes in too slowly", grpc.StatusCode.ABORTED)


class _Inbox:
    """Incoming messages, read aside so that a silent client can be told from a slow one."""

    def __init__(self, incoming: Iterator[Any], limits: Limits) -> None:
        self._limits = limits
        self._queue: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._read, args=(incoming,), daemon=True).start()

    def next(self) -> Any:
        try:
            message = self._queue.get(timeout=self._limits.idle_seconds)
        except queue.Empty:
            reason = f"nothing came in for {self._limits.idle_seconds:g} s"
            raise RefusedError(reason, grpc.StatusCode.DEADLINE_EXCEEDED) from None
        if message is None:
            raise RefusedError("the stream ended without EndOfAudio")
        return message

    def check_nothing_follows(self) -> None:
        """Refuse what is already here; never wait for the half-close that NVIDIA's clients do not send."""
        try:
            if self._queue.get(timeout=LATE_MESSAGE_SECONDS) is not None:
                raise RefusedError("nothing may follow EndOfAudio")
        except queue.Empty:
            return

    def _read(self, incoming: Iterator[Any]) -> None:
        try:
            for message in incoming:
                self._queue.put(message)
        except Exception:  # what gRPC raises here when the RPC is over has no public type
            pass  # and whoever waits is told, as the stream has ended
        self._queue.put(None)


class _Animator:
    """Makes the frames whose sound has come in."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._mixer = EmotionMixer(request.header)
        self._frame = 0

    def frames(self) -> Iterator[Any]:
        while (start := self._sample(self._frame)) < len(self._request.sound) // 2:
            stop = self._sample(self._frame + 1)
            if stop > len(self._request.sound) // 2 and not self._request.ended:
                return
            yield self._make(bytes(self._request.sound[2 * start : 2 * stop]))
            self._frame += 1

    def _sample(self, frame: int) -> int:
        return math.ceil(frame * self._request.sample_rate / FPS)

    def _make(self, sound: bytes) -> Any:
        seconds = self._frame / FPS
        keyed = keyed_emotions(self._request, seconds)
        emotions = self._mixer.step(keyed, 1 / FPS)
        shapes = self._request.header.blendshape_params
        pose = weights(emotions, np.frombuffer(sound[: len(sound) // 2 * 2], "<i2"), seconds, shapes)
        data = protocol.AnimationData(
            skel_animation={"blend_shape_weights": [{"time_code": seconds, "values": pose}]},
            audio={"time_code": seconds, "audio_buffer": sound},
        )
        aggregate = protocol.EmotionAggregate(  # a2e_output stays empty: NVIDIA's clients fail on it
            input_emotions=[_key(seconds, keyed)], a2f_smoothed_output=[_key(seconds, emotions)]
        )
        packed = data.metadata["emotion_aggregate"]
        packed.type_url = f"type.googleapis.com/{aggregate.DESCRIPTOR.full_name}"
        packed.value = aggregate.SerializeToString()
        return protocol.AnimationDataStream(animation_data=data)


def status(code: int, message: str) -> Any:
    return protocol.AnimationDataStream(status={"code": code, "message": message})


def _header(request: Request) -> Any:
    return protocol.AnimationDataStream(
        animation_data_stream_header={
            "audio_header": request.header.audio_header,
            "skel_animation_header": {"blend_shapes": BLENDSHAPES},
            "start_time_code_since_epoch": time.time(),
        }
    )


def _key(seconds: float, emotions: Any) -> dict[str, Any]:
    return {"time_code": seconds, "emotion": dict(zip(A2F_EMOTIONS, emotions.tolist(), strict=True))}


def _serialized(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def after_frames(count: int, then: Spoil) -> Spoil:
    """Behave until `count` frames are out (0: before anything is), then do as `then` does."""

    def spoil(answer: Iterator[Any]) -> Iterator[Any]:
        frames = 0
        while frames < count:
            message = next(answer)
            frames += message.HasField("animation_data")
            yield message
        yield from then(answer)

    return spoil


def every(count: int) -> Spoil:
    """Send only one in `count` frames."""

    def spoil(answer: Iterator[Any]) -> Iterator[Any]:
        frames = 0
        for message in answer:
            frames += message.HasField("animation_data")
            if not message.HasField("animation_data") or frames % count == 1:
                yield message

    return spoil


def hang(_: Iterator[Any]) -> Iterator[Any]:
    """Send nothing more."""
    raise SilentError
    yield


def die(_: Iterator[Any]) -> Iterator[Any]:
    """End the whole process without a goodbye."""
    os._exit(1)
    yield


def cut(_: Iterator[Any]) -> Iterator[Any]:
    """End the call as if all were well, without SUCCESS."""
    yield from ()


def refuse(_: Iterator[Any]) -> Iterator[Any]:
    """Refuse the request with a text."""
    raise RefusedError("the moon is in the wrong phase")
    yield


def report_error(_: Iterator[Any]) -> Iterator[Any]:
    """Send a status ERROR with a text, then end the call."""
    yield status(protocol.Status.ERROR, "the network\nran out of memory")


def garble(_: Iterator[Any]) -> Iterator[Any]:
    """Send bytes that are no message."""
    yield b"\xff\xff\xff\xff"


FAILURES: dict[str, Spoil] = {
    "hang": hang,
    "die": die,
    "cut": cut,
    "refuse": refuse,
    "error": report_error,
    "garbage": garble,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="An Audio2Face-3D to test against.")
    parser.add_argument("--listen", default="127.0.0.1:52000", metavar="HOST:PORT")
    parser.add_argument("--fail", choices=FAILURES, help="what to do wrong")
    parser.add_argument("--after-frames", type=int, default=0, help="how many frames to send before failing")
    given = parser.parse_args()
    spoil = after_frames(given.after_frames, FAILURES[given.fail]) if given.fail else None
    server = A2FServer(listen=given.listen, spoil=spoil)
    print(f"listening on {server.target}", flush=True)
    server.wait()


if __name__ == "__main__":
    main()
