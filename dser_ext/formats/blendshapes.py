"""Facial animation as blendshape weights over time, and the files it is saved to."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError
from dser_ext.formats.files import written_whole

DEFAULT_FPS = 30.0
"""Rate of Audio2Face-3D's regression networks; stands in where a single frame shows none."""

DECIMALS = 6
"""Of a saved weight: below what a float32 between 0.5 and 1 can hold apart, and far below what a face shows."""

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


def save_animation(
    animation: Animation, path: str | os.PathLike[str], format_name: str, *, track_path: str = ""
) -> None:
    """Write `animation` to `path`, whole or not at all.

    format_name: one of `ANIMATION_FORMATS`. "a2f-json" is the blendshape file that Audio2Face's exporter writes and
    importers for Maya, Unreal and Blender read: frames at one rate from 0 on. "a2f-csv" is the table that the sample
    client of Audio2Face-3D writes: a row a frame with its own time code.
    track_path: the sound file to name inside; only a2f-json has a place for it.

    Raises FormatError for an unknown format, for time codes that no frame rate fits, or if `path` cannot be written.
    """
    write = ANIMATION_FORMATS.get(format_name)
    if write is None:
        raise FormatError(f"{format_name!r} is no animation format; choose from {', '.join(ANIMATION_FORMATS)}")
    with written_whole(path) as file:
        write(animation, file, track_path)


def _write_json(animation: Animation, file: IO[Any], track_path: str) -> None:
    weights = _at_one_rate(animation)
    document = {
        "exportFps": animation.fps,
        "trackPath": track_path,
        "numPoses": len(animation.names),
        "numFrames": len(weights),
        "facsNames": [name[0].lower() + name[1:] for name in animation.names],
        "weightMat": np.round(weights.astype(np.float64), DECIMALS).tolist(),
    }
    json.dump(document, file, ensure_ascii=False, allow_nan=False)
    file.write("\n")


def _write_csv(animation: Animation, file: IO[Any], track_path: str) -> None:
    del track_path  # the table has no place for it
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["", "timeCode", *(f"blendShapes.{name}" for name in animation.names)])
    weights = np.round(animation.weights.astype(np.float64), DECIMALS)
    for index, (seconds, row) in enumerate(zip(animation.times.tolist(), weights, strict=True)):
        table.writerow([index, seconds, *row.tolist()])


ANIMATION_FORMATS: dict[str, Callable[[Animation, IO[Any], str], None]] = {
    "a2f-json": _write_json,
    "a2f-csv": _write_csv,
}
"""Name of each format and how it is written."""


def _at_one_rate(animation: Animation) -> NDArray[np.float32]:
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
