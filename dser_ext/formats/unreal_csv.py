"""unreal-csv: a curve table for Unreal, to be imported with linear interpolation. Not tried in Unreal."""

from __future__ import annotations

import csv
import os

import numpy as np

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError
from dser_ext.formats.files import rows_of, written_whole
from dser_ext.formats.keyed_line import Keyed, KeyedLine, likely_fps

CORNER = "---"  # what Unreal itself writes above the names of curves


def write_curve_table(line: Keyed, path: str | os.PathLike[str]) -> None:
    """The keys' seconds in the first row, then a row an emotion. Raises FormatError if the file cannot be written."""
    with written_whole(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([CORNER, *(f"{seconds:.9f}" for seconds in line.keyframes.times.tolist())])
        for emotion, column in zip(A2F_EMOTIONS, line.keyframes.values.T.tolist(), strict=True):
            table.writerow([emotion, *(f"{value:.6f}" for value in column)])


def read_curve_table(path: str | os.PathLike[str]) -> KeyedLine:
    """The keys of a curve table with the ten emotions. Raises FormatError if it is none."""
    rows = rows_of(path)
    try:
        times = np.array([float(cell) for cell in rows[0][1:]])
        values = {row[0]: [float(cell) for cell in row[1:]] for row in rows[1:] if row}
        keyframes = Keyframes(times, np.array([values[emotion] for emotion in A2F_EMOTIONS], np.float32).T)
    except (ValueError, KeyError, IndexError, FormatError) as error:
        raise FormatError(f"{path}: no curve table with the ten emotions of Audio2Face; export it again") from error
    return KeyedLine(keyframes, likely_fps(times), float(times[-1]))
