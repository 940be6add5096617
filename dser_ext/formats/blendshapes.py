"""Facial animation as blendshape weights over time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError

DEFAULT_FPS = 30.0
"""Rate of Audio2Face-3D's regression networks; stands in where a single frame shows none."""

DECIMALS = 6
"""Of a saved weight: below what a float32 between 0.5 and 1 can hold apart, and far below what a face shows."""

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
ARKIT_BLENDSHAPES = (
    *(f"Eye{part}{side}" for side in ("Left", "Right") for part in _EYE),
    *("JawForward", "JawLeft", "JawRight", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker"),
    *("MouthLeft", "MouthRight"),
    *(f"Mouth{part}{side}" for part in ("Smile", "Frown", "Dimple", "Stretch") for side in ("Left", "Right")),
    *("MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper"),
    *(f"Mouth{part}{side}" for part in ("Press", "LowerDown", "UpperUp") for side in ("Left", "Right")),
    *("BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight"),
    *("CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut"),
)
"""The 52 that Audio2Face-3D animates, in its order; other programs have other orders, so go by name."""

TONGUE_BLENDSHAPES = (
    *("TongueTipUp", "TongueTipDown", "TongueTipLeft", "TongueTipRight"),
    *("TongueRollUp", "TongueRollDown", "TongueRollLeft", "TongueRollRight"),
    *("TongueUp", "TongueDown", "TongueLeft", "TongueRight", "TongueIn", "TongueStretch", "TongueWide", "TongueNarrow"),
)
"""16 more, where the service has the tongue's switched on."""

MAX_FILLED_FRAMES = 10
"""Most frames to fill in, for each frame there is, where time codes are uneven."""


def _no_times() -> NDArray[np.float64]:
    return np.zeros(0)


def _no_emotions() -> NDArray[np.float32]:
    return np.zeros((0, len(A2F_EMOTIONS)), np.float32)


@dataclass(frozen=True, eq=False)
class Animation:
    """Facial animation as Audio2Face made it.

    names: (B,) blendshapes, each once, spelled as the server spells them ("JawOpen").
    times: (N,) float64, seconds from the start of the clip, not negative, strictly increasing, N ≥ 1.
    weights: (N, B) float32, finite; mostly 0 to 1, beyond where the server does not limit them.
    emotion_times: (M,) float64 and emotions: (M, 10) float32, columns in the order of `A2F_EMOTIONS`: what the face
    was driven with, as the server reports it; M = 0 where it reports nothing.

    Raises FormatError if the arrays do not fit each other or hold values outside their range.
    """

    names: tuple[str, ...]
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    emotion_times: NDArray[np.float64] = field(default_factory=_no_times)
    emotions: NDArray[np.float32] = field(default_factory=_no_emotions)

    def __post_init__(self) -> None:
        names = tuple(self.names)
        times = np.asarray(self.times, np.float64)
        weights = np.asarray(self.weights, np.float32)
        emotion_times = np.asarray(self.emotion_times, np.float64)
        emotions = np.asarray(self.emotions, np.float32)
        if not names or "" in names or len(set(names)) != len(names):
            raise FormatError("an animation needs blendshape names, none empty and none twice")
        if times.ndim != 1 or not len(times) or weights.shape != (len(times), len(names)):
            raise FormatError(
                f"an animation needs times (N,) and weights (N, {len(names)}) with N ≥ 1, "
                f"not {times.shape} and {weights.shape}"
            )
        if emotion_times.ndim != 1 or emotions.shape != (len(emotion_times), len(A2F_EMOTIONS)):
            raise FormatError(f"an animation's emotions do not fit: {emotion_times.shape} and {emotions.shape}")
        if not (_grow_from_zero(times) and _grow_from_zero(emotion_times)):
            raise FormatError("an animation's times must be finite, not negative, and strictly increasing")
        if not (np.isfinite(weights).all() and np.isfinite(emotions).all()):
            raise FormatError("an animation's weights and emotions must be finite")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "emotion_times", emotion_times)
        object.__setattr__(self, "emotions", emotions)

    @property
    def fps(self) -> float:
        """Frames a second: what the middle distance between frames says, in thousandths."""
        if len(self.times) == 1:
            return DEFAULT_FPS
        return max(0.001, round(float(1 / np.median(np.diff(self.times))), 3))


def at_one_rate(animation: Animation) -> NDArray[np.float32]:
    """Weights at i / fps from 0 to the last frame, (F, B).

    A file without time codes would slip against the sound wherever the server left a frame out or began late.
    """
    end = animation.times[-1] * animation.fps
    if end > MAX_FILLED_FRAMES * len(animation.times) + 1:
        raise FormatError("the animation's time codes are too uneven for one frame rate; save it as a2f-csv")
    grid = np.arange(round(float(end)) + 1) / animation.fps
    if len(grid) == len(animation.times) and np.allclose(grid, animation.times, rtol=0, atol=0.1 / animation.fps):
        return animation.weights
    columns = [np.interp(grid, animation.times, column) for column in animation.weights.T]
    return np.stack(columns, axis=-1).astype(np.float32)


def _grow_from_zero(times: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(times).all() and (times[:1] >= 0).all() and (np.diff(times) > 0).all())
