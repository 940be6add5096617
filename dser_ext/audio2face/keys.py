"""Emotion keys as Audio2Face's messages have them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio2face.protocol import EmotionWithTimeCode
from dser_ext.emotion.names import A2F_EMOTIONS


def by_name(row: NDArray[np.floating[Any]]) -> dict[str, float]:
    """All ten emotions of a key, (10,)."""
    return dict(zip(A2F_EMOTIONS, row.tolist(), strict=True))


def key_messages(times: NDArray[np.float64], values: NDArray[np.float32]) -> list[Any]:
    """An EmotionWithTimeCode for each key; times (K,) in seconds, values (K, 10)."""
    return [
        EmotionWithTimeCode(time_code=seconds, emotion=by_name(row))
        for seconds, row in zip(times.tolist(), values, strict=True)
    ]
