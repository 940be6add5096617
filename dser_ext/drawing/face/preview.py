"""A preview: a line's sound, with a face that shows its emotions or moves as Audio2Face animated it."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import Audio
from dser_ext.drawing.face.levels import levels
from dser_ext.drawing.face.shapes import SHAPES, animation_of
from dser_ext.drawing.face.stage import WAVEFORM_BINS, Stage
from dser_ext.drawing.face.video import check_av, write_video
from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.envelope import envelope
from dser_ext.errors import DserWarning, FormatError
from dser_ext.formats.blendshapes import Animation

SUFFIX = ".mp4"
LIMITS = -1.0, 2.0  # of weights: beyond, a head is no head any more
Progress = Callable[[int, int], None]
"""Told frames done, and frames in all."""


def preview(
    path: str | os.PathLike[str],
    audio: Audio,
    shown: Keyframes | Animation,
    fps: float = 30.0,
    progress: Progress | None = None,
) -> None:
    """Write a video of a line, whole or not at all: as long as its sound, in memory that does not grow with it.

    shown: emotion keys, which the face then shows while its mouth follows the loudness, or a facial animation, which
    is shown as it is; of that, blendshapes that the head does not have are left out, with a DserWarning if it has none
    of them. fps: of the video.

    Raises FormatError if `path` does not end in .mp4, cannot be written, or PyAV is missing; AudioError as
    `Audio.blocks` does.
    """
    if Path(path).suffix.lower() != SUFFIX:
        raise FormatError(f'{path}: a preview is a video; end the name in "{SUFFIX}"')
    check_av()
    waveform = envelope(audio.blocks(), WAVEFORM_BINS)
    count = max(1, math.ceil(audio.seconds * fps - 1e-6))
    times = np.arange(count) / fps
    if isinstance(shown, Animation):
        face, curves = shown, _driven_by(shown, times, fps)
    else:
        curves = Curves(fps, shown.at(times))
        face = animation_of(curves, levels(audio.blocks()))
    name = re.split(r"[\\/]", audio.path)[-1] if audio.path else "Line without a file"
    stage = Stage(name, audio.seconds, curves, waveform)
    frames = _frames(stage, face, times, progress)
    write_video(path, frames, fps, audio.blocks())


def _driven_by(animation: Animation, times: NDArray[np.float64], fps: float) -> Curves | None:
    """The emotions that Audio2Face says it drove the face with, where it says so."""
    if not len(animation.emotion_times):
        return None
    keys = Keyframes(animation.emotion_times, np.clip(animation.emotions, 0, 1))
    return Curves(fps, keys.at(times))


def _frames(
    stage: Stage, face: Animation, times: NDArray[np.float64], progress: Progress | None
) -> Iterator[NDArray[np.uint8]]:
    """The pictures at these times; weights are linear between the animation's frames, its last one is held."""
    names = [name[:1].upper() + name[1:] for name in face.names]  # ARKit itself writes jawOpen
    known = [(index, name) for index, name in enumerate(names) if name in SHAPES]
    if not known:
        some = ", ".join(face.names[:3])
        warnings.warn(
            f"the face stays still: it has none of the animation's blendshapes ({some}, …); "
            f"give one with ARKit's names, such as {SHAPES[0]}",
            DserWarning,
            stacklevel=3,
        )
    limited = np.clip(face.weights, *LIMITS)
    places = np.interp(times, face.times, np.arange(len(face.times)))  # among the animation's frames
    for number, (seconds, place) in enumerate(zip(times.tolist(), places.tolist(), strict=True)):
        before = int(place)
        after = min(before + 1, len(face.times) - 1)
        row = limited[before] + (place - before) * (limited[after] - limited[before])
        yield stage.frame(seconds, {name: float(row[index]) for index, name in known})
        if progress:
            progress(number + 1, len(times))
