"""Keyframes: what Audio2Face gets and an animator edits; and the fewest of them that follow given curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError


@dataclass(frozen=True, eq=False)
class Keyframes:
    """Emotion keys, linear between them, held before the first and after the last.

    times: (K,) float64, seconds ≥ 0, strictly increasing, K ≥ 1.
    values: (K, 10) float32 in [0, 1], columns in the order of `A2F_EMOTIONS`. All ten always: to Audio2Face a
    missing name means 0, not "unchanged".

    Raises FormatError if the arrays do not fit each other or hold values outside their range.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        times = np.asarray(self.times, np.float64)
        values = np.asarray(self.values, np.float32)
        if times.ndim != 1 or not len(times) or values.shape != (len(times), len(A2F_EMOTIONS)):
            raise FormatError(
                f"keyframes need times (K,) and values (K, {len(A2F_EMOTIONS)}) with K ≥ 1, "
                f"not {times.shape} and {values.shape}"
            )
        if not (np.isfinite(times).all() and times[0] >= 0 and (np.diff(times) > 0).all()):
            raise FormatError("keyframe times must be finite, not negative, and strictly increasing")
        if not ((values >= 0) & (values <= 1)).all():
            raise FormatError("keyframe values must lie between 0 and 1")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)

    def at(self, seconds: ArrayLike) -> NDArray[np.float32]:
        """The ten values at any times, (…, 10)."""
        moments = np.asarray(seconds, np.float64)
        columns = [np.interp(moments, self.times, column) for column in self.values.T]
        return np.stack(columns, axis=-1).astype(np.float32)
