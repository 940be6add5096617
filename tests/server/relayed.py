"""What clients say to a relay, and what the Audio2Face behind it felt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
import numpy as np

from dser_ext.audio2face import protocol
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS

PATIENCE_SECONDS = 20
"""After which a test has failed."""


def ask(target: str, messages: Iterable[Any], **call: Any) -> list[Any]:
    """The whole answer."""
    with grpc.insecure_channel(target) as channel:
        process = channel.stream_stream(
            protocol.PROCESS_AUDIO_STREAM,
            protocol.AudioStream.SerializeToString,
            protocol.AnimationDataStream.FromString,
        )
        return list(process(iter(messages), timeout=PATIENCE_SECONDS, **call))


def header(rate: int = 16_000, **parts: Any) -> Any:
    audio = {"channel_count": 1, "samples_per_second": rate, "bits_per_sample": 16}
    return protocol.AudioStream(audio_stream_header={"audio_header": audio, **parts})


def piece(sound: bytes, *keys: tuple[float, dict[str, float]]) -> Any:
    emotions = [{"time_code": time, "emotion": emotion} for time, emotion in keys]
    return protocol.AudioStream(audio_with_emotion={"audio_buffer": sound, "emotions": emotions})


END = protocol.AudioStream(end_of_audio={})


def spoken(sound: np.ndarray, chunk: int = 16_000, **parts: Any) -> list[Any]:
    """A line as NVIDIA's client sends it: chunks of a second, the last of which may be empty."""
    pieces = [piece(sound[start : start + chunk].tobytes()) for start in range(0, len(sound) + 1, chunk)]
    return [header(**parts), *pieces, END]


def frames(answer: list[Any]) -> list[Any]:
    return [message.animation_data for message in answer if message.HasField("animation_data")]


def felt(answer: list[Any]) -> np.ndarray:
    """The emotions that drove the face, (F, 10), as the Audio2Face behind the relay tells them."""
    packed = [frame.metadata["emotion_aggregate"].value for frame in frames(answer)]
    rows = [protocol.EmotionAggregate.FromString(value).a2f_smoothed_output[0].emotion for value in packed]
    return np.array([[row[name] for name in A2F_EMOTIONS] for row in rows])


def sent_keys(request: Any) -> Keyframes:
    """What the Audio2Face behind the relay got, which checks that times only grow."""
    assert all(set(emotion) == set(A2F_EMOTIONS) for _, emotion in request.keys)
    rows = [[emotion[name] for name in A2F_EMOTIONS] for _, emotion in request.keys]
    return Keyframes(np.array([time for time, _ in request.keys]), np.array(rows, np.float32))
