"""What was recognised, for the client to read: metadata["dser"] of the animation that comes back.

An Any that holds a google.protobuf.Struct, which every protobuf runtime knows: `model` (name and version), `emotions`
(six names), and of the frames since the message before, up to this one's time: `times` (F) in seconds and
`concentration` (F × 6).
"""

from __future__ import annotations

from collections import deque

import numpy as np
from google.protobuf import struct_pb2
from numpy.typing import NDArray

from dser_ext.audio2face.protocol import AnimationDataStream
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE, ModelInfo

KEY = "dser"
TYPE_URL = "type.googleapis.com/google.protobuf.Struct"
AHEAD_SECONDS = 0.04  # the last animation frame lies up to 1/30 s before the end of the sound


class RawTrack:
    """The frames of one line that were told and not yet sent back."""

    def __init__(self, model: ModelInfo) -> None:
        self._model = f"{model.name} {model.version}"
        self._waiting: deque[tuple[float, list[float]]] = deque()
        self._told = 0

    def tell(self, concentration: NDArray[np.float32]) -> None:
        """More frames, (F, 6)."""
        for row in concentration.tolist():
            self._waiting.append((self._told / FRAME_RATE, [float(f"{value:.6g}") for value in row]))
            self._told += 1

    def beside(self, seconds: float) -> bytes:
        """What is appended to a serialized AnimationDataStream with the animation of this time, to say the frames up
        to it: a message appended to another is merged into it."""
        frames = []
        while self._waiting and self._waiting[0][0] < seconds + AHEAD_SECONDS:
            frames.append(self._waiting.popleft())
        if not frames:
            return b""
        note = struct_pb2.Struct()
        note.update(
            {
                "model": self._model,
                "emotions": list(EMOTIONS),
                "times": [time for time, _ in frames],
                "concentration": [row for _, row in frames],
            }
        )
        message = AnimationDataStream()
        packed = message.animation_data.metadata[KEY]
        packed.type_url, packed.value = TYPE_URL, note.SerializeToString()
        return bytes(message.SerializeToString())
