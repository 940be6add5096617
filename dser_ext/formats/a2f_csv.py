"""a2f-csv: the table that the sample client of Audio2Face-3D writes."""

from __future__ import annotations

import csv
import os
from typing import IO, Any

import numpy as np

from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import DECIMALS, Animation
from dser_ext.formats.files import rows_of

PREFIX = "blendShapes."


def write_csv(animation: Animation, file: IO[Any], track_path: str) -> None:
    """A row a frame, each with its own time code; the table has no place for `track_path`."""
    del track_path
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["", "timeCode", *(f"{PREFIX}{name}" for name in animation.names)])
    weights = np.round(animation.weights.astype(np.float64), DECIMALS)
    for index, (seconds, row) in enumerate(zip(animation.times.tolist(), weights, strict=True)):
        table.writerow([index, seconds, *row.tolist()])


def read_csv(path: str | os.PathLike[str]) -> Animation:
    """The animation in such a table. Raises FormatError if it is none."""
    rows = rows_of(path)
    try:
        columns = {name: index for index, name in enumerate(rows[0])}
        shapes = {name: index for name, index in columns.items() if name.startswith(PREFIX)}
        times = np.array([float(row[columns["timeCode"]]) for row in rows[1:]])
        weights = np.array([[float(row[index]) for index in shapes.values()] for row in rows[1:]], np.float32)
        return Animation(tuple(name.removeprefix(PREFIX) for name in shapes), times, weights)
    except (ValueError, KeyError, IndexError, FormatError) as error:
        raise FormatError(f"{path}: no table of the sample client of Audio2Face-3D; export it again") from error
