"""a2f-csv: the table that the sample client of Audio2Face-3D writes."""

from __future__ import annotations

import csv
from typing import IO, Any

import numpy as np

from dser_ext.formats.blendshapes import DECIMALS, Animation


def write_csv(animation: Animation, file: IO[Any], track_path: str) -> None:
    """A row a frame, each with its own time code; the table has no place for `track_path`."""
    del track_path
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["", "timeCode", *(f"blendShapes.{name}" for name in animation.names)])
    weights = np.round(animation.weights.astype(np.float64), DECIMALS)
    for index, (seconds, row) in enumerate(zip(animation.times.tolist(), weights, strict=True)):
        table.writerow([index, seconds, *row.tolist()])
