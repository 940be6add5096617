"""A line that is joy at one height all through."""

from __future__ import annotations

import numpy as np

from dser_ext.emotion.edits import EditedKeys
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.track import EmotionTrack
from dser_ext.envelope import Envelope
from dser_ext.panel.document import Document

JOY = A2F_EMOTIONS.index("joy")


def document(seconds: float = 4.0, joy: float = 0.75, *, keyed: bool = True) -> Document:
    """Joy at one height all through, in a line of silence."""
    count = round(seconds * 50)
    concentration = np.full((count, 6), 1e-3, np.float32)
    concentration[:, EMOTIONS.index("happiness")] = 100 * joy
    concentration[:, EMOTIONS.index("neutral")] = 100 * (1 - joy)
    track = EmotionTrack(np.arange(count) / 50, concentration)
    values = np.zeros((2, 10), np.float32)
    values[:, JOY] = joy
    edited = EditedKeys.untouched(Keyframes(np.array([0, seconds]), values)) if keyed else None
    return Document("line.wav", track=track, edited=edited, waveform=Envelope(*np.zeros((2, 100), "f4"), seconds))
