"""livelink-csv: a recording of Epic's Live Link Face, for Unreal and other readers of its files."""

from __future__ import annotations

import csv
import os
import warnings
from typing import IO, Any

import numpy as np

from dser_ext.errors import DserWarning, FormatError
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, DECIMALS, DEFAULT_FPS, Animation, at_one_rate
from dser_ext.formats.files import rows_of

_SWAPPED = {"JawLeft": "JawRight", "JawRight": "JawLeft", "MouthLeft": "MouthRight", "MouthRight": "MouthLeft"}
FACE = tuple(_SWAPPED.get(name, name) for name in ARKIT_BLENDSHAPES)
"""The 52 of the face in Live Link Face's order, in which these pairs stand the other way round."""

HEAD = tuple(f"{part}{turn}" for part in ("Head", "LeftEye", "RightEye") for turn in ("Yaw", "Pitch", "Roll"))
"""How head and eyes are turned, of which Audio2Face says nothing: 0."""


def write_livelink(animation: Animation, file: IO[Any], track_path: str) -> None:
    """61 values a frame, found by name, 0 where the animation has none; the file has no place for `track_path`.

    Time codes count frames from 00:00:00:00.000 on, at the animation's rate to the nearest whole number.
    Raises FormatError if no frame rate fits, or if the animation has none of the names. Warns of names left out.
    """
    del track_path
    column = {name.lower(): index for index, name in enumerate(animation.names)}
    found = {name: column[name.lower()] for name in FACE if name.lower() in column}
    if not found:
        raise FormatError("the animation has none of Live Link Face's blendshapes; save it as a2f-json or a2f-csv")
    if left_out := len(animation.names) - len(found):
        message = f"Live Link Face has no place for {left_out} of {len(animation.names)} blendshapes; they are left out"
        warnings.warn(message, DserWarning, stacklevel=2)
    weights = np.round(at_one_rate(animation).astype(np.float64), DECIMALS)
    rate = max(1, round(animation.fps))
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["Timecode", "BlendShapeCount", *FACE, *HEAD])
    for frame, row in enumerate(weights.tolist()):
        face = [row[found[name]] if name in found else 0.0 for name in FACE]
        table.writerow([_timecode(frame, rate), len(FACE) + len(HEAD), *face, *(0.0 for _ in HEAD)])


def _timecode(frame: int, rate: int) -> str:
    minutes, seconds = divmod(frame // rate, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}:{frame % rate:02}.000"


def read_livelink(path: str | os.PathLike[str]) -> Animation:
    """The face of a recording; its first frame is at 0. Raises FormatError if it is none.

    Time codes tell frames, and only the highest frame number in a second tells how many of them a second has: a
    recording of less than a second is taken to have 30.
    """
    rows = rows_of(path)
    try:
        column = {name: index for index, name in enumerate(rows[0])}
        codes = [[float(part) for part in row[column["Timecode"]].split(":")] for row in rows[1:]]
        seconds = np.array([3600 * hours + 60 * minutes + second for hours, minutes, second, _ in codes])
        frames = np.array([frame for *_, frame in codes])
        rate = np.floor(frames.max()) + 1 if seconds[-1] > seconds[0] else DEFAULT_FPS
        times = seconds + frames / rate
        found = [name for name in FACE if name in column]
        weights = np.array([[float(row[column[name]]) for name in found] for row in rows[1:]], np.float32)
        return Animation(tuple(found), times - times[0], weights)
    except (ValueError, KeyError, IndexError, FormatError) as error:
        raise FormatError(f"{path}: no recording of Live Link Face; export it again") from error
