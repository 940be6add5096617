"""A line's keys without the track that they were made from: what files for animation programs hold."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.frame_rate import NTSC, frame_rate
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.formats.blendshapes import DEFAULT_FPS

COMMON_RATES = (Fraction(30), Fraction(24), Fraction(25), Fraction(60), Fraction(50), Fraction(48), *NTSC)
ON_FRAME = 2e-3  # of a frame: what six digits of an hour's seconds leave of a key's place on its frame


class Keyed(Protocol):
    """What formats of keys write: a `Performance`, or a `KeyedLine`."""

    @property
    def keyframes(self) -> Keyframes:
        """The keys."""

    @property
    def fps(self) -> float:
        """Animation frames a second."""

    @property
    def seconds(self) -> float:
        """Length of the line."""

    @property
    def sound(self) -> str:
        """The sound file's path as far as it is known, else empty."""


@dataclass(frozen=True)
class KeyedLine:
    """Keys as they were read from a file. seconds: of the line; where the file does not say, up to the last key."""

    keyframes: Keyframes
    fps: float
    seconds: float
    sound: str = ""


def key_frames(line: Keyed) -> NDArray[np.float64]:
    """The frame numbers that keys lie on, (K,), counted from 0; fractions where a key lies between frames."""
    rate = frame_rate(line.fps)
    frames = line.keyframes.times * rate.numerator / rate.denominator
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < ON_FRAME, whole, np.round(frames, 6))


def likely_fps(times: NDArray[np.float64]) -> float:
    """The first of the usual frame rates on whose frames all keys lie; 30 if none is. times: (K,), seconds."""
    for rate in COMMON_RATES:
        frames = times * float(rate)
        if (np.abs(frames - np.round(frames)) < ON_FRAME).all():
            return float(rate)
    return DEFAULT_FPS
