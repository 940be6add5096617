"""LiveKeys: a style and keys made of it while a line is still being told.

Every time more is told, the style is applied to the latest TAIL_SECONDS of the track. Its frames whose smoothing
window is complete are final; from the latest key to the last of these, the fewest keys are laid. They stay within the
tolerance of the curves: each stretch within half of it, and where it begins the key before may be off by the other
half.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.reduction import LEAST_TOLERANCE, fewest_keyframes
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import FRAME_RATE, EmotionTrack

TAIL_SECONDS = 20.0  # after which no style remembers anything

Frames = NDArray[np.float32]


def settling_seconds(style: Style) -> float:
    """How far behind what is told the style's curves are final."""
    return 0.0 if style.audio2emotion is not None else style.smoothing_seconds / 2


class LiveKeys:
    """Keys of one live line. fps: the grid they lie on. tolerance: their largest error, as of `fewest_keyframes`."""

    def __init__(self, style: Style, fps: float, tolerance: float) -> None:
        self._style, self._fps = (
            replace(style, tail_seconds=0.0),
            exact_fps(fps),
        )  # where the line ends is known too late
        self._tolerance = max(tolerance / 2, LEAST_TOLERANCE)
        self._tail = np.zeros((0, len(EMOTIONS)), np.float32)
        self._told = 0  # frames of the track
        self._known = 0  # animation frames that are final
        self.keys: Keyframes | None = None
        """All keys so far from the latest on that was sent; None before the first."""

    @property
    def until(self) -> float:
        """Seconds of the latest key; below zero before there is one."""
        return float(self.keys.times[-1]) if self.keys else -1.0

    def sent(self) -> None:
        """Forget the keys before the latest: they are on their way."""
        if self.keys:
            self.keys = Keyframes(self.keys.times[-1:], self.keys.values[-1:])

    def tell(self, concentration: Frames, *, over: bool = False) -> None:
        """More of the track, (F, 6); over: it is the last. Adds the keys up to the last frame that is final."""
        self._told += len(concentration)
        keep = math.ceil(TAIL_SECONDS * FRAME_RATE)
        self._tail = np.concatenate([self._tail, concentration])[-keep:]
        settled = (self._told - 1) / FRAME_RATE - (0 if over else settling_seconds(self._style))
        known = math.floor(settled * self._fps + 1e-6) + 1
        if known > self._known:
            self._lay(known)

    def _lay(self, known: int) -> None:
        """Keys up to, not including, this animation frame."""
        beginning = (self._told - len(self._tail)) / FRAME_RATE
        first = math.ceil(beginning * self._fps - 1e-6)  # animation frame that the tail's curves begin with
        times = beginning + np.arange(len(self._tail)) / FRAME_RATE - first / self._fps
        curves = self._style.apply(EmotionTrack(times, self._tail), self._fps).values
        values = curves[max(0, self._known - first) : known - first]
        start, self._known = known - len(values), known
        if self.keys is None:
            keys = fewest_keyframes(Curves(self._fps, values), self._tolerance)
            self.keys = Keyframes(keys.times + start / self._fps, keys.values)
            return
        stretch = np.concatenate([self.keys.values[-1:], values])  # begins where the one before ended
        keys = fewest_keyframes(Curves(self._fps, stretch), self._tolerance)
        self.keys = Keyframes(
            np.concatenate([self.keys.times, keys.times[1:] + (start - 1) / self._fps]),
            np.concatenate([self.keys.values, keys.values[1:]]),
        )
