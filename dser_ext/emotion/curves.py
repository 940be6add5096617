"""Curves: ten Audio2Face emotions sampled at an animation's frame rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError


def frame_count(seconds: float, fps: float) -> int:
    """Frames that a line of this length has at `fps`: one at 0 and one every 1/fps up to its end, at least one.

    Raises FormatError if `fps` is no frame rate.
    """
    return max(1, math.floor(seconds * exact_fps(fps) + 1e-6) + 1)


@dataclass(frozen=True, eq=False)
class Curves:
    """Ten emotions over animation frames, in [0, 1].

    fps: frames a second, as exact as `exact_fps` makes them. values: (F, 10) float32, columns in the order of
    `A2F_EMOTIONS`; frame i is at i / fps s.
    """

    fps: float
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        values = np.asarray(self.values, np.float32)
        if values.ndim != 2 or values.shape[1] != len(A2F_EMOTIONS) or not len(values):
            raise FormatError(f"curves need values (F, {len(A2F_EMOTIONS)}) with F ≥ 1, not {values.shape}")
        object.__setattr__(self, "fps", exact_fps(self.fps))
        object.__setattr__(self, "values", values)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds of each frame, (F,)."""
        return np.arange(len(self.values)) / self.fps
