"""What Audio2Face-3D demands of a request, after its documentation and default configuration; strict throughout."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import grpc

from dser_ext.emotion.names import A2F_EMOTIONS

FACE_PARAMETERS = {
    "upperFaceStrength": (0, 2),
    "upperFaceSmoothing": (0, 0.1),
    "lowerFaceStrength": (0, 2),
    "lowerFaceSmoothing": (0, 0.1),
    "faceMaskLevel": (0, 1),
    "faceMaskSoftness": (0.001, 0.5),
    "skinStrength": (0, 2),
    "blinkStrength": (0, 2),
    "blinkOffset": (0, 1),
    "eyelidOpenOffset": (-1, 1),
    "lipOpenOffset": (-0.2, 0.2),
    "tongueStrength": (0, 3),
    "tongueHeightOffset": (-3, 3),
    "tongueDepthOffset": (-3, 3),
}

POST_PROCESSING = {  # lowest, highest, default
    "emotion_contrast": (0.3, 3, 1.0),
    "live_blend_coef": (0, 1, 0.7),
    "enable_preferred_emotion": (False, True, True),
    "preferred_emotion_strength": (0, 1, 0.5),
    "emotion_strength": (0, 1, 0.6),
    "max_emotions": (1, 6, 3),
}


@dataclass(frozen=True)
class Limits:
    """Of one service; the numbers are the defaults of its configuration files."""

    sample_rates: tuple[int, int] = (16_000, 144_000)
    message_seconds: float = 10
    clip_seconds: float = 300
    idle_seconds: float = 30
    slow_fps: float = 29
    slow_seconds: float = 7
    streams: int = 10
    half_samples: bool = False  # whether a message may end in the middle of one; not documented


class RefusedError(Exception):
    """A request that breaks a rule; becomes the RPC's status."""

    def __init__(self, reason: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(reason)
        self.code = code


@dataclass
class Request:
    """One request while it comes in: `add` every message, refused as soon as one breaks a rule."""

    limits: Limits
    header: Any = None
    sound: bytearray = field(default_factory=bytearray)
    keys: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)  # bytes of sound in each message
    ended: bool = False

    @property
    def sample_rate(self) -> int:
        return int(self.header.audio_header.samples_per_second)

    @property
    def seconds(self) -> float:
        return len(self.sound) / 2 / self.sample_rate

    def add(self, message: Any) -> None:
        part = message.WhichOneof("stream_part")
        if self.ended:
            raise RefusedError("nothing may follow EndOfAudio")
        if (part == "audio_stream_header") != (self.header is None):
            raise RefusedError("the header must come first" if self.header is None else "only one header is allowed")
        if part == "audio_stream_header":
            self._add_header(message.audio_stream_header)
        elif part == "audio_with_emotion":
            self._add_piece(message.audio_with_emotion)
        elif part == "end_of_audio":
            self._end()
        else:
            raise RefusedError("a message without content")

    def _add_header(self, header: Any) -> None:
        audio = header.audio_header
        lowest, highest = self.limits.sample_rates
        if not header.HasField("audio_header"):
            raise RefusedError("the header has no audio header")
        if audio.audio_format != 0 or audio.bits_per_sample != 16 or audio.channel_count != 1:
            raise RefusedError("only mono 16-bit PCM is accepted")
        if not lowest <= audio.samples_per_second <= highest:
            raise RefusedError(f"the sample rate must lie between {lowest} and {highest} Hz")
        for name, value in header.face_params.float_params.items():
            low, high = FACE_PARAMETERS.get(name, (1, 0))
            if not low <= value <= high:
                raise RefusedError(f"face parameter {name} = {value} is unknown or out of range")
        for name, (low, high, _) in POST_PROCESSING.items():
            parameters = header.emotion_post_processing_params
            if parameters.HasField(name) and not low <= getattr(parameters, name) <= high:
                raise RefusedError(f"{name} must lie between {low} and {high}")
        emotions = header.emotion_params
        if emotions.HasField("live_transition_time") and not 0 < emotions.live_transition_time < math.inf:
            raise RefusedError("live_transition_time must be above 0 and finite")
        _check_emotions(emotions.beginning_emotion)
        shapes = header.blendshape_params
        for value in (*shapes.bs_weight_multipliers.values(), *shapes.bs_weight_offsets.values()):
            if not math.isfinite(value):
                raise RefusedError("blendshape multipliers and offsets must be finite")
        self.header = header

    def _add_piece(self, piece: Any) -> None:
        seconds = len(piece.audio_buffer) / 2 / self.sample_rate
        if len(piece.audio_buffer) % 2 and not self.limits.half_samples:
            raise RefusedError("the audio buffer ends in half a sample")
        if seconds > self.limits.message_seconds:
            raise RefusedError(f"more than {self.limits.message_seconds:g} s of audio in one message")
        if self.seconds + seconds > self.limits.clip_seconds:
            raise RefusedError(f"the clip is longer than {self.limits.clip_seconds:g} s")
        for key in piece.emotions:
            if not 0 <= key.time_code < math.inf:
                raise RefusedError(f"time code {key.time_code} is negative or not finite")
            if self.keys and key.time_code <= self.keys[-1][0]:
                raise RefusedError(f"time code {key.time_code} does not follow {self.keys[-1][0]}")
            _check_emotions(key.emotion)
            self.keys.append((key.time_code, dict(key.emotion)))
        self.sound += piece.audio_buffer
        self.pieces.append(len(piece.audio_buffer))

    def _end(self) -> None:
        if not self.sound:
            raise RefusedError("no audio before EndOfAudio")
        self.ended = True


def _check_emotions(emotions: Any) -> None:
    for name, value in emotions.items():
        # Whether the real service refuses or ignores a name it does not know is not documented; we never send one.
        if name not in A2F_EMOTIONS:
            raise RefusedError(f"there is no emotion {name!r}")
        if not 0 <= value <= 1:
            raise RefusedError(f"{name} = {value} lies outside of 0 to 1")
