"""What comes back from Audio2Face, checked piece by piece and bounded, until it is an animation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from dser_ext.audio2face.connection import without_key
from dser_ext.audio2face.protocol import MAX_CLIP_SECONDS, AnimationDataStream, EmotionAggregate, Status
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import Audio2FaceError, DserWarning, FormatError
from dser_ext.formats.blendshapes import Animation

MAX_FRAMES = MAX_CLIP_SECONDS * 120
"""Twice what the fastest network makes of the longest clip."""

MAX_MESSAGES = 4 * MAX_FRAMES
"""Frames, their sound in pieces, notes and events."""

MAX_BLENDSHAPES = 1024
"""Audio2Face-3D has 52, or 68 with the tongue; full rigs have some hundreds."""

MAX_EXTRA_SECONDS = 10
"""Animation past the end of the sound that still counts as its trail (Audio2Face-3D pads by 1.5 s)."""

MAX_QUOTED_CHARACTERS = 300


def quoted(text: str) -> str:
    """A server's own words as one printable line of bounded length, without our key if it says that."""
    safe = without_key(text)[: 4 * MAX_QUOTED_CHARACTERS]
    line = " ".join("".join(c if c.isprintable() else " " for c in safe).split())
    return line if len(line) <= MAX_QUOTED_CHARACTERS else line[: MAX_QUOTED_CHARACTERS - 1] + "…"


class Answer:
    """Gathers one call's `AnimationDataStream` messages; `animation()` once the server has said SUCCESS.

    Raises Audio2FaceError from `take` when the server reports an error or breaks the protocol: no header first, a
    frame that does not fit the header, a value that is not finite, time codes that do not grow, or too much of it.
    """

    def __init__(self, target: str, clip_seconds: float) -> None:
        self.succeeded = False
        self._target = target
        self._latest_seconds = clip_seconds + MAX_EXTRA_SECONDS
        self._messages = 0
        self._names: tuple[str, ...] | None = None
        self._times: list[float] = []
        self._weights: list[NDArray[np.float32]] = []
        self._emotion_times: list[float] = []
        self._emotions: list[list[float]] = []

    @property
    def begun(self) -> bool:
        """Whether the server has sent anything."""
        return self._messages > 0

    @property
    def frames(self) -> int:
        """Frames received so far."""
        return len(self._times)

    @property
    def seconds(self) -> float:
        """Time code of the latest frame."""
        return self._times[-1] if self._times else 0.0

    def take(self, data: bytes) -> None:
        """Add one serialized message of the stream."""
        self._messages += 1
        if self._messages > MAX_MESSAGES:
            raise self._nonsense(f"more than {MAX_MESSAGES} messages for one clip")
        try:
            message = AnimationDataStream.FromString(data)
        except DecodeError as error:
            raise self._nonsense("a message that cannot be decoded") from error
        part = message.WhichOneof("stream_part")
        if part == "status":
            self._take_status(message.status)
        elif part == "animation_data_stream_header":
            self._take_header(message.animation_data_stream_header)
        elif part == "animation_data":
            self._take_frames(message.animation_data)

    def animation(self) -> Animation:
        """The whole animation. Raises Audio2FaceError if the stream ended before it was complete."""
        if not self.succeeded:
            raise Audio2FaceError(
                f"{self._target}: Audio2Face ended the answer after {self.frames} frames without saying that it was "
                "complete; see its log, then try again"
            )
        if self._names is None or not self._times:
            raise self._nonsense("success without a single frame")
        try:
            return Animation(
                self._names,
                np.array(self._times),
                np.stack(self._weights),
                np.array(self._emotion_times),
                np.array(self._emotions, np.float32).reshape(-1, len(A2F_EMOTIONS)),
            )
        except FormatError as error:
            raise self._nonsense(str(error)) from error

    def _take_status(self, status: Any) -> None:
        if status.code == Status.ERROR:
            reason = quoted(status.message) or "it gives no reason"
            raise Audio2FaceError(
                f"{self._target}: Audio2Face reports an error: {reason}; put that right, or see its log, and try again"
            )
        if status.code == Status.WARNING:
            warnings.warn(f"{self._target}: Audio2Face warns: {quoted(status.message)}", DserWarning, stacklevel=2)
        self.succeeded = self.succeeded or status.code == Status.SUCCESS

    def _take_header(self, header: Any) -> None:
        if self._names is not None:
            raise self._nonsense("a second header")
        names = tuple(header.skel_animation_header.blend_shapes)
        if not 0 < len(names) <= MAX_BLENDSHAPES:
            raise self._nonsense(f"a header with {len(names)} blendshape names")
        self._names = names

    def _take_frames(self, data: Any) -> None:
        if self._names is None:
            raise self._nonsense("animation before its header")
        for frame in data.skel_animation.blend_shape_weights:
            self._take_frame(frame.time_code, np.array(frame.values, np.float32), len(self._names))
        if "emotion_aggregate" in data.metadata:
            self._take_emotions(data.metadata["emotion_aggregate"])

    def _take_frame(self, seconds: float, weights: NDArray[np.float32], width: int) -> None:
        if len(weights) != width:
            raise self._nonsense(f"a frame of {len(weights)} weights for {width} blendshapes")
        if not np.isfinite(weights).all():
            raise self._nonsense(f"a weight at {seconds:g} s that is not a finite number")
        if self._times and not seconds > self._times[-1]:
            raise self._nonsense(f"a frame at {seconds:g} s after one at {self._times[-1]:g} s")
        if not 0 <= seconds <= self._latest_seconds:
            raise self._nonsense(f"a frame at {seconds:g} s, outside of the clip")
        if self.frames == MAX_FRAMES:
            raise self._nonsense(f"more than {MAX_FRAMES} frames for one clip")
        self._times.append(seconds)
        self._weights.append(weights)

    def _take_emotions(self, metadata: Any) -> None:
        # The package in the type URL differs between NVIDIA's generations of this message; its fields do not.
        if metadata.type_url.rpartition("/")[2].rpartition(".")[2] != "EmotionAggregate":
            return
        try:
            rows = EmotionAggregate.FromString(metadata.value).a2f_smoothed_output
        except DecodeError as error:
            raise self._nonsense("emotions that cannot be decoded") from error
        for row in rows:
            # A network slower than the frame rate repeats its latest emotions with every frame.
            if self._emotion_times and row.time_code <= self._emotion_times[-1]:
                continue
            if len(self._emotion_times) == MAX_FRAMES:
                raise self._nonsense(f"more than {MAX_FRAMES} emotions for one clip")
            self._emotion_times.append(row.time_code)
            self._emotions.append([row.emotion.get(name, 0.0) for name in A2F_EMOTIONS])

    def _nonsense(self, what: str) -> Audio2FaceError:
        return Audio2FaceError(
            f"{self._target}: the answer does not keep Audio2Face's protocol ({what}); check that an Audio2Face-3D "
            "service, and one that works, listens there"
        )
