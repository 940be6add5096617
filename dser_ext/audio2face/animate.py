"""Audio and emotion keys to Audio2Face, facial animation back (`ProcessAudioStream`)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from dser_ext.audio2face.answer import Answer
from dser_ext.audio2face.failure import explain
from dser_ext.audio2face.protocol import (
    MAX_CLIP_SECONDS,
    PROCESS_AUDIO_STREAM,
    AudioHeader,
    AudioStream,
    AudioWithEmotion,
    EmotionParameters,
    EmotionPostProcessingParameters,
    EmotionWithTimeCode,
)
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import Audio2FaceError, AudioError
from dser_ext.formats.blendshapes import Animation

SAMPLE_RATE = 16_000
"""Hz; the rate that the Audio2Face-3D documentation advises."""

CHUNK_SECONDS = 1
"""Sound in a message, as NVIDIA's client sends it; up to 10 s are accepted."""

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Largest message that a gRPC server takes unless told otherwise."""

MAX_RESPONSE_BYTES = 16 * 1024 * 1024
"""Room for a server that sends the sound of a whole clip back in one message."""

LINGER_SECONDS = 2.0
"""How long an answer that is complete may stay open before we close it."""

_TARGET = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):(\d{1,5})", re.ASCII)


def animate(
    samples: NDArray[np.float32], keyframes: Keyframes, target: str, *, timeout_seconds: float = 30.0
) -> Animation:
    """Have Audio2Face animate a line of speech so that the face follows the keys exactly.

    samples: (S,) float32, mono, 16 kHz, -1 to 1 (louder is clipped), finite, at most 300 s.
    keyframes: the emotions; the first key also is the state before the first frame.
    target: "HOST:PORT" of an Audio2Face-3D service (52000 unless configured otherwise), without TLS.
    timeout_seconds: longest silence to bear from the server, above zero.

    Blocks until the animation is complete. Raises AudioError if the samples cannot be sent, and Audio2FaceError if
    the clip is too long or has too many keys, or if the server is not there, refuses, hangs, stops midway, or
    answers something that is no animation. Issues DserWarning for a warning of the server.
    """
    if not timeout_seconds > 0:
        raise Audio2FaceError(f"the time to wait for Audio2Face must be above zero, not {timeout_seconds} s")
    _check_target(target)
    sound = _checked(samples)
    first = _first_piece(sound, keyframes)
    answer = Answer(target, len(sound) / SAMPLE_RATE)
    options = [("grpc.max_receive_message_length", MAX_RESPONSE_BYTES)]
    with grpc.insecure_channel(target, options) as channel:
        process = channel.stream_stream(PROCESS_AUDIO_STREAM, AudioStream.SerializeToString)
        _receive(process, _messages(sound, keyframes, first), answer, target, timeout_seconds)
    return answer.animation()


def _receive(process: Any, messages: Iterator[Any], answer: Answer, target: str, timeout_seconds: float) -> None:
    """Run the call to its end, or to the first thing wrong with it."""
    watch = _SilenceWatch(timeout_seconds)
    call = process(_noted(messages, watch))
    try:
        with watch.over(call):
            for message in call:
                watch.note()
                answer.take(message)
                if answer.succeeded:
                    watch.patience_seconds = min(timeout_seconds, LINGER_SECONDS)
    except grpc.RpcError as error:
        if not watch.barked:
            raise explain(error, target, begun=answer.begun, frames=answer.frames) from error
        if not answer.succeeded:
            raise Audio2FaceError(
                f"{target}: Audio2Face has sent nothing for {timeout_seconds:g} s, after {answer.frames} frames; "
                "see whether it hangs or is overloaded, then try again"
            ) from error
    finally:
        call.cancel()


def _noted(messages: Iterator[Any], watch: _SilenceWatch) -> Iterator[Any]:
    """The messages, each counting as a sign of life: gRPC asks for the next when the server has room for it."""
    for message in messages:
        watch.note()
        yield message


class _SilenceWatch:
    """Cancels a call in which nothing has moved for `patience_seconds`."""

    def __init__(self, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
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
        while (left := self._latest + self.patience_seconds - time.monotonic()) > 0:
            if self._over.wait(min(left, LINGER_SECONDS / 4)):  # patience may get shorter meanwhile
                return
        self.barked = True
        call.cancel()


def _messages(sound: NDArray[np.float32], keyframes: Keyframes, first: Any) -> Iterator[Any]:
    yield _header(keyframes)
    yield AudioStream(audio_with_emotion=first)
    chunk = CHUNK_SECONDS * SAMPLE_RATE
    for start in range(chunk, len(sound), chunk):
        yield AudioStream(audio_with_emotion=AudioWithEmotion(audio_buffer=_pcm16(sound[start : start + chunk])))
    yield AudioStream(end_of_audio=AudioStream.EndOfAudio())


def _header(keyframes: Keyframes) -> Any:
    """Settings with which Audio2Face's emotions are the keys themselves.

    By default it multiplies keys by 0.5 · 0.6 and lets them arrive over half a second. Strength 1 twice leaves only
    the keys and their full value; a transition shorter than a frame lets them arrive at once.
    """
    message = AudioStream()
    header = message.audio_stream_header
    header.audio_header.CopyFrom(
        AudioHeader(
            audio_format=AudioHeader.AUDIO_FORMAT_PCM,
            channel_count=1,
            samples_per_second=SAMPLE_RATE,
            bits_per_sample=16,
        )
    )
    header.emotion_post_processing_params.CopyFrom(
        EmotionPostProcessingParameters(
            enable_preferred_emotion=True, preferred_emotion_strength=1.0, emotion_strength=1.0
        )
    )
    header.emotion_params.CopyFrom(
        EmotionParameters(live_transition_time=1e-4, beginning_emotion=_by_name(keyframes.values[0]))
    )
    header.face_params.SetInParent()  # sent even when empty, as NVIDIA's clients do
    header.blendshape_params.SetInParent()
    return message


def _first_piece(sound: NDArray[np.float32], keyframes: Keyframes) -> Any:
    """The first chunk of sound with every key, so that no key can come after the sound it belongs to."""
    keys = [
        EmotionWithTimeCode(time_code=seconds, emotion=_by_name(row))
        for seconds, row in zip(keyframes.times.tolist(), keyframes.values, strict=True)
    ]
    piece = AudioWithEmotion(audio_buffer=_pcm16(sound[: CHUNK_SECONDS * SAMPLE_RATE]), emotions=keys)
    if piece.ByteSize() > MAX_REQUEST_BYTES - 1024:
        raise Audio2FaceError(
            f"{len(keys)} emotion keys are more than Audio2Face takes in one message; "
            "allow a larger tolerance, or fewer frames a second, for fewer keys"
        )
    return piece


def _by_name(row: NDArray[np.float32]) -> dict[str, float]:
    return dict(zip(A2F_EMOTIONS, row.tolist(), strict=True))


def _pcm16(samples: NDArray[np.float32]) -> bytes:
    whole = np.minimum(np.rint(np.clip(samples, -1, 1) * 32768), 32767)
    return bytes(whole.astype("<i2").tobytes())


def _checked(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    sound = np.asarray(samples, np.float32)
    if sound.ndim != 1 or not len(sound):
        raise AudioError(f"Audio2Face needs mono samples (S,) with S ≥ 1, not {sound.shape}")
    seconds = len(sound) / SAMPLE_RATE
    if seconds > MAX_CLIP_SECONDS:
        raise Audio2FaceError(
            f"the clip is {seconds:.1f} s long and Audio2Face takes at most {MAX_CLIP_SECONDS} s; "
            "cut it into shorter lines"
        )
    if not np.isfinite(sound).all():
        raise AudioError("the sound holds NaN or infinite samples; export it again")
    return sound


def _check_target(target: str) -> None:
    match = _TARGET.fullmatch(target)
    if not match or not 0 < int(match[2]) < 65536:
        raise Audio2FaceError(f"{target!r} is no address of Audio2Face; write HOST:PORT, for example localhost:52000")
