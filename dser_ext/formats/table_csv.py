"""csv, csv-long: tables of every animation frame, wide for spreadsheets, long for statistics."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.curves import frame_count
from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import DEFAULT_FPS
from dser_ext.formats.files import rows_of, written_whole
from dser_ext.formats.keyed_line import KeyedLine
from dser_ext.formats.track_json import Performance

HEARD, SHOWN = "heard", "audio2face"
"""What a row of the long table tells: what the model believes, or what Audio2Face shows."""


def write_table(performance: Performance, path: str | os.PathLike[str]) -> None:
    """Columns: frame, seconds, mean and std of the six emotions, the ten Audio2Face values between the keys, is_key.

    The Audio2Face values are what Audio2Face shows: linear between the keys. Six significant digits.
    Raises FormatError if the file cannot be written.
    """
    names = [*EMOTIONS, *(f"{name}_std" for name in EMOTIONS), *(f"a2f_{name}" for name in A2F_EMOTIONS)]
    with written_whole(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["frame", "seconds", *names, "is_key"])
        for frame, seconds, values, is_key in _rows(performance):
            table.writerow([frame, seconds, *(f"{value:.6g}" for value in values), is_key])


def write_long_table(performance: Performance, path: str | os.PathLike[str]) -> None:
    """Columns: frame, seconds, kind, emotion, value, std, is_key: a row a frame and emotion, the six, then the ten.

    kind: "heard" or "audio2face"; std and is_key are empty where there is none. Six significant digits.
    Raises FormatError if the file cannot be written.
    """
    six = len(EMOTIONS)
    with written_whole(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["frame", "seconds", "kind", "emotion", "value", "std", "is_key"])
        for frame, seconds, values, is_key in _rows(performance):
            texts = [f"{value:.6g}" for value in values]
            heard = zip(EMOTIONS, texts[:six], texts[six : 2 * six], strict=True)
            table.writerows([frame, seconds, HEARD, name, mean, std, ""] for name, mean, std in heard)
            shown = zip(A2F_EMOTIONS, texts[2 * six :], strict=True)
            table.writerows([frame, seconds, SHOWN, name, value, "", is_key] for name, value in shown)


def read_table(path: str | os.PathLike[str]) -> KeyedLine:
    """The keys of a wide table. Raises FormatError if it is none."""
    rows = _records(path)
    try:
        cells = [(int(row["frame"]), float(row["seconds"]), row) for row in rows]
        keys = [row for _, _, row in cells if row["is_key"] == "1"]
        values = [[float(row[f"a2f_{name}"]) for name in A2F_EMOTIONS] for row in keys]
        return _keyed(cells[-1][:2], [int(row["frame"]) for row in keys], values)
    except (KeyError, TypeError, ValueError, IndexError, FormatError) as error:
        raise FormatError(f"{path}: no table as dser writes it; write it anew with dser emote") from error


def read_long_table(path: str | os.PathLike[str]) -> KeyedLine:
    """The keys of a long table. Raises FormatError if it is none."""
    rows = _records(path)
    try:
        keys: dict[int, dict[str, float]] = {}
        for row in rows:
            if row["kind"] == SHOWN and row["is_key"] == "1":
                keys.setdefault(int(row["frame"]), {})[row["emotion"]] = float(row["value"])
        values = [[key[name] for name in A2F_EMOTIONS] for key in keys.values()]
        return _keyed((int(rows[-1]["frame"]), float(rows[-1]["seconds"])), list(keys), values)
    except (KeyError, TypeError, ValueError, IndexError, FormatError) as error:
        raise FormatError(f"{path}: no long table as dser writes it; write it anew with dser emote") from error


def _records(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """The rows of a table by the names of its columns."""
    names, *rows = rows_of(path) or [[]]
    return [dict(zip(names, row, strict=False)) for row in rows if row]


def _rows(performance: Performance) -> Iterator[tuple[int, float, list[float], int]]:
    """Frame, seconds, the 22 values, and whether there is a key, of every frame."""
    track = performance.track
    frames = frame_count(track.seconds, performance.fps)
    seconds = np.arange(frames) / performance.fps
    std = np.stack([np.interp(seconds, track.times, column) for column in track.std.T], axis=1)
    columns = np.concatenate([track.at(seconds), std, performance.keyframes.at(seconds)], axis=1)
    keys = set(np.round(performance.keyframes.times * performance.fps).astype(int).tolist())
    for frame in range(frames):
        yield frame, round(float(seconds[frame]), 6), columns[frame].tolist(), int(frame in keys)


def _keyed(last: tuple[int, float], frames: list[int], values: list[list[float]]) -> KeyedLine:
    """The keys of frames, whose rate the last row tells."""
    frame, seconds = last
    fps = exact_fps(round(frame / seconds, 3)) if frame else DEFAULT_FPS
    times: NDArray[np.float64] = np.array(frames) / fps
    return KeyedLine(Keyframes(times, np.array(values, np.float32)), fps, seconds)
