"""Clips longer than Audio2Face takes in one call: cut where nobody speaks, and joined again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import Animation

GRID_SECONDS = 0.1
"""Cuts lie on tenths of a second: borders of frames at 30 and at 60 frames a second."""

SEARCH_SECONDS = 60
"""Before the longest a part may be: where the place for the cut is looked for."""

PAUSE_SECONDS = 0.2
"""Of which the quietest is where the cut goes: longer than any closure of the mouth inside a word."""

STEPS_A_SECOND = 100
"""How finely loudness is looked at."""


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of a clip. sound: (S,) a view; keyframes: in seconds from the start of the part."""

    start_seconds: float
    end_seconds: float
    sound: NDArray[np.float32]
    keyframes: Keyframes


def parts(sound: NDArray[np.float32], keyframes: Keyframes, rate: int, most_seconds: float) -> list[Part]:
    """The clip in pieces of at most `most_seconds` each, which together are the clip; a short one stays as it is.

    sound: (S,) float32, finite, S ≥ 1; rate: of it, Hz, a multiple of 100. The keys of a piece are those within it,
    and their values at its borders.
    """
    borders = [0]
    while (len(sound) - borders[-1]) / rate > most_seconds:
        borders.append(_cut(sound, borders[-1], rate, most_seconds))
    if len(borders) == 1:
        return [Part(0.0, len(sound) / rate, sound, keyframes)]
    borders.append(len(sound))
    return [
        Part(start / rate, end / rate, sound[start:end], _within(keyframes, start / rate, end / rate))
        for start, end in pairwise(borders)
    ]


def _cut(sound: NDArray[np.float32], start: int, rate: int, most_seconds: float) -> int:
    """The middle of the quietest pause that the part from `start` on may end in; of equal ones the last."""
    step, grid = rate // STEPS_A_SECOND, round(rate * GRID_SECONDS)
    high = start + int(most_seconds * rate) // grid * grid
    low = max(start + grid, high - SEARCH_SECONDS * rate)
    loudness = np.square(sound[low:high].reshape(-1, step), dtype=np.float64).sum(axis=1)
    width = round(PAUSE_SECONDS * STEPS_A_SECOND)
    if len(loudness) <= width:
        return high
    windows = np.convolve(loudness, np.ones(width), "valid")
    last = len(windows) - 1 - int(np.argmin(windows[::-1]))
    return round((low + (last + width / 2) * step) / grid) * grid


def _within(keyframes: Keyframes, start: float, end: float) -> Keyframes:
    inside = keyframes.times[(keyframes.times > start) & (keyframes.times < end)]
    moments = np.concatenate([[start], inside, [end]])
    return Keyframes(moments - start, keyframes.at(moments))


def joined(pieces: Sequence[Part], animations: Sequence[Animation]) -> Animation:
    """One animation of those of the parts, in seconds of the whole clip.

    What a part shows beyond its end gives way to the next part. Raises FormatError if they differ in blendshapes.
    """
    if len(animations) == 1:
        return animations[0]
    if len({animation.names for animation in animations}) > 1:
        raise FormatError("the parts of the animation have different blendshapes; animate the line again")
    times, weights, emotion_times, emotions = [], [], [], []
    for piece, animation in zip(pieces, animations, strict=True):
        # A frame at the very end is the next part's first; half a frame keeps rounding from making two of it.
        length = np.inf if piece is pieces[-1] else piece.end_seconds - piece.start_seconds - 0.5 / animation.fps
        frames, felt = animation.times < length, animation.emotion_times < length
        times.append(piece.start_seconds + animation.times[frames])
        weights.append(animation.weights[frames])
        emotion_times.append(piece.start_seconds + animation.emotion_times[felt])
        emotions.append(animation.emotions[felt])
    return Animation(
        animations[0].names,
        np.concatenate(times),
        np.concatenate(weights),
        np.concatenate(emotion_times),
        np.concatenate(emotions),
    )
