"""csv: one row an animation frame, for spreadsheets and for pipelines that read no JSON."""

from __future__ import annotations

import csv
import os

import numpy as np

from dser_ext.emotion.curves import frame_count
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.formats.files import written_whole
from dser_ext.formats.track_json import Performance


def write_table(performance: Performance, path: str | os.PathLike[str]) -> None:
    """Columns: frame, seconds, mean and std of the six emotions, the ten Audio2Face values between the keys, is_key.

    The Audio2Face values are what Audio2Face shows: linear between the keys. Six significant digits.
    Raises FormatError if the file cannot be written.
    """
    track = performance.track
    frames = frame_count(track.seconds, performance.fps)
    seconds = np.arange(frames) / performance.fps
    std = np.stack([np.interp(seconds, track.times, column) for column in track.std.T], axis=1)
    columns = np.concatenate([track.at(seconds), std, performance.keyframes.at(seconds)], axis=1)
    keys = set(np.round(performance.keyframes.times * performance.fps).astype(int).tolist())
    names = [*EMOTIONS, *(f"{name}_std" for name in EMOTIONS), *(f"a2f_{name}" for name in A2F_EMOTIONS)]
    with written_whole(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["frame", "seconds", *names, "is_key"])
        for frame in range(frames):
            values = [f"{value:.6g}" for value in columns[frame].tolist()]
            table.writerow([frame, round(float(seconds[frame]), 6), *values, int(frame in keys)])
