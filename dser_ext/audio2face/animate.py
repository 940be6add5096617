"""Audio and emotion keys to Audio2Face, facial animation back (`ProcessAudioStream`)."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from dser_ext.audio2face.answer import Answer
from dser_ext.audio2face.connection import MAX_REQUEST_BYTES, RETRY_WAITS_SECONDS, Connection
from dser_ext.audio2face.failure import explain
from dser_ext.audio2face.keys import by_name, key_messages
from dser_ext.audio2face.long_clips import Part, joined, parts
from dser_ext.audio2face.protocol import (
    MAX_CLIP_SECONDS,
    PROCESS_AUDIO_STREAM,
    AudioHeader,
    AudioStream,
    AudioWithEmotion,
)
from dser_ext.audio2face.settings import Settings
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import Audio2FaceError, AudioError, FormatError
from dser_ext.formats.blendshapes import Animation

SAMPLE_RATE = 16_000
"""Hz; the rate that the Audio2Face-3D documentation advises."""

CHUNK_SECONDS = 1
"""Sound in a message, as NVIDIA's client sends it; up to 10 s are accepted."""

LINGER_SECONDS = 2.0
"""How long an answer that is complete may stay open before we close it."""


def animate(
    samples: NDArray[np.float32],
    keyframes: Keyframes,
    target: Connection | str,
    *,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    timeout_seconds: float = 30.0,
    report: Callable[[float], None] | None = None,
    stop: threading.Event | None = None,
) -> Animation:
    """Have Audio2Face animate a line of speech; with the settings as they are the face follows the keys exactly.

    samples: (S,) float32, mono, 16 kHz, -1 to 1 (louder is clipped), finite. More than 300 s are cut where nobody
    speaks, and sent in several calls.
    keyframes: the emotions; unless the settings say how the face begins, the first key does.
    target: a Connection, or "HOST:PORT" (52000 unless configured otherwise) without TLS.
    timeout_seconds: longest silence to bear from the server, above zero.
    report: is told how many seconds of animation there are, whenever more of it has come.
    stop: that another thread sets to give up; then, or half a second later, Audio2FaceError is raised.

    Blocks until the animation is complete. Where nobody is found a call is tried again, three times within
    `timeout_seconds`. Raises AudioError if the samples cannot be sent, and Audio2FaceError if a part has too many keys,
    or if the server is not there, refuses, hangs, stops midway, or answers something that is no animation. Issues
    DserWarning for a warning of the server.
    """
    if not timeout_seconds > 0:
        raise Audio2FaceError(f"the time to wait for Audio2Face must be above zero, not {timeout_seconds} s")
    connection = target if isinstance(target, Connection) else Connection(target)
    pieces = parts(_checked(samples), keyframes, SAMPLE_RATE, MAX_CLIP_SECONDS)
    firsts = [_first_piece(piece) for piece in pieces]  # finds what cannot be sent before anybody is called
    animations = []
    with connection.channel() as channel:
        process = channel.stream_stream(PROCESS_AUDIO_STREAM, AudioStream.SerializeToString)
        line = _Line(connection, process, timeout_seconds, report, stop or threading.Event())
        for piece, first in zip(pieces, firsts, strict=True):
            own = settings if piece is pieces[0] else replace(settings, beginning_emotion=None)
            try:
                animations.append(line.animation(piece, first, own))
            except Audio2FaceError as error:
                if len(pieces) == 1:
                    raise
                place = f"{piece.start_seconds:.1f} s to {piece.end_seconds:.1f} s of the line"
                raise Audio2FaceError(f"{place}: {error}") from error
    try:
        return joined(pieces, animations)
    except FormatError as error:
        raise Audio2FaceError(f"{connection.target}: {error}") from error


@dataclass(frozen=True)
class _Line:
    """An open channel, and how long to wait on it. process: its ProcessAudioStream. report, stop: as of `animate`."""

    connection: Connection
    process: Any
    timeout_seconds: float
    report: Callable[[float], None] | None
    stop: threading.Event

    def animation(self, piece: Part, first: Any, settings: Settings) -> Animation:
        """One part's animation. Raises Audio2FaceError."""
        waits = iter(RETRY_WAITS_SECONDS)
        latest = time.monotonic() + self.timeout_seconds
        while True:
            answer = Answer(self.connection.target, len(piece.sound) / SAMPLE_RATE)
            try:
                self._receive(_messages(piece, first, settings), answer, piece.start_seconds)
                return answer.animation()
            except grpc.RpcError as error:
                wait = next(waits, math.inf)
                nobody = error.code() is grpc.StatusCode.UNAVAILABLE and not answer.begun
                if not nobody or time.monotonic() + wait > latest:
                    raise explain(error, self.connection, begun=answer.begun, frames=answer.frames) from error
                time.sleep(wait)

    def _receive(self, messages: Iterator[Any], answer: Answer, start_seconds: float) -> None:
        """Run the call to its end, or to the first thing wrong with it."""
        watch = _SilenceWatch(self.timeout_seconds, self.stop)
        call = self.process(_noted(messages, watch), metadata=self.connection.metadata())
        try:
            with watch.over(call):
                for message in call:
                    watch.note()
                    answer.take(message)
                    if self.report is not None:
                        self.report(start_seconds + answer.seconds)
                    if answer.succeeded:
                        watch.patience_seconds = min(self.timeout_seconds, LINGER_SECONDS)
        except grpc.RpcError as error:
            if self.stop.is_set():
                raise Audio2FaceError(f"{self.connection.target}: stopped before all animation had come") from error
            if not watch.barked:
                raise
            if not answer.succeeded:
                raise Audio2FaceError(
                    f"{self.connection.target}: Audio2Face has sent nothing for {self.timeout_seconds:g} s, after "
                    f"{answer.frames} frames; see whether it hangs or is overloaded, then try again"
                ) from error
        finally:
            call.cancel()


def _noted(messages: Iterator[Any], watch: _SilenceWatch) -> Iterator[Any]:
    """The messages, each counting as a sign of life: gRPC asks for the next when the server has room for it."""
    for message in messages:
        watch.note()
        yield message


class _SilenceWatch:
    """Cancels a call in which nothing has moved for `patience_seconds`, or when `stop` is set."""

    def __init__(self, patience_seconds: float, stop: threading.Event) -> None:
        self.patience_seconds, self._stop = patience_seconds, stop
        self.barked = False
        self._latest = time.monotonic()
        self._over = threading.Event()

    def note(self) -> None:
        self._latest = time.monotonic()

    @contextmanager
    def over(self, call: Any) -> Iterator[None]:
        """Watch `call` while the block runs."""
        thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self, call: Any) -> None:
        while (left := self._latest + self.patience_seconds - time.monotonic()) > 0 and not self._stop.is_set():
            if self._over.wait(min(left, LINGER_SECONDS / 4)):  # patience may get shorter meanwhile
                return
        self.barked = True
        call.cancel()


def _messages(piece: Part, first: Any, settings: Settings) -> Iterator[Any]:
    """One by one, as the server takes them; gRPC half-closes after the last."""
    yield _header(piece, settings)
    yield AudioStream(audio_with_emotion=first)
    chunk = CHUNK_SECONDS * SAMPLE_RATE
    for start in range(chunk, len(piece.sound), chunk):
        sound = _pcm16(piece.sound[start : start + chunk])
        yield AudioStream(audio_with_emotion=AudioWithEmotion(audio_buffer=sound))
    yield AudioStream(end_of_audio=AudioStream.EndOfAudio())


def _header(piece: Part, settings: Settings) -> Any:
    message = AudioStream()
    message.audio_stream_header.audio_header.CopyFrom(
        AudioHeader(
            audio_format=AudioHeader.AUDIO_FORMAT_PCM,
            channel_count=1,
            samples_per_second=SAMPLE_RATE,
            bits_per_sample=16,
        )
    )
    settings.fill(message.audio_stream_header, by_name(piece.keyframes.values[0]))
    return message


def _first_piece(piece: Part) -> Any:
    """The first chunk of sound with every key, so that no key can come after the sound it belongs to."""
    keys = key_messages(piece.keyframes.times, piece.keyframes.values)
    first = AudioWithEmotion(audio_buffer=_pcm16(piece.sound[: CHUNK_SECONDS * SAMPLE_RATE]), emotions=keys)
    if first.ByteSize() > MAX_REQUEST_BYTES - 1024:
        raise Audio2FaceError(
            f"{len(keys)} emotion keys are more than Audio2Face takes in one message; "
            "allow a larger tolerance, or fewer frames a second, for fewer keys"
        )
    return first


def _pcm16(samples: NDArray[np.float32]) -> bytes:
    whole = np.minimum(np.rint(np.clip(samples, -1, 1) * 32768), 32767)
    return bytes(whole.astype("<i2").tobytes())


def _checked(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    sound = np.asarray(samples, np.float32)
    if sound.ndim != 1 or not len(sound):
        raise AudioError(f"Audio2Face needs mono samples (S,) with S ≥ 1, not {sound.shape}")
    if not np.isfinite(sound).all():
        raise AudioError("the sound holds NaN or infinite samples; export it again")
    return sound
