"""Tracks and keys as messages of our service, in parts that fit into one each, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext import messages
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.track import FRAME_RATE, AudioInfo, EmotionTrack, ModelInfo, VoiceInfo
from dser_ext.errors import FormatError
from dser_ext.messages import Frames, Keys, TrackHead

PART_ROWS = 8192  # frames or keys in one message: some 400 kB
MAX_FRAMES = 25 * 3600 * FRAME_RATE  # of a track; a line of more than 24 h is not recognised


def head_message(track: EmotionTrack, warnings: Iterable[str] = ()) -> Any:
    """TrackHead of a track that was recognised."""
    head = TrackHead(
        emotions=EMOTIONS,
        frame_rate_hz=FRAME_RATE,
        frame_count=len(track.times),
        key_names=A2F_EMOTIONS,
        warnings=warnings,
    )
    if track.audio is not None:
        head.audio_name, head.audio_sha256 = track.audio.path or "", track.audio.sha256
        head.audio_seconds = track.audio.seconds
    if track.model is not None:
        head.model.CopyFrom(model_message(track.model))
    if track.voice is not None:
        head.voice.CopyFrom(voice_message(track.voice))
    return head


def model_message(model: ModelInfo) -> Any:
    """ModelInfo."""
    return messages.ModelInfo(name=model.name, version=model.version, sha256=model.sha256)


def voice_message(voice: VoiceInfo) -> Any:
    """VoiceInfo."""
    return messages.VoiceInfo(name=voice.name, lines=voice.lines, seconds=voice.seconds)


def frames_messages(concentration: NDArray[np.float32], first: int = 0) -> Iterator[Any]:
    """Frames of concentrations (F, 6), of which the first is frame number `first`."""
    for start in range(0, len(concentration), PART_ROWS):
        part = concentration[start : start + PART_ROWS]
        yield Frames(first=first + start, concentration=part.ravel().tolist())


def keys_messages(keys: Keyframes) -> Iterator[Any]:
    """Keys, at least one message."""
    for start in range(0, len(keys.times), PART_ROWS):
        rows = slice(start, start + PART_ROWS)
        yield Keys(seconds=keys.times[rows].tolist(), values=keys.values[rows].ravel().tolist())


class TrackParts:
    """A track that comes in, in parts. Raises FormatError for parts that do not fit together."""

    def __init__(self, head: Any) -> None:
        if list(head.emotions) != list(EMOTIONS) or head.frame_rate_hz != FRAME_RATE:
            raise FormatError("its emotions or its frame rate are not those of this version")
        if not 1 <= head.frame_count <= MAX_FRAMES:
            raise FormatError(f"a track of {head.frame_count} frames cannot be; send 1 to {MAX_FRAMES}")
        self._head, self._count = head, 0
        self._parts: list[NDArray[np.float32]] = []

    def take(self, frames: Any) -> None:
        """The next Frames."""
        values = np.fromiter(frames.concentration, np.float32, len(frames.concentration))
        if frames.first != self._count or len(values) % len(EMOTIONS):
            raise FormatError(f"frame {self._count} was to come; send all frames in order, six values each")
        self._count += len(values) // len(EMOTIONS)
        if self._count > self._head.frame_count:
            raise FormatError(f"more frames came than the {self._head.frame_count} that were announced")
        self._parts.append(values.reshape(-1, len(EMOTIONS)))

    def track(self) -> EmotionTrack:
        """All of it."""
        head = self._head
        if self._count != head.frame_count:
            raise FormatError(f"{self._count} frames came instead of {head.frame_count}; send all of them")
        return EmotionTrack(
            np.arange(self._count) / FRAME_RATE,
            np.concatenate(self._parts),
            audio=AudioInfo(head.audio_name or None, head.audio_sha256, head.audio_seconds),
            model=ModelInfo(head.model.name, head.model.version, head.model.sha256),
            voice=VoiceInfo(head.voice.name, head.voice.lines, head.voice.seconds) if head.HasField("voice") else None,
        )


def keyframes(parts: Iterable[Any]) -> Keyframes:
    """Of Keys messages. Raises FormatError if they do not fit together."""
    times: list[float] = []
    values: list[float] = []
    for part in parts:
        times += part.seconds
        values += part.values
    if len(values) != len(times) * len(A2F_EMOTIONS):
        raise FormatError(f"{len(values)} values for {len(times)} keys; send ten for each")
    return Keyframes(np.array(times), np.array(values, np.float32).reshape(-1, len(A2F_EMOTIONS)))
